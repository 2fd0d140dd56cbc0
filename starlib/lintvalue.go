package starlib

import (
	"errors"
	"fmt"
	"time"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"palhm/runtime/plan"
)

// lintValue looks at an argument whose value can be seen. i is the index of its
// parameter, -1 for none.
func (lt *linter) lintValue(d *Doc, i int, x syntax.Expr) {
	if i < 0 {
		return
	}
	p := d.Params[i]
	lt.warnValue(x, d.Name+": "+p.Name, lt.valueError(d, p, x))
	list, ok := x.(*syntax.ListExpr)
	if !ok || p.Type != "list of signals" {
		return
	}
	for i, e := range list.List {
		if v := literal(e); v != nil {
			_, err := toSignal(v)
			lt.warnValue(e, fmt.Sprintf("%s: %s[%d]", d.Name, p.Name, i), err)
		}
	}
}

// warnValue warns of what is wrong with a value, if anything is.
func (lt *linter) warnValue(x syntax.Expr, what string, err error) {
	if err == nil {
		return
	}
	e := &Error{Msg: err.Error()}
	e.explain(err)
	lt.warn(syntax.Start(x), what+": "+e.Msg, e.Hint)
}

// valueError reads a value as the call itself would.
func (lt *linter) valueError(d *Doc, p Param, x syntax.Expr) error {
	if d.Name == "ctx.run" && p.Name == "what" {
		return lt.runnableError(x)
	}
	v := literal(x)
	if v == nil {
		return nil
	}
	switch {
	case p.Type == "duration" && p.Name == "timeout":
		return toTimeout(new(time.Duration), v)
	case d.Name == "ctx.sleep":
		return toPause(new(time.Duration), v)
	case p.Type == "duration":
		return toDuration(new(time.Duration), v)
	case p.Type == "list of signals":
		return toSignals(new([]plan.Signal), v)
	case d.Name == "exec" && p.Name == "ec":
		return toExitCodes(new(plan.ExitCodes), v)
	case d.Name == "ctx.run" && p.Name == "capture":
		return toCapture(new(plan.Capture), v)
	case d.Name == "ctx.exists", d.Name == "ctx.read":
		return toHostPath(new(string), v)
	case d.Name == "ctx.parallel" && p.Name == "limit":
		return toBranches(new(int), v)
	}
	return nil
}

// runnableError says why a value cannot be run.
func (lt *linter) runnableError(x syntax.Expr) error {
	if s, ok := literal(x).(starlark.String); ok {
		return fmt.Errorf("got %s, want an exec, a pipeline or a task; the value that exec(...), backup(...) or routine(...) gave, not its name", describe(s))
	}
	switch g := lt.kindOf(x); g.kind {
	case functionKind, builtinKind, methodKind:
		return fmt.Errorf("got %s, want an exec, a pipeline or a task; a function is called: %s(...)", g.noun(), shortText(x))
	case groupKind, ctxKind, hostKind, argsKind, resultKind, outcomeKind:
		return fmt.Errorf("got %s, want an exec, a pipeline or a task", g.noun())
	}
	switch x.(type) {
	case *syntax.Ident:
		return lt.taskError(x)
	case *syntax.ListExpr, *syntax.TupleExpr:
		return errors.New("got a list, want an exec, a pipeline or a task; run its elements one by one")
	}
	return nil
}

// literal is the value of a literal, or nil for any other expression.
func literal(x syntax.Expr) starlark.Value {
	lit, ok := x.(*syntax.Literal)
	if !ok {
		return nil
	}
	switch v := lit.Value.(type) {
	case string:
		if lit.Token == syntax.STRING {
			return starlark.String(v)
		}
	case int64:
		return starlark.MakeInt64(v)
	case float64:
		return starlark.Float(v)
	}
	return nil
}

// lintNow warns of a value where a function is meant that is called later: what is
// written there runs at once.
func (lt *linter) lintNow(x *syntax.CallExpr, method string) {
	if len(x.Args) == 0 {
		return
	}
	switch method {
	case "ctx.defer", "ctx.attempt":
		lt.lintLater(x.Args[0], method)
	case "ctx.parallel":
		switch list := x.Args[0].(type) {
		case *syntax.ListExpr:
			for _, e := range list.List {
				lt.lintLater(e, method)
			}
		case *syntax.Comprehension:
			lt.lintLater(list.Body, method)
		}
	}
}

func (lt *linter) lintLater(x syntax.Expr, method string) {
	g := lt.kindOf(x)
	switch g.kind {
	case resultKind, outcomeKind, noneKind:
		if _, ok := x.(*syntax.CallExpr); ok {
			lt.warn(syntax.Start(x), method+" wants a function, and this call runs at once", "write lambda: "+shortText(x))
			return
		}
	case execKind, pipelineKind, taskKind:
		lt.warn(syntax.Start(x), method+" wants a function, and this is "+g.noun(), "write lambda: ctx.run("+shortText(x)+")")
	}
}
