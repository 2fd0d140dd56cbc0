package starlib

import (
	"errors"

	"go.starlark.net/starlark"

	"palhm/runtime/plan"
)

func routineBuiltin() *builtin {
	return &builtin{
		Doc: Doc{
			Name: "routine",
			Text: `Declares a task whose steps run one after the other. A step that fails ends it.
A function decides while the task runs: it is called with ctx, and ctx.run(...) runs what has to be run.
Declaring is allowed in the site file, or in a module's function that the site file calls.`,
			Params: []Param{
				{Name: "name", Type: "string", Doc: "the name of the task, for palhm run"},
				{Name: "steps", Type: "list of execs, pipelines, tasks, functions and sigmasks", Doc: "at least one, or a single one without the list; def name(ctx) is a function"},
				{Name: "args", Type: "dict", Default: "{}", KeywordOnly: true, Doc: `options of palhm run for the task, which its functions see as ctx.args: {"service": "nginx", "dry_run": False} makes --service=NAME, --dry-run, ctx.args.service and ctx.args.dry_run. A` + argsForm[1:]},
				{Name: "uses", Type: "list of execs, pipelines and tasks", Default: "None", KeywordOnly: true, Doc: "what the functions run, for palhm plan and palhm check. When it is given, they may run no other task; what they make themselves with exec(...) they may always run"},
				{Name: "timeout", Type: "duration", Default: "None", KeywordOnly: true, Doc: "of the whole routine; None is no limit"},
				{Name: "doc", Type: "string", Default: `""`, KeywordOnly: true, Doc: "what it is for, for lists of tasks"},
			},
		},
		loading: "declare the routine at the top level, and run it here with ctx.run(...)",
		run:     runRoutine,
		broken:  func(c *call) starlark.Value { return brokenTask(c) },
	}
}

func runRoutine(c *call) (starlark.Value, error) {
	r := routineArgs{l: c.l, task: &plan.Task{Pos: c.caller(), Routine: &plan.Routine{Steps: []plan.Step{}}}}
	err := c.unpack(r.set)
	switch {
	case err != nil:
	case len(r.task.Routine.Steps) == 0:
		err = c.about("steps", &hintError{errors.New("there are none"), "it would do nothing, and end well; give it steps, or declare it under an if"})
	default:
		err = errors.Join(r.limitFunctions(), r.readArgs())
	}
	if len(r.functions) > 0 && r.task.Doc == "" {
		r.task.Doc = docLine(r.functions[0].fn)
	}
	if regErr := c.registering(); regErr != nil {
		c.report(regErr)
	} else if nameErr := c.l.declare(r.task); nameErr != nil {
		c.report(nameErr)
	}
	return &taskValue{task: r.task}, err
}

type routineArgs struct {
	l         *loader
	task      *plan.Task
	functions []*function
}

func (r *routineArgs) set(name string, v starlark.Value) error {
	switch name {
	case "name":
		return toTaskName(&r.task.Name, v)
	case "steps":
		return r.steps(v)
	case "args":
		return toArgs(&r.task.Routine.Args, v)
	case "uses":
		return r.use(v)
	case "timeout":
		return toTimeout(&r.task.Timeout, v)
	case "doc":
		return toDoc(&r.task.Doc, v)
	}
	panic("routine has no parameter " + name)
}

func (r *routineArgs) steps(v starlark.Value) error {
	switch v.(type) {
	case *starlark.List, starlark.Tuple:
		return eachElement(v, "steps", r.step)
	}
	return r.step(v)
}

func (r *routineArgs) step(v starlark.Value) error {
	s := plan.Step{Pos: r.task.Pos}
	if v == starlark.None {
		return errors.New("got None, want an exec, a pipeline, a task or a function; a function is given without being called, as in [f]")
	}
	if fn, ok := v.(*starlark.Function); ok {
		f, err := r.l.toFunction(fn)
		if err != nil {
			return err
		}
		if pos := f.pos(); pos != (plan.Pos{}) {
			s.Pos = pos
		}
		s.Call = &plan.Call{Name: fn.Name(), Doc: docLine(fn), Func: f}
		r.functions = append(r.functions, f)
	} else if err := toRunnable(&s, v); err != nil {
		return err
	}
	if s.Task != nil {
		if err := needed(s.Task); err != nil {
			return err
		}
	}
	if len(s.Pipeline) > 0 {
		// An exec of a standard module says nothing about the site.
		if m := r.l.byName[s.Pipeline[0].Pos.File]; m != nil && m.own() {
			s.Pos = s.Pipeline[0].Pos
		}
	}
	r.task.Routine.Steps = append(r.task.Routine.Steps, s)
	return nil
}

// use reads what the functions may run. The list is kept, so that a plan can show it.
func (r *routineArgs) use(v starlark.Value) error {
	r.task.Routine.Uses = []plan.Step{}
	return eachElement(v, "execs, pipelines and tasks", func(v starlark.Value) error {
		s := plan.Step{Pos: r.task.Pos}
		if err := toRunnable(&s, v); err != nil {
			return err
		}
		if s.Task != nil {
			if err := needed(s.Task); err != nil {
				return err
			}
		}
		r.task.Routine.Uses = append(r.task.Routine.Uses, s)
		return nil
	})
}

// readArgs reports arguments that nobody could look at.
func (r *routineArgs) readArgs() error {
	if len(r.task.Routine.Args) > 0 && len(r.functions) == 0 {
		return errors.New("args are read by functions, as ctx.args, and no step is a function")
	}
	return nil
}

// limitFunctions lets the functions run no other task than those declared.
func (r *routineArgs) limitFunctions() error {
	if r.task.Routine.Uses == nil {
		return nil
	}
	if len(r.functions) == 0 {
		return errors.New("uses says what functions may run, and no step is a function")
	}
	tasks := map[*plan.Task]bool{}
	for _, s := range r.task.Routine.Uses {
		if s.Task != nil {
			tasks[s.Task] = true
		}
	}
	for _, f := range r.functions {
		f.uses = tasks
	}
	return nil
}
