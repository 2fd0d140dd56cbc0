package starlib

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"palhm/runtime/plan"
)

// A trial hands the arguments of a call to what is called, which reads them and does
// nothing else, and says what that says.
type trial struct {
	*linter
	x    *syntax.CallExpr
	b    *builtin
	args []actual
	hint string // how it is called

	wrong []*Error
}

// read finds what is wrong with the arguments.
func (lt *trial) read() {
	x, b := lt.x, lt.b
	if b.loading != "" && lt.seesContext(x) {
		lt.found(syntax.Start(x), b.Name+" is for while the site loads, and this is a function that runs later", b.loading)
	}
	if fn := lt.taskFunction(x); b.Name == "ctx.skip" && fn != nil && lt.makers[fn] {
		lt.foundError(x, "ctx.skip", errSkipInGroup)
	}
	if b.Name == "ctx.attempt" && len(x.Args) > 0 {
		lt.readAttempt()
	}
	if b.Name == "exec" {
		lt.readShell()
	}
	whatever := lt.try(-1, nil)
	for _, err := range whatever {
		lt.foundArgument(nil, err)
	}
	for i, a := range lt.args {
		p := b.paramOf(i, a)
		if p == nil || a.spread || !a.value.known() {
			continue
		}
		if p.Name == "ctx" && a.value.all(lt.isNoContext) {
			lt.found(syntax.Start(a.x), fmt.Sprintf("%s: ctx: got %s, want ctx", b.Name, noun(a.value.notNone()[0])), lt.hint)
		}
		var refused []error
		for _, v := range lt.readable(a, p) {
			refused = slices.DeleteFunc(lt.try(i, v), func(err error) bool { return contains(whatever, err) })
			if len(refused) == 0 {
				break
			}
		}
		for _, err := range refused {
			lt.foundArgument(a.x, err)
		}
		if b.Name == "ctx.run" && p.Name == "what" && len(refused) == 0 {
			lt.foundError(a.x, "ctx.run: what", lt.taskError(a.x))
		}
	}
}

// isNoContext reports whether a value is of a sort that surely is not ctx, nor what a
// function would name so.
func (lt *linter) isNoContext(v starlark.Value) bool {
	switch v.(type) {
	case starlark.String, starlark.Int, starlark.Bool, *starlark.List, *starlark.Dict:
		return true
	}
	return isCommand(v) || isResult(v) || isTask(v)
}

// readAttempt finds what is wrong with the arguments that ctx.attempt hands on.
func (lt *trial) readAttempt() {
	fn, ok := lt.args[0].value, len(lt.args[0].value) == 1
	if f, isFunction := fn[0].(*lintFunction); ok && isFunction {
		inner := trial{
			linter: lt.linter, x: &syntax.CallExpr{Fn: lt.x.Args[0], Lparen: lt.x.Lparen, Args: lt.x.Args[1:], Rparen: lt.x.Rparen},
			b: f.fn.builtin(), args: lt.args[1:], hint: f.fn.hint(),
		}
		inner.read()
		lt.wrong = append(lt.wrong, inner.wrong...)
	}
}

// readShell finds arguments that only a shell would understand.
func (lt *trial) readShell() {
	e := &plan.Exec{Pos: lt.l.pos(syntax.Start(lt.x)), Argv: []string{shortText(lt.x.Fn)}}
	if id, ok := lt.x.Fn.(*syntax.Ident); ok && lt.known(id) == nil { // exec itself
		e.Argv = nil
	}
	for _, a := range lt.args {
		word, ok := lt.exact(a.x).(starlark.String)
		if !ok {
			word = "-" // and what follows may belong to it
		}
		if a.name == "" && !a.spread {
			e.Argv = append(e.Argv, string(word))
		}
	}
	if len(e.Argv) > 0 {
		lt.l.lintShell(e)
	}
}

func contains(list []error, err error) bool {
	return slices.ContainsFunc(list, func(e error) bool { return e.Error() == err.Error() })
}

