package starlib

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
	"go.starlark.net/syntax"
)

// noun names the sort of a value, for a sentence.
func noun(v starlark.Value) string {
	switch v := v.(type) {
	case *execValue, *pipelineValue:
		return "a command"
	case *outcomeValue:
		return "a result"
	case *ctxValue, *factsValue:
		return v.Type()
	case *argsStandIn:
		return "ctx.args"
	case starlark.Callable:
		if v.Name() == "lambda" {
			return "a lambda"
		}
		return "the function " + v.Name()
	}
	return describeSort(v)
}

func isText(v starlark.Value) bool {
	_, ok := v.(starlark.String)
	return ok
}

// isCommand reports whether a value is what a process is made of.
func isCommand(v starlark.Value) bool {
	switch v.(type) {
	case *execValue, *pipelineValue:
		return true
	}
	return false
}

func isResult(v starlark.Value) bool {
	switch v.(type) {
	case *resultValue, *outcomeValue:
		return true
	}
	return false
}

func isStruct(v starlark.Value) bool {
	_, ok := v.(*starlarkstruct.Struct)
	return ok
}

func isTask(v starlark.Value) bool {
	_, ok := v.(*taskValue)
	return ok
}

func isFunction(v starlark.Value) bool {
	_, ok := v.(starlark.Callable)
	return ok && !isCommand(v) && v != starlark.Value(unknown)
}

// lintTruth warns of a condition that is always true, because it is not the answer but
// what would have to be asked.
func (lt *linter) lintTruth(x syntax.Expr, op syntax.Token) {
	switch e := x.(type) {
	case *syntax.ParenExpr:
		lt.lintTruth(e.X, op)
		return
	case *syntax.BinaryExpr:
		if e.Op == syntax.AND || e.Op == syntax.OR {
			lt.lintTruth(e.Y, e.Op) // its left side is looked at on its own
			return
		}
	}
	value := lt.seen[x]
	if !value.known() || value.has(starlark.None) {
		return // the question is whether it is None
	}
	sees := fmt.Sprintf("%q sees %s", op.String(), noun(value[0]))
	switch {
	case value.all(isCommand) && lt.functionOf(x) == nil:
		lt.warn(syntax.Start(x), sees+", not its result: a command is always true while the site loads", "use | or a routine's steps")
	case value.all(isCommand):
		lt.warn(syntax.Start(x), sees+", not its result: a command is always true", "whether it goes well is ctx.run(..., check = False).ok")
	case value.all(isStruct):
		lt.warn(syntax.Start(x), sees+", which is always true", "which of its fields is meant?")
	case value.all(isTask):
		lt.warn(syntax.Start(x), sees+", which is always true", "whether it goes well is ctx.run(..., check = False).ok")
	case value.all(isResult):
		lt.warn(syntax.Start(x), sees+", which is always true", "write "+shortText(x)+".ok")
	case value.all(isFunction):
		lt.warn(syntax.Start(x), sees+", which is always true", "call it: "+shortText(x)+"(...)")
	}
}

// lintEqual warns of a value that is compared with what it never equals.
func (lt *linter) lintEqual(x *syntax.BinaryExpr) {
	for _, sides := range [][2]syntax.Expr{{x.X, x.Y}, {x.Y, x.X}} {
		value, constant := lt.seen[sides[0]], lt.exact(sides[1])
		if constant == nil || constant == starlark.None || !value.known() || value.has(starlark.None) && len(value) == 1 {
			continue
		}
		if (value.all(isResult) || value.all(isCommand)) && !value.has(starlark.None) {
			lt.warn(syntax.Start(sides[0]), fmt.Sprintf("%q compares %s, which never equals this", x.Op.String(), noun(value[0])), "compare .ok, .code or .stdout of what ctx.run(...) gives")
		} else if value.all(isFunction) && !value.has(starlark.None) {
			lt.warn(syntax.Start(sides[0]), fmt.Sprintf("%q compares %s, which never equals this", x.Op.String(), noun(value[0])), "call it: "+shortText(sides[0])+"(...)")
		} else if lt.isFact(sides[0]) && value.all(func(v starlark.Value) bool { return differ(v, constant) }) {
			lt.warn(syntax.Start(sides[0]), fmt.Sprintf("%q compares %s with %s, which it never equals", x.Op.String(), noun(value.notNone()[0]), noun(constant)), "")
		}
	}
}

