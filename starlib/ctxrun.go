package starlib

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"go.starlark.net/starlark"

	"palhm/runtime/plan"
)

func ctxRun() *builtin {
	return &builtin{
		Doc: Doc{
			Name:    "ctx.run",
			Returns: "result",
			Text: `Runs an exec, a pipeline or a task, and waits for it. The result r has

- r.ok: whether it went well; a backup whose copy is safe is well, whatever came after
- r.code: the exit code of the last stage, or of the stage that failed; None when there is none, as after a signal
- r.signal: the signal that killed it, such as "SIGKILL", or None
- r.stdout, r.stderr: what it printed, as strings; of stderr the last 64 KiB of each stage, in whole lines; of a task only what the stage at fault complained, or all stages of a result below min_size
- r.error: why it is not well, in a line, or None
- r.duration: seconds, a float
- r.stages: for each stage .argv, .ok, .code, .signal, .stderr and .duration
- r.warnings: what failed in a task when its main work was safe; palhm ends with exit code 4 then

A failure ends the function, unless check = False: then it is a value, and r.ok says so. A signal to palhm and a time limit of the
task end the function in any case.`,
			Params: []Param{
				{Name: "what", Type: "exec, pipeline or task", Doc: "the value itself, not its name"},
				{Name: "check", Type: "bool", Default: "True", KeywordOnly: true, Doc: "whether a failure ends the function"},
				{Name: "capture", Type: "string", Default: `"all"`, KeywordOnly: true, Doc: `what r.stdout keeps: "all" (more than 1 MiB is a failure), "tail" (the last 1 MiB), or "none": it is shown like that of a routine's step`},
				{Name: "stdin", Type: "string, secret or file", Default: "None", KeywordOnly: true, Doc: "what the first stage reads; None is what the exec says"},
				{Name: "timeout", Type: "duration", Default: "None", KeywordOnly: true, Doc: "None is no limit but those of the execs and of the task"},
			},
		},
		run: runCtxRun,
	}
}

func runCtxRun(c *call) (starlark.Value, error) {
	a := runArgs{check: true, options: plan.RunOptions{Pos: c.caller(), Capture: plan.CaptureAll}}
	a.step.Pos = a.options.Pos
	if err := c.unpack(a.set); err != nil {
		return nil, err
	}
	s := c.strand
	if err := s.allowed(a.step, a.options); err != nil {
		return nil, err
	}
	result, err := s.rt.Run(s.ctx, a.step, a.options)
	if ended := s.ended(err); ended != nil {
		return nil, ended
	}
	if err != nil && a.check {
		return nil, &failedCall{err: err}
	}
	return &resultValue{result, err}, nil
}

// allowed checks what a function may run, and how.
func (s *strand) allowed(step plan.Step, o plan.RunOptions) error {
	switch t := step.Task; {
	case t == nil:
		return nil
	case s.objects:
		return errTaskInGroup(t)
	case s.uses != nil && !s.uses[t]:
		return errNotInUses(t)
	case o.Stdin != nil:
		return fmt.Errorf("task %q has no stdin; its execs have", t.Name)
	}
	return nil
}

type runArgs struct {
	step    plan.Step
	check   bool
	options plan.RunOptions
}

func (a *runArgs) set(name string, v starlark.Value) error {
	switch name {
	case "what":
		return toRunnable(&a.step, v)
	case "check":
		return toBool(&a.check, v)
	case "capture":
		return toCapture(&a.options.Capture, v)
	case "stdin":
		return toStdin(&a.options.Stdin, v)
	case "timeout":
		return toTimeout(&a.options.Timeout, v)
	}
	panic("ctx.run has no parameter " + name)
}

// toRunnable reads what a routine's step or ctx.run can run. It tests for an exec before
// anything that can be called: an exec can.
func toRunnable(dst *plan.Step, v starlark.Value) error {
	switch v := v.(type) {
	case *execValue:
		dst.Pipeline = plan.Pipeline{v.e}
	case *pipelineValue:
		dst.Pipeline = v.stages
	case *dnssecValue:
		dst.DNSSEC, dst.Pos = v.check, cmp.Or(v.pos, dst.Pos)
	case *sigmaskValue:
		dst.Sigmask, dst.Pos = v.mask, cmp.Or(v.pos, dst.Pos)
	case *taskValue:
		dst.Task, dst.TaskName = v.task, v.task.Name
	case *starlark.Function:
		return fmt.Errorf("got the function %s, want an exec, a pipeline or a task; call the function: %s(ctx)", v.Name(), v.Name())
	case starlark.String:
		if strings.Contains(string(v), " ") {
			return fmt.Errorf("got %s, want an exec, a pipeline or a task%s", describe(v), callHint(v))
		}
		return fmt.Errorf("got %s, want an exec, a pipeline or a task; the value that backup(...) or routine(...) gave, not its name", describe(v))
	default:
		return fmt.Errorf("got %s, want an exec, a pipeline or a task%s", describe(v), callHint(v))
	}
	return nil
}

