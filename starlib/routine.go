package starlib

import (
	"cmp"
	"fmt"
	"strings"

	"go.starlark.net/starlark"

	"palhm/runtime/plan"
)

func routineBuiltin() *builtin {
	return &builtin{
		Doc: Doc{
			Name: "routine",
			Text: `Declares a task whose steps run one after the other. A step that fails ends it.
Declaring is allowed in the site file, or in a module's function that the site file calls.`,
			Params: []Param{
				{Name: "name", Type: "string", Doc: "the name of the task, for palhm run"},
				{Name: "steps", Type: "list of execs, pipelines and tasks", Doc: "or a single one"},
				{Name: "timeout", Type: "duration", Default: "None", KeywordOnly: true, Doc: "of the whole routine; None is no limit"},
				{Name: "doc", Type: "string", Default: `""`, KeywordOnly: true, Doc: "what it is for, for lists of tasks"},
			},
		},
		run:    runRoutine,
		broken: func(c *call) starlark.Value { return brokenTask(c) },
	}
}

func runRoutine(c *call) (starlark.Value, error) {
	r := routineArgs{l: c.l, task: &plan.Task{Pos: c.caller(), Routine: &plan.Routine{Steps: []plan.Step{}}}}
	err := c.unpack(r.set)
	if regErr := c.registering(); regErr != nil {
		c.report(regErr)
	} else if nameErr := c.l.declare(r.task); nameErr != nil {
		c.report(nameErr)
	}
	return &taskValue{task: r.task}, err
}

type routineArgs struct {
	l    *loader
	task *plan.Task
}

func (r *routineArgs) set(name string, v starlark.Value) error {
	switch name {
	case "name":
		return toTaskName(&r.task.Name, v)
	case "steps":
		return r.steps(v)
	case "timeout":
		return toDuration(&r.task.Timeout, v)
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

// step tests for an exec before anything that can be called: an exec can.
func (r *routineArgs) step(v starlark.Value) error {
	s := plan.Step{Pos: r.task.Pos}
	switch v := v.(type) {
	case *execValue:
		s.Pipeline = plan.Pipeline{v.e}
	case *pipelineValue:
		s.Pipeline = v.stages
	case *dnssecValue:
		s.DNSSEC, s.Pos = v.check, cmp.Or(v.pos, s.Pos)
	case *taskValue:
		s.Task, s.TaskName = v.task, v.task.Name
	case *starlark.Function:
		return fmt.Errorf("got the function %s; function steps are not available in this version", v.Name())
	case starlark.String:
		if strings.Contains(string(v), " ") {
			return fmt.Errorf("got %s, want an exec, a pipeline or a task%s", describe(v), callHint(v))
		}
		return fmt.Errorf("got %s, want an exec, a pipeline or a task: the value that backup(...) or routine(...) gave, not its name", describe(v))
	default:
		return fmt.Errorf("got %s, want an exec, a pipeline or a task%s", describe(v), callHint(v))
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