// isFact reports whether an expression is what a built-in gives or has, and not what the
// site hands on, which other code may give values of other sorts.
func (lt *linter) isFact(x syntax.Expr) bool {
	switch x := x.(type) {
	case *syntax.DotExpr:
		return lt.seen[x.X].all(isResult)
	case *syntax.CallExpr:
		return lt.seen[x.Fn].all(func(v starlark.Value) bool { _, ok := v.(*starlark.Builtin); return ok })
	}
	return false
}

// differ reports whether two values are of sorts that never equal each other.
func differ(a, b starlark.Value) bool {
	number := func(v starlark.Value) bool { return v.Type() == "int" || v.Type() == "float" }
	scalar := func(v starlark.Value) bool { return number(v) || v.Type() == "string" || v.Type() == "bool" }
	return scalar(a) && scalar(b) && a.Type() != b.Type() && !(number(a) && number(b))
}

// shortText writes a name or an attribute as it stands, and anything longer as dots.
func shortText(x syntax.Expr) string {
	switch x := x.(type) {
	case *syntax.Ident:
		return x.Name
	case *syntax.DotExpr:
		return shortText(x.X) + "." + x.Name.Name
	case *syntax.CallExpr:
		return shortText(x.Fn) + "(...)"
	}
	return "..."
}

// lintDropped warns of a value that is made and thrown away.
func (lt *linter) lintDropped(stmt *syntax.ExprStmt, value some) {
	at := syntax.Start(stmt.X)
	switch x := stmt.X.(type) {
	case *syntax.BinaryExpr:
		switch {
		case value.all(isCommand):
			lt.warnCommand(stmt)
		case x.Op != syntax.AND && x.Op != syntax.OR:
			lt.warn(at, thrownAway, missingInFront)
		}
	case *syntax.UnaryExpr:
		lt.warn(at, thrownAway, missingInFront)
	case *syntax.Literal:
		if x.Token != syntax.STRING {
			lt.warn(at, thrownAway, missingInFront)
		}
	case *syntax.ListExpr, *syntax.DictExpr, *syntax.Comprehension:
		if lt.pure(x) {
			lt.warn(at, thrownAway, missingInFront)
		}
	case *syntax.CallExpr:
		lt.lintDroppedCall(stmt, x, value)
	case *syntax.Ident, *syntax.DotExpr:
		switch {
		case lt.functionOf(stmt) == nil && !value.all(isFunction):
		case value.all(isFunction):
			lt.warn(at, "this does nothing", "call it: "+shortText(x)+"(...)")
		case value.all(isCommand), value.all(isTask):
			lt.warn(at, "this does nothing", "ctx.run("+shortText(x)+") runs it")
		case value.known() && !hasCall(x):
			lt.warn(at, "this does nothing", missingInFront)
		}
	}
}

func hasCall(x syntax.Expr) (found bool) {
	syntax.Walk(x, func(n syntax.Node) bool {
		_, call := n.(*syntax.CallExpr)
		found = found || call
		return !found
	})
	return found
}

func (lt *linter) lintDroppedCall(stmt *syntax.ExprStmt, x *syntax.CallExpr, value some) {
	at := syntax.Start(stmt.X)
	callee := lt.seen[x.Fn]
	if !callee.known() || len(callee) > 1 {
		return
	}
	fn, _ := callee[0].(*starlark.Builtin)
	b := lt.builtins[fn]
	switch {
	case fn == nil:
		if f, ok := callee[0].(*lintFunction); value.all(isCommand) && (!ok || onlyGives(f.fn)) {
			lt.warnCommand(stmt)
		}
	case b == nil && value.known() && isText(fn.Receiver()) && !mayFail[fn.Name()]:
		lt.warn(at, thrownAway, "a string never changes; write name = "+shortText(x))
	case b == nil && value.known() && lt.pure(x):
		lt.warn(at, thrownAway, missingInFront)
	case b == nil:
	case value.all(isCommand), value.all(func(v starlark.Value) bool { _, ok := v.(*dnssecValue); return ok }):
		lt.warnCommand(stmt)
	case b.Name == "ctx.run" && unchecked(x):
		lt.warn(at, "this result is never looked at, so a failure goes unseen", "look at its .ok, or write _ = ctx.run(...) when a failure does not matter")
	case b.broken != nil && b.loading == "" && value.known() && value[0] != starlark.None && lt.functionOf(stmt) != nil:
		lt.warn(at, thrownAway, missingInFront)
	}
}