// paramOf is the parameter that takes an argument, or nil.
func (b *builtin) paramOf(i int, a actual) *Param {
	if a.name != "" {
		i = (&call{b: b}).param(a.name)
	} else if star := b.star(); star >= 0 && i > star {
		i = star
	}
	if i < 0 || i >= len(b.Params) {
		return nil
	}
	return &b.Params[i]
}

// try calls a built-in with one argument that is known, and all others unknown. With none
// known it says whether the arguments fit the parameters at all. Nothing is done: a call
// that is tried ends when its arguments are read.
func (lt *trial) try(known int, v starlark.Value) (errs []error) {
	c := &call{l: lt.scratch, b: lt.b, thread: &starlark.Thread{}, name: lt.b.Name, tried: &tried{at: lt.l.pos(syntax.Start(lt.x))}}
	spread := false
	for i, a := range lt.args {
		value := starlark.Value(unknown)
		if i == known {
			value = v
		}
		switch {
		case a.spread:
			spread = true
		case a.name != "":
			c.kwargs = append(c.kwargs, starlark.Tuple{starlark.String(a.name), value})
		default:
			c.args = append(c.args, value)
		}
	}
	defer func() {
		if recover() != nil {
			errs = nil // a reader that takes more for granted; the call itself will tell
		}
	}()
	if _, err := lt.b.run(c); err != nil && !errors.Is(err, errReported) {
		c.report(err)
	}
	return slices.DeleteFunc(c.tried.errs, func(err error) bool {
		var arg *argError
		return strings.Contains(err.Error(), unknownMark) || spread && !errors.As(err, &arg)
	})
}

// tried collects what is wrong with the arguments of a call that is not made.
type tried struct {
	at   plan.Pos
	errs []error
}

// readable gives the values of an argument that a built-in can read, for each sort: the
// value itself where it stands in the text, and else what all of its sort have in common.
func (lt *linter) readable(a actual, p *Param) []starlark.Value {
	if v := lt.exact(a.x); v != nil {
		return []starlark.Value{v}
	}
	var all []starlark.Value
	for _, v := range a.value.notNone() {
		if contentDecides(v, p.Type) {
			v = unknown
		} else {
			v = lt.whole(v)
		}
		all = append(all, v)
	}
	if len(all) == 1 {
		if list := lt.display(a.x); list != nil {
			return []starlark.Value{list}
		}
	}
	return all
}

// display is a list or tuple that stands in the text, with what is known of each element.
func (lt *linter) display(x syntax.Expr) starlark.Value {
	var list []syntax.Expr
	switch x := x.(type) {
	case *syntax.ListExpr:
		list = x.List
	case *syntax.TupleExpr:
		list = x.List
	default:
		return nil
	}
	var all []starlark.Value
	for _, e := range list {
		v := lt.exact(e)
		if v == nil {
			v = lt.display(e)
		}
		if known := lt.seen[e].notNone(); v == nil && len(known) == 1 {
			v = lt.element(known[0])
		}
		if v == nil {
			v = unknown
		}
		all = append(all, v)
	}
	return starlark.NewList(all)
}

var (
	containerWords = regexp.MustCompile(`(list|dict) of [^,]*`)
	takesText      = regexp.MustCompile(`string|duration|size|any`)
	takesNumber    = regexp.MustCompile(`\bint\b|size|number|any`)
)

// contentDecides reports whether a parameter takes some values of a sort and not others.
func contentDecides(v starlark.Value, words string) bool {
	words = containerWords.ReplaceAllString(words, "")
	switch v.(type) {
	case starlark.String:
		return takesText.MatchString(words)
	case starlark.Int, starlark.Float:
		return takesNumber.MatchString(words)
	}
	return false
}

// element is what a built-in can read of an element of a list or a dict.
func (lt *linter) element(v starlark.Value) starlark.Value {
	switch v.(type) {
	case starlark.String, starlark.Int, starlark.Float:
		return unknown
	}
	return lt.whole(v)
}

