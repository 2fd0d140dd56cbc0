package starlib

import (
	"context"
	"fmt"
	"strings"

	"go.starlark.net/starlark"

	"palhm/runtime/plan"
)

// A function is a function of the site that runs when a task runs.
type function struct {
	l    *loader
	fn   *starlark.Function
	uses map[*plan.Task]bool // the only tasks that it may run; nil = all
}

var (
	_ plan.Func        = (*function)(nil)
	_ plan.ObjectsFunc = (*function)(nil)
)

// toFunction checks that a function can be called with ctx alone.
func (l *loader) toFunction(fn *starlark.Function) (*function, error) {
	wrong := func(what string) error {
		return &placedError{
			err:   fmt.Errorf("the function %s %s; it is called with one argument, def %s(ctx)", fn.Name(), what, functionName(fn)),
			notes: []Note{{l.pos(fn.Position()), "it begins here"}},
		}
	}
	fixed := fn.NumParams() - fn.NumKwonlyParams()
	if fn.HasKwargs() {
		fixed--
	}
	if fn.HasVarargs() {
		fixed--
	}
	if fixed == 0 {
		return nil, wrong("takes no ctx")
	}
	if name, _ := fn.Param(0); name != "ctx" && !strings.HasPrefix(name, "_") {
		return nil, wrong(fmt.Sprintf("has the first parameter %s, want ctx", name))
	}
	for i := 1; i < fixed+fn.NumKwonlyParams(); i++ {
		if name, _ := fn.Param(i); fn.ParamDefault(i) == nil {
			return nil, wrong(fmt.Sprintf("needs %s besides ctx", name))
		}
	}
	l.runs(fn)
	return &function{l: l, fn: fn}, nil
}

// docLine is the first line of a function's docstring.
func docLine(fn *starlark.Function) string {
	line, _, _ := strings.Cut(strings.TrimSpace(fn.Doc()), "\n")
	return strings.TrimSpace(line)
}

func functionName(fn *starlark.Function) string {
	if fn.Name() == "lambda" {
		return "name"
	}
	return fn.Name()
}

// pos is where the function begins, or zero when that is no file of the site.
func (f *function) pos() plan.Pos {
	pos := f.l.pos(f.fn.Position())
	if m := f.l.byName[pos.File]; m != nil && m.own() {
		return pos
	}
	return plan.Pos{}
}

// Run calls the function as a step of a routine.
func (f *function) Run(ctx context.Context, rt plan.Runtime) error {
	inv := &invocation{function: f, rt: rt}
	result, err := inv.run(ctx)
	if err != nil {
		return err
	}
	if result == starlark.False {
		return f.l.wrongResult(f.fn, "returned False, which means nothing here; ctx.fail(text) ends a routine as a failure")
	}
	if wrong := f.l.unseen(f.fn, result); wrong != nil {
		return wrong
	}
	return nil
}

// unseen finds a failure, or what was never run, in the result of a function at which
// nobody will look. It returns nil when there is none.
func (l *loader) unseen(fn *starlark.Function, result starlark.Value) *Error {
	if e := l.neverRan(fn, result); e != nil {
		return e
	}
	for _, v := range parts(result) {
		var failed error
		var why string
		switch v := v.(type) {
		case *resultValue:
			if v.err != nil {
				failed, why = v.err, firstLine(v.err)
			}
		case *outcomeValue:
			if v.err != nil {
				failed, why = v.err, v.err.Msg
			}
		}
		if failed != nil {
			e := l.wrongResult(fn, "returned a result that is not ok")
			e.Msg, e.Hint, e.cause = e.Msg+": "+why, "a failure that does not matter is not returned; without check = False it ends the function", failed
			return e
		}
	}
	return nil
}

// neverRan finds what was never run, and looks as if it was, in a function's result.
func (l *loader) neverRan(fn *starlark.Function, result starlark.Value) *Error {
	for _, v := range parts(result) {
		switch v.(type) {
		case *execValue, *pipelineValue, *taskValue, *dnssecValue, *sigmaskValue:
			return l.wrongResult(fn, fmt.Sprintf("returned %s, which has not been run; ctx.run(...) runs it", describe(v)))
		}
	}
	return nil
}

// Objects calls the function for the objects of a group.
func (f *function) Objects(ctx context.Context, rt plan.Runtime) ([]*plan.Object, error) {
	inv := &invocation{function: f, rt: rt, objects: true}
	result, err := inv.run(ctx)
	if err != nil {
		return nil, err
	}
	if result == starlark.None {
		return nil, f.l.wrongResult(f.fn, "returned None, want a list of objects; a function ends with return, and [] is a list without any")
	}
	var list []*objectValue
	if err := toObjects(&list, result); err != nil {
		return nil, f.l.wrongResult(f.fn, "returned what is no list of objects: "+firstLine(err))
	}
	objects := make([]*plan.Object, len(list))
	for i, o := range list {
		objects[i] = o.o
	}
	return objects, nil
}

// wrongResult is an error about what a function returned.
func (l *loader) wrongResult(fn *starlark.Function, text string) *Error {
	return l.blameFunction(fn, fmt.Sprintf("the function %s %s", fn.Name(), text))
}

// blameFunction makes an error that is placed where a function begins.
func (l *loader) blameFunction(fn *starlark.Function, text string) *Error {
	e := &Error{Pos: l.pos(fn.Position())}
	if m := l.byName[e.Pos.File]; m != nil {
		e.source = m.line(e.Pos.Line)
	}
	e.Msg, e.Hint = cutHint(text)
	return e
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