const (
	thrownAway     = "what comes of this is thrown away"
	missingInFront = "is a name or a return missing in front of it?"
)

// mayFail are functions of Starlark's own that are also called to see whether they fail.
var mayFail = map[string]bool{"index": true, "rindex": true, "int": true, "float": true, "json.decode": true, "format": true, "getattr": true, "ord": true, "chr": true}

// pure reports whether an expression does nothing but give a value.
func (lt *linter) pure(x syntax.Expr) bool {
	does := false
	syntax.Walk(x, func(n syntax.Node) bool {
		if c, ok := n.(*syntax.CallExpr); ok {
			does = does || !lt.pureCall(c)
		}
		return !does
	})
	return !does
}

func (lt *linter) pureCall(c *syntax.CallExpr) bool {
	callee := lt.seen[c.Fn]
	if len(callee) != 1 {
		return false
	}
	fn, ok := callee[0].(*starlark.Builtin)
	if !ok || lt.builtins[fn] != nil || mayFail[fn.Name()] || fn.Name() == "fail" || fn.Name() == "print" {
		return false
	}
	return fn.Receiver() == nil || isText(fn.Receiver()) // a method of a list may change it
}

// onlyGives reports whether a function does nothing but return a value.
func onlyGives(fn *lintFunc) bool {
	does := false
	syntax.Walk(fn.node, func(n syntax.Node) bool {
		if s, ok := n.(*syntax.ExprStmt); ok {
			_, text := s.X.(*syntax.Literal)
			does = does || !text
		}
		return !does
	})
	return !does
}

func (lt *linter) warnCommand(stmt *syntax.ExprStmt) {
	if lt.seesContext(stmt) {
		lt.warn(syntax.Start(stmt.X), "this command is never run", "ctx.run(...) runs it")
		return
	}
	lt.warn(syntax.Start(stmt.X), "this command is never used", "give it to an object or to a routine")
}

func (lt *linter) takesContext(fn *lintFunc) bool {
	return slices.ContainsFunc(fn.vars, func(v *variable) bool { return v.is.has(lt.context) })
}

// seesContext reports whether a function around a node gets ctx.
func (lt *linter) seesContext(n syntax.Node) bool {
	for fn := lt.functionOf(n); fn != nil; fn = lt.functionOf(fn.node) {
		if lt.takesContext(fn) {
			return true
		}
	}
	return false
}

// unchecked reports whether a call of ctx.run says check = False.
func unchecked(x *syntax.CallExpr) bool {
	for _, a := range x.Args {
		if kw, ok := keywordArg(a); ok && kw.X.(*syntax.Ident).Name == "check" {
			id, ok := kw.Y.(*syntax.Ident)
			return ok && id.Name == "False"
		}
	}
	return false
}

// lintReturn warns of what a step returns as if that did something.
func (lt *linter) lintReturn(fn *lintFunc, x syntax.Expr, value some) {
	if x == nil || len(lt.routines[fn]) == 0 {
		return
	}
	switch {
	case (value.all(isCommand) || value.all(isTask)) && !value.has(starlark.None):
		lt.warn(syntax.Start(x), "the step returns "+noun(value[0])+", which has not been run", "ctx.run(...) runs it")
	case lt.exact(x) == starlark.False:
		lt.warn(syntax.Start(x), "the step returns False, which means nothing here", "ctx.fail(text) ends a routine as a failure")
	case lt.mayHaveFailed(x):
		lt.warn(syntax.Start(x), "the step returns a result, and one that is not ok makes it fail", "a failure that does not matter is not returned; without check = False it ends the function")
	}
}

// mayHaveFailed reports whether an expression is a result that nobody has looked at, or
// a list of such.
func (lt *linter) mayHaveFailed(x syntax.Expr) bool {
	switch x := x.(type) {
	case *syntax.ParenExpr:
		return lt.mayHaveFailed(x.X)
	case *syntax.ListExpr:
		return slices.ContainsFunc(x.List, lt.mayHaveFailed)
	case *syntax.TupleExpr:
		return slices.ContainsFunc(x.List, lt.mayHaveFailed)
	case *syntax.Comprehension:
		return lt.mayHaveFailed(x.Body)
	case *syntax.Ident:
		v := lt.known(x)
		return v != nil && !v.opaque && len(v.sources) == 1 && len(v.bound) == 1 && len(v.read) == 1 && lt.mayHaveFailed(v.sources[0])
	case *syntax.CallExpr:
		name := lt.calls(x)
		return name == "ctx.attempt" || name == "ctx.run" && unchecked(x)
	}
	return false
}