// whole is a stand-in with everything in it that a built-in can read.
func (lt *linter) whole(v starlark.Value) starlark.Value {
	switch v := v.(type) {
	case *starlark.List:
		list := elements(v)
		if len(list) != 1 {
			list = anything
		}
		return starlark.NewList([]starlark.Value{lt.element(list[0])})
	case starlark.Tuple:
		list := make(starlark.Tuple, len(v))
		for i, e := range v {
			list[i] = lt.element(e)
		}
		return list
	case *starlark.Dict:
		dict := starlark.NewDict(1)
		if values := dictValues(v); len(values) == 1 {
			dict.SetKey(unknown, lt.element(values[0])) //nolint:errcheck // it can be hashed
		}
		return dict
	case *lintFunction:
		return v.fn.value()
	}
	return v
}

// value makes a function with the parameters of one of the text.
func (fn *lintFunc) value() starlark.Value {
	params := make([]string, len(fn.params))
	starred := false
	for i, p := range fn.params {
		if p.KeywordOnly && !starred {
			params[i] = "*, "
		}
		starred = starred || p.KeywordOnly || p.Name[0] == '*'
		params[i] += p.Name
		if p.Default != "" {
			params[i] += " = None"
		}
	}
	text := "def " + fn.name + "(" + strings.Join(params, ", ") + "): pass"
	if fn.name == "lambda" {
		text = "f = lambda " + strings.Join(params, ", ") + ": None"
	}
	globals, err := starlark.ExecFileOptions(dialect, &starlark.Thread{}, "", text, nil)
	if err != nil {
		return unknown
	}
	for _, v := range globals {
		return v
	}
	return unknown
}

// foundArgument notes what is wrong with an argument, or with all together.
func (lt *trial) foundArgument(value syntax.Expr, err error) {
	at, msg := syntax.Start(lt.x.Fn), err.Error()
	var arg *argError
	if errors.As(err, &arg) {
		msg = arg.message()
		if p, ok := argPos(lt.x, arg); ok {
			at = p
		}
	}
	e := &Error{Msg: lt.b.Name + ": " + msg}
	e.explain(err)
	if p := lt.b.paramByName(arg); p != nil && strings.Contains(p.Type, "function") {
		if inner := culprit(value, err); inner != nil {
			lt.explainLater(e, lt.b.Name, inner)
		}
	}
	lt.found(at, e.Msg, cmp.Or(e.Hint, lt.hint))
}

func (b *builtin) paramByName(arg *argError) *Param {
	if arg == nil {
		return nil
	}
	for i, p := range b.Params {
		if p.Name == arg.param {
			return &b.Params[i]
		}
	}
	return nil
}

// culprit is the part of an argument that an error is about.
func culprit(x syntax.Expr, err error) syntax.Expr {
	var element *elementError
	if !errors.As(err, &element) {
		return x
	}
	switch x := x.(type) {
	case *syntax.ListExpr:
		if element.index < len(x.List) {
			return x.List[element.index]
		}
	case *syntax.Comprehension:
		return x.Body
	}
	return nil
}

// explainLater says how a function is given that is called later: what is written in its
// place runs at once.
func (lt *trial) explainLater(e *Error, name string, x syntax.Expr) {
	value := lt.seen[x]
	switch _, isCall := x.(*syntax.CallExpr); {
	case value.all(isCommand), value.all(isTask):
		e.Msg, e.Hint = name+" wants a function, and this is "+noun(value[0]), "write lambda: ctx.run("+shortText(x)+")"
	case isCall:
		e.Msg, e.Hint = name+" wants a function, and this call runs at once", "write lambda: "+shortText(x)
	}
}

// foundError notes what an error says of a value, if there is one.
func (lt *trial) foundError(x syntax.Expr, what string, err error) {
	if err == nil {
		return
	}
	e := &Error{Msg: err.Error()}
	e.explain(err)
	lt.found(syntax.Start(x), what+": "+e.Msg, e.Hint)
}

func (lt *trial) found(at syntax.Position, msg, hint string) {
	lt.wrong = append(lt.wrong, lt.at(at, msg, hint))
}