func toCapture(dst *plan.Capture, v starlark.Value) error {
	s, _ := starlark.AsString(v)
	switch c := plan.Capture(s); c {
	case plan.CaptureAll, plan.CaptureTail, plan.CaptureNone:
		*dst = c
		return nil
	}
	return fmt.Errorf(`got %s, want "all", "tail" or "none"`, describe(v))
}

func ctxAttempt() *builtin {
	return &builtin{
		Doc: Doc{
			Name:    "ctx.attempt",
			Returns: "result",
			Text: `Calls a function and catches its failure. The result has .ok, .value (what the function returned, or None) and .error
(why it failed, in a line, or None). A mistake in the function is such a failure too. What ends the whole run is not caught: a
signal, a time limit of the task, and ctx.skip.`,
			Signature: "ctx.attempt(fn, *args)",
			Params: []Param{
				{Name: "fn", Type: "function", Doc: "what to call"},
				{Name: "*args", Type: "any", Doc: "what to call it with"},
			},
		},
		run: func(c *call) (starlark.Value, error) {
			var fn starlark.Callable
			if err := c.unpack(func(_ string, v starlark.Value) error { return toCallable(&fn, v) }); err != nil {
				return nil, err
			}
			var args starlark.Tuple
			if len(c.args) > 1 {
				args = c.args[1:]
			}
			v, err := starlark.Call(c.thread, fn, args, nil)
			if err == nil {
				return &outcomeValue{value: v}, nil
			}
			e := c.strand.explain(err)
			ended := c.strand.ended(e)
			switch {
			case e.skip() != nil || ended != nil && errors.Is(e, context.Cause(c.strand.ctx)):
				return nil, e
			case ended != nil:
				return nil, ended
			}
			return &outcomeValue{value: starlark.None, err: e}, nil
		},
	}
}

func ctxDefer() *builtin {
	return &builtin{
		Doc: Doc{
			Name: "ctx.defer",
			Text: `Has a function called, without arguments, when this one has ended: after success, after a failure, and after a signal or a time
limit, when each deferred function has 30 seconds left. The last one deferred is the first to be called. When one fails, the routine fails.`,
			Params: []Param{{Name: "fn", Type: "function", Doc: `what to call: lambda: ctx.run(umount)`}},
		},
		run: func(c *call) (starlark.Value, error) {
			var fn starlark.Callable
			if err := c.unpack(func(_ string, v starlark.Value) error { return toThunk(&fn, v) }); err != nil {
				return nil, err
			}
			if c.strand.cleaning {
				return nil, errors.New("a deferred function cannot defer another; call it")
			}
			inv := c.strand.invocation
			inv.mu.Lock()
			defer inv.mu.Unlock()
			inv.deferred = append(inv.deferred, deferred{fn, c.aboveFor("a deferred function")})
			return starlark.None, nil
		},
	}
}

// toCallable reads a function. An exec can be called too, and is none.
func toCallable(dst *starlark.Callable, v starlark.Value) error {
	switch v := v.(type) {
	case *execValue:
		return errors.New("got an exec, want a function, such as lambda: ctx.run(...)")
	case starlark.Callable:
		*dst = v
		return nil
	}
	return fmt.Errorf("got %s, want a function, such as lambda: ctx.run(...); it is given without being called", describe(v))
}

// toThunk reads a function that is called without arguments.
func toThunk(dst *starlark.Callable, v starlark.Value) error {
	if err := toCallable(dst, v); err != nil {
		return err
	}
	fn, ok := v.(*starlark.Function)
	if !ok {
		return nil
	}
	var needs []string
	params := fn.NumParams()
	if fn.HasVarargs() {
		params--
	}
	if fn.HasKwargs() {
		params--
	}
	for i := range params {
		if name, _ := fn.Param(i); fn.ParamDefault(i) == nil {
			needs = append(needs, name)
		}
	}
	if len(needs) == 0 {
		return nil
	}
	return fmt.Errorf("got the function %s, which needs %s; write lambda: %[1]s(%[2]s)", fn.Name(), strings.Join(needs, ", "))
}