// lintLater warns of a function that is called for nothing: it returns a command, and
// nobody looks at that.
func (lt *linter) lintLater(x *syntax.CallExpr, name string, args []actual) {
	_, dropped := lt.parents[x].(*syntax.ExprStmt)
	if len(args) == 0 || name != "ctx.defer" && !dropped {
		return
	}
	fns := args[0].value
	if name == "ctx.parallel" && len(fns) == 1 {
		fns, _ = iterate(fns[0])
	}
	for _, v := range fns {
		f, ok := v.(*lintFunction)
		if !ok || f.fn.is.has(starlark.None) {
			continue
		}
		if is := f.fn.is; is.all(isCommand) || is.all(isTask) {
			lt.warn(syntax.Start(args[0].x), "the function returns "+noun(is[0])+", which is never run", "ctx.run(...) runs it")
		}
	}
}

// lintAttribute warns of what a value does not have.
func (lt *linter) lintAttribute(x *syntax.DotExpr, of some) {
	v, name := of[0], x.Name.Name
	var names []string
	switch v := v.(type) {
	case *argsStandIn:
		names = lt.argNames(x)
		if len(names) == 0 {
			lt.warn(x.Name.NamePos, noun(v)+" has no "+name, fmt.Sprintf(`declare it: routine(..., args = {"%s": "default"})`, name))
			return
		}
	case starlark.HasAttrs:
		names = v.AttrNames()
	}
	hint := "it has " + joinWords(names)
	switch n := Nearest(name, names); {
	case n != "":
		hint = fmt.Sprintf("did you mean %s?", n)
	case (isCommand(v) || isTask(v)) && slices.Contains((&resultValue{}).AttrNames(), name):
		hint = "what it comes to is known when it has run: ctx.run(...)." + name
	case isResult(v) && slices.Contains(aText.AttrNames(), name):
		hint = fmt.Sprintf("a string is in .stdout: %s.stdout.%s", shortText(x.X), name)
	case v == starlark.None:
		hint = "does a function end without a return?"
	case isFunction(v):
		hint = "call it: " + shortText(x.X) + "(...)." + name
	case len(names) == 0 || len(names) > 20:
		hint = ""
	}
	lt.warn(x.Name.NamePos, noun(v)+" has no "+name, hint)
}

// noFunction finds what is wrong with a call of what is no function.
func (lt *linter) noFunction(x *syntax.CallExpr, v starlark.Value) []*Error {
	dot, ok := x.Fn.(*syntax.DotExpr)
	if ok && v != starlark.None && lt.seen[dot.X].all(isResult) {
		return []*Error{lt.at(syntax.Start(x.Fn), shortText(x.Fn)+" is not a function", "write it without ()")}
	}
	return []*Error{lt.at(syntax.Start(x.Fn), noun(v)+" is not a function", "")}
}

// lintElements warns of a loop over a value that has no elements.
func (lt *linter) lintElements(x syntax.Expr, v starlark.Value) {
	hint := ""
	switch {
	case isText(v):
		hint = "write " + shortText(x) + ".splitlines()"
	case isResult(v):
		hint = "write " + shortText(x) + ".stdout.splitlines()"
	case v.Type() == "int":
		hint = "write range(...)"
	case isFunction(v):
		hint = "call it: " + shortText(x) + "(...)"
	}
	lt.warn(syntax.Start(x), noun(v)+" has no elements", hint)
}

// lintIndex warns of an index of what has no elements.
func (lt *linter) lintIndex(x *syntax.IndexExpr, v starlark.Value) {
	if _, ok := v.(starlark.Indexable); ok {
		lt.warn(syntax.Start(x.Y), noun(v)+" is indexed by a number", "")
		return
	}
	lt.warn(syntax.Start(x), noun(v)+" has no elements", "")
}

// lintOperation warns of an operator that two values do not have.
func (lt *linter) lintOperation(at syntax.Expr, x, y starlark.Value, err error) {
	op := ""
	if b, ok := at.(*syntax.BinaryExpr); ok {
		op, at = b.Op.String(), b.X
	}
	msg, hint := fmt.Sprintf("%q is not defined for %s and %s", op, noun(x), noun(y)), ""
	var known *hintError
	switch {
	case errors.As(err, &known):
		msg, hint = known.Error(), known.hint
	case isResult(x) || isResult(y):
		hint = "what a command has printed is in .stdout"
	case isFunction(x) || isFunction(y):
		hint = "a function is called: name()"
	case isText(x) != isText(y) && op == "+":
		hint = "str(...) makes a string of a number"
	}
	lt.warn(syntax.Start(at), msg, hint)
}

// lintFormat plays "..." % values, where the format can be seen.
func (lt *linter) lintFormat(x *syntax.BinaryExpr) bool {
	format, ok := literal(x.X).(starlark.String)
	if !ok || x.Op != syntax.PERCENT {
		return false
	}
	values := lt.eval(x.Y).notNone()
	if strings.Contains(string(format), "%(") || strings.Contains(string(format), "%c") {
		return true // it depends on the content
	}
	lt.lintPrinted(x.Y)
	var failed error
	for _, v := range values {
		_, err := starlark.Binary(x.Op, format, v)
		if err == nil || v == starlark.Value(unknown) || strings.Contains(err.Error(), unknownMark) {
			return true
		}
		failed = err
	}
	if failed != nil {
		lt.warn(syntax.Start(x), failed.Error(), "")
	}
	return true
}

// lintPrinted warns of a function that is printed in place of what it gives.
func (lt *linter) lintPrinted(x syntax.Expr) {
	switch x := x.(type) {
	case *syntax.ParenExpr:
		lt.lintPrinted(x.X)
		return
	case *syntax.TupleExpr:
		for _, e := range x.List {
			lt.lintPrinted(e)
		}
		return
	}
	if value := lt.seen[x]; value.all(isFunction) {
		lt.warn(syntax.Start(x), fmt.Sprintf("%q prints %s, not what it gives", "%", noun(value[0])), "call it: "+shortText(x)+"(...)")
	}
}

// lintMember warns of a function that is sought among values that are none.
func (lt *linter) lintMember(x syntax.Expr, in some) {
	value := lt.seen[x]
	if !value.all(isFunction) || len(in) != 1 {
		return
	}
	if each, ok := iterate(in[0]); ok && each.known() && !slices.ContainsFunc(each, isFunction) {
		lt.warn(syntax.Start(x), "this is "+noun(value[0])+", which is not among them", "call it: "+shortText(x)+"(...)")
	}
}

// lintLocals warns of variables of a function that nothing reads. Those that come
// with others, as in "for i in ..." or "a, b = ...", often have to be there.
func (lt *linter) lintLocals(fn *lintFunc) {
	for _, v := range fn.locals {
		if v == nil || v.owner != nil || v.opaque || len(v.read) > 0 || len(v.bound) == 0 || v.name[0] == '_' && !v.is.all(isCommand) {
			continue
		}
		msg, hint := v.name+" is never used", "a name that begins with _ says that this is meant"
		switch {
		case v.is.all(isCommand) && lt.seesContext(v.bound[0]):
			msg, hint = msg+", so this command is never run", "ctx.run("+v.name+") runs it"
		case v.is.all(isFunction):
			hint = "call it: " + v.name + "(...)"
		}
		lt.warn(v.bound[0].NamePos, msg, hint)
	}
}

// lintLoads warns of what is loaded for nothing.
func (lt *linter) lintLoads(f *lintFile) {
	for _, stmt := range f.tree.Stmts {
		load, ok := stmt.(*syntax.LoadStmt)
		if !ok {
			continue
		}
		for _, to := range load.To {
			if v := lt.variable(f, to); v != nil && len(v.read) == 0 {
				lt.warn(to.NamePos, to.Name+" is loaded and never used", "")
			}
		}
	}
}

// lintMaker warns of a function that gives a group no objects, ever.
func (lt *linter) lintMaker(fn *lintFunc) {
	if lt.makers[fn] && len(fn.is) == 1 && fn.is[0] == starlark.None {
		lt.warn(functionStart(fn.node), "this gives a group its objects, and never returns any", "a function ends with return, and [] is a list without any")
	}
}

// exact is the value of an expression that is the same at every call, or nil.
func (lt *linter) exact(x syntax.Expr) starlark.Value {
	switch x := x.(type) {
	case *syntax.ParenExpr:
		return lt.exact(x.X)
	case *syntax.Literal:
		return literal(x)
	case *syntax.Ident:
		b, ok := x.Binding.(*resolve.Binding)
		if ok && b.Scope == resolve.Universal && slices.Contains([]string{"True", "False", "None"}, x.Name) {
			return starlark.Universe[x.Name]
		}
	}
	return nil
}
