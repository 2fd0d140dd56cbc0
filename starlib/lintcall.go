package starlib

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"palhm/runtime/plan"
)

// lintFunction stands for a function of the text.
type lintFunction struct {
	lt *linter
	fn *lintFunc
}

var _ starlark.Callable = (*lintFunction)(nil)

func (f *lintFunction) String() string        { return f.fn.name }
func (f *lintFunction) Type() string          { return "function" }
func (f *lintFunction) Name() string          { return f.fn.name }
func (f *lintFunction) Freeze()               {}
func (f *lintFunction) Truth() starlark.Bool  { return true }
func (f *lintFunction) Hash() (uint32, error) { return 0, nil }

// CallInternal is how Starlark's own functions call it, as sorted does its key.
func (f *lintFunction) CallInternal(_ *starlark.Thread, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	actuals := make([]actual, len(args))
	for i, v := range args {
		actuals[i].value = some{general(v)}
	}
	if result := f.lt.enter(f.fn, actuals); len(result) == 1 {
		return result[0], nil
	}
	return unknown, nil
}

// An actual is an argument of a call.
type actual struct {
	x      syntax.Expr // nil when it does not stand in the text
	name   string      // of a keyword
	spread bool        // it is *x or **x
	value  some
}

func (lt *linter) actuals(x *syntax.CallExpr) []actual {
	all := make([]actual, len(x.Args))
	for i, a := range x.Args {
		if kw, ok := keywordArg(a); ok {
			all[i] = actual{x: kw.Y, name: kw.X.(*syntax.Ident).Name, value: lt.eval(kw.Y)}
		} else if isSpread(a) {
			inner := a.(*syntax.UnaryExpr).X
			all[i] = actual{x: inner, spread: true, value: lt.eval(inner)}
		} else {
			all[i] = actual{x: a, value: lt.eval(a)}
		}
	}
	return all
}

// call plays a call. A value that it never gives is none.
func (lt *linter) call(x *syntax.CallExpr) (result some) {
	callee, args := lt.eval(x.Fn), lt.actuals(x)
	if !callee.known() {
		for _, a := range args {
			for _, v := range lt.aliases(a.x) {
				lt.bind(v, emptied(containers(v.is)))
			}
		}
		return callee
	}
	var refused [][]*Error
	callee = callee.notNone()
	for _, fn := range callee {
		value, wrong := lt.callOne(x, fn, args)
		if result = join(result, value); len(wrong) > 0 {
			refused = append(refused, wrong)
		}
	}
	if len(refused) == len(callee) { // whichever it is
		lt.tell(refused[0])
		return orFails(result)
	}
	return result
}

// callOne plays a call of one value, and finds what is wrong with it.
func (lt *linter) callOne(x *syntax.CallExpr, fn starlark.Value, args []actual) (some, []*Error) {
	t := trial{linter: lt, x: x, args: args}
	var result some
	switch fn := fn.(type) {
	case unknownValue:
		return anything, nil
	case *lintFunction:
		t.b, t.hint, result = fn.fn.builtin(), fn.fn.hint(), lt.enter(fn.fn, args)
	case *execValue:
		t.b, result = &builtin{Doc: lt.l.execBuiltin.Doc, run: fn.extend}, some{fn}
	case *starlark.Builtin:
		if t.b = lt.builtins[fn]; t.b == nil {
			return lt.native(x, fn, args)
		}
		result = lt.builtin(t.b, args)
		switch t.b.Name {
		case "ctx.attempt", "ctx.parallel", "ctx.defer":
			lt.lintLater(x, t.b.Name, args)
		}
	default:
		return fails, lt.noFunction(x, fn)
	}
	if lt.telling {
		t.read()
	}
	return result, t.wrong
}

func (fn *lintFunc) hint() string {
	if def, ok := fn.node.(*syntax.DefStmt); ok {
		return "it is called " + functionSignature(def)
	}
	return ""
}

// builtin is a function of the text as if it were a built-in, which says what is wrong with
// arguments in the same words.
func (fn *lintFunc) builtin() *builtin {
	return &builtin{
		Doc: Doc{Name: fn.name, Params: fn.params},
		run: func(c *call) (starlark.Value, error) {
			return nil, c.unpack(func(string, starlark.Value) error { return nil })
		},
	}
}

// enter gives a function its arguments, and what it returns.
func (lt *linter) enter(fn *lintFunc, args []actual) some {
	given := map[*variable]bool{}
	for i, a := range args {
		v := fn.paramFor(i, a.name)
		if v == nil || a.spread {
			continue
		}
		given[v] = true
		v.something = v.something || a.x == nil || !isNothing(a.x)
		lt.bind(v, a.value)
		for _, other := range lt.aliases(a.x) {
			lt.link(other, v)
		}
	}
	if slices.ContainsFunc(args, func(a actual) bool { return a.spread }) {
		for _, v := range fn.vars {
			if !given[v] {
				lt.bind(v, anything)
			}
		}
	}
	return fn.is
}

// paramFor is the parameter that an argument goes to, or nil when it is not clear.
func (fn *lintFunc) paramFor(i int, name string) *variable {
	if name != "" {
		j := slices.IndexFunc(fn.params, func(p Param) bool { return p.Name == name })
		if j < 0 {
			return nil
		}
		return fn.vars[j]
	}
	if i >= len(fn.params) || slices.ContainsFunc(fn.params[:i+1], func(p Param) bool { return p.KeywordOnly || p.Name[0] == '*' }) {
		return nil
	}
	return fn.vars[i]
}

// builtin plays a built-in of palhm.
func (lt *linter) builtin(b *builtin, args []actual) some {
	switch b.Name {
	case "ctx.attempt":
		if len(args) == 0 {
			return anything
		}
		all := some{&outcomeValue{value: starlark.None}}
		for _, v := range lt.later(args[0].value, args[1:]) {
			if tooLarge(v) {
				v = unknown
			}
			all = all.with(&outcomeValue{value: v})
		}
		return all
	case "ctx.parallel":
		if len(args) == 0 {
			return anything
		}
		var all some
		for _, v := range args[0].value {
			list, _ := iterate(v)
			all = join(all, lt.later(list, nil))
		}
		if lt.skips { // which ends a branch with None
			all = all.with(starlark.None)
		}
		return some{listOf(lt.keep(all))}
	case "ctx.defer":
		if len(args) > 0 {
			lt.later(args[0].value, nil)
		}
	case "ctx.skip":
		lt.changed, lt.skips = lt.changed || !lt.skips, true
	}
	if v := lt.broken[b.Name]; v != nil {
		return some{v}
	}
	return standIns(b.Returns)
}

// later calls the functions that a value can be.
func (lt *linter) later(fns some, args []actual) (all some) {
	for _, fn := range fns {
		if f, ok := fn.(*lintFunction); ok {
			all = join(all, lt.enter(f.fn, args))
		} else {
			all = anything
		}
	}
	return all
}

// standIns reads what a documentation says of a value: "list of strings", "string or None".
// Words that it does not know are a value of any sort.
func standIns(words string) (all some) {
	for word := range strings.SplitSeq(words, " or ") {
		var v starlark.Value
		of, isList := strings.CutPrefix(word, "list of ")
		switch {
		case isList:
			v = listOf(standIns(strings.TrimSuffix(of, "s")))
		case strings.HasPrefix(word, "nothing"):
			continue
		case word == "", word == "None":
			v = starlark.None
		case word == "string":
			v = aText
		case word == "bool":
			v = starlark.True
		case word == "result":
			v = &resultValue{}
		case word == "struct":
			v = general(timeValue(time.Time{}))
		default:
			v = unknown
		}
		all = all.with(v)
	}
	return all
}

// givenByBuiltins are the stand-ins of what palhm's own built-ins make.
func (l *loader) givenByBuiltins() map[string]starlark.Value {
	given := map[string]starlark.Value{}
	for _, b := range append(builtins(), natives()...) {
		if b.broken != nil {
			given[b.Name] = b.broken(&call{l: l.scratch(), b: b, thread: &starlark.Thread{}})
		}
	}
	return given
}

// variants are values of one sort that have their attributes in different ways.
func variants(v starlark.Value) []starlark.Value {
	failed := &plan.Result{Code: -1, Signal: "KILL", Warnings: []string{""}, Stages: []plan.StageResult{{Code: -1, Argv: []string{""}, Signal: "KILL"}}}
	switch v := v.(type) {
	case *resultValue:
		return []starlark.Value{&resultValue{failed, errors.New("")}, &resultValue{r: &plan.Result{Stages: []plan.StageResult{{}}}}}
	case *outcomeValue:
		return []starlark.Value{v, &outcomeValue{starlark.None, &Error{}}}
	case *execValue:
		other := newExec(plan.Pos{})
		other.Inverse = other
		return []starlark.Value{v, &execValue{loader: v.loader, e: other}}
	}
	return []starlark.Value{v}
}

// attribute plays X.name.
func (lt *linter) attribute(x *syntax.DotExpr) (all some) {
	of := lt.eval(x.X)
	if !of.known() {
		return of
	}
	for _, v := range of.notNone() {
		all = join(all, lt.attributeOf(v, x))
	}
	if all == nil {
		lt.lintAttribute(x, of.notNone())
		return fails
	}
	return all
}

// attributeOf gives what one value has by a name. A method is bound to a copy of it.
func (lt *linter) attributeOf(v starlark.Value, x *syntax.DotExpr) (all some) {
	switch v := v.(type) {
	case unknownValue:
		return anything
	case *ctxValue:
		if x.Name.Name == "args" {
			return some{&argsStandIn{}}
		}
	case *argsStandIn:
		return lt.argument(x)
	case *factsValue:
		if v.name == "host.os" {
			return some{aText} // every host has others
		}
	}
	for _, v := range variants(v) {
		if has, ok := general(v).(starlark.HasAttrs); ok {
			if value, err := has.Attr(x.Name.Name); value != nil && err == nil {
				all = all.with(general(value))
			}
		}
	}
	return all
}

// argsStandIn stands for ctx.args.
type argsStandIn struct{ unknownValue }

func (*argsStandIn) Type() string { return "args" }

// native plays a function of Starlark's own, with each choice of stand-ins.
func (lt *linter) native(x *syntax.CallExpr, fn *starlark.Builtin, args []actual) (all some, wrong []*Error) {
	switch fn.Name() {
	case "fail":
		return nil, nil
	case "print":
		return some{starlark.None}, nil
	case "json.decode", "getattr":
		return anything, nil
	}
	if slices.ContainsFunc(args, func(a actual) bool { return a.spread }) {
		return usual(fn), nil
	}
	parts := make([]some, len(args))
	for i, a := range args {
		if len(a.value) == 0 {
			return a.value, nil
		}
		parts[i] = a.value.notNone()
	}
	before := general(orNone(fn.Receiver()))
	var failed error
	doubt := false
	product(parts, func(values []starlark.Value) {
		result, err := callNative(fn, args, values)
		switch {
		case err == nil:
			all = join(all, result)
		case isTypeError(err) && !slices.ContainsFunc(values, vague) && !strings.Contains(err.Error(), unknownMark):
			failed = err
		case isArgumentError(err):
			failed = err
		default:
			doubt = true
		}
	})
	if all == nil && !doubt && failed != nil {
		return fails, []*Error{lt.at(syntax.Start(x.Fn), failed.Error(), "")}
	}
	if dot, ok := x.Fn.(*syntax.DotExpr); ok && fn.Receiver() != nil {
		after := some{before}.with(general(fn.Receiver()))
		if sortsOf(after) != sortOf(before) {
			lt.changes(dot.X, after[0])
		}
	}
	return lt.picked(fn, before, args, all), nil
}

func orNone(v starlark.Value) starlark.Value {
	if v == nil {
		return starlark.None
	}
	return v
}

// picked is what a function of Starlark's own gives that picks out one of several elements,
// or that could not be played.
func (lt *linter) picked(fn *starlark.Builtin, from starlark.Value, args []actual, all some) some {
	switch d := from.(type) {
	case *starlark.Dict:
		switch fn.Name() {
		case "get", "pop", "setdefault":
			all = lt.orAnything(dictValues(d))
			if len(args) > 1 {
				all = join(all, args[1].value)
			} else if fn.Name() == "get" {
				all = all.with(starlark.None)
			}
			return all
		case "popitem":
			return anything
		}
	case *starlark.List:
		if fn.Name() == "pop" {
			return join(lt.orAnything(elements(d)), all)
		}
	case starlark.NoneType:
		several := slices.ContainsFunc(args, func(a actual) bool { return slices.ContainsFunc(a.value, vague) })
		if several && slices.Contains([]string{"min", "max", "zip", "tuple", "dict", "set"}, fn.Name()) {
			return anything
		}
	}
	if all == nil {
		return usual(fn)
	}
	return all
}

// vague reports whether a value has elements of several sorts, or of unknown ones: then an
// error need not be one for every such value.
func vague(v starlark.Value) bool {
	var parts some
	switch v := v.(type) {
	case unknownValue:
		return true
	case *starlark.List:
		parts = elements(v)
	case *starlark.Set:
		parts = elements(v)
	case *starlark.Dict:
		return len(elements(v)) > 1 || len(dictValues(v)) > 1 || slices.ContainsFunc(dictValues(v), vague) || slices.ContainsFunc(elements(v), vague)
	case starlark.Tuple:
		return slices.ContainsFunc(v, vague)
	}
	return len(parts) > 1 || slices.ContainsFunc(parts, vague)
}

// callNative calls a function of Starlark's own.
func callNative(fn *starlark.Builtin, args []actual, values []starlark.Value) (result some, err error) {
	var positional starlark.Tuple
	var keywords []starlark.Tuple
	for i, a := range args {
		if a.name != "" {
			keywords = append(keywords, starlark.Tuple{starlark.String(a.name), values[i]})
		} else {
			positional = append(positional, values[i])
		}
	}
	v, err := starlark.Call(&starlark.Thread{}, fn, positional, keywords)
	if err != nil {
		return nil, err
	}
	return some{general(v)}, nil
}

// usual is what a function gives whatever it is called with, as far as that can be tried.
func usual(fn *starlark.Builtin) some {
	switch fn.Name() {
	case "int", "len":
		return some{aNumber}
	case "float":
		return some{starlark.Float(1)}
	case "list", "sorted", "reversed":
		return some{listOf(anything)}
	}
	if _, ok := fn.Receiver().(starlark.String); !ok {
		return anything
	}
	for _, values := range [][]starlark.Value{{}, {aText}, {aText, aText}, {listOf(some{aText})}} {
		if result, err := callNative(fn, make([]actual, len(values)), values); err == nil {
			return result
		}
	}
	return anything
}

var (
	argumentError = regexp.MustCompile(`unexpected keyword argument|missing argument for|got multiple values|does not accept keyword|got \d+ arguments?, wants? `)
	typeError     = regexp.MustCompile(`got [A-Za-z_.]+( for \w+)?, want |want [a-z ]+, got |not iterable|has no len| not implemented|unhashable`)
)

// Errors of these kinds do not depend on the content of a value.
func isArgumentError(err error) bool { return argumentError.MatchString(err.Error()) }
func isTypeError(err error) bool     { return typeError.MatchString(err.Error()) }

// inSight reports whether all calls of a function are seen: whether it is only called, or
// handed to a built-in.
func (lt *linter) inSight(fn *lintFunc) bool {
	def, ok := fn.node.(*syntax.DefStmt)
	if !ok {
		return lt.handed(fn.node)
	}
	v := lt.known(def.Name)
	return v != nil && len(v.bound) == 1 && len(v.uses()) > 0 && !slices.ContainsFunc(v.uses(), func(id *syntax.Ident) bool {
		c, ok := lt.parents[id].(*syntax.CallExpr)
		return !(ok && c.Fn == syntax.Expr(id)) && !lt.handed(id)
	})
}

// uses are the places that read a variable, in this module and in those that load it.
func (v *variable) uses() []*syntax.Ident {
	all := slices.Clip(v.read)
	for _, other := range v.loadedAs {
		all = append(all, other.uses()...)
	}
	return all
}

// handed reports whether a node is an argument of a built-in or of a method, or in a list
// that is.
func (lt *linter) handed(n syntax.Node) bool {
	for p := lt.parents[n]; p != nil; n, p = p, lt.parents[p] {
		switch p := p.(type) {
		case *syntax.ParenExpr, *syntax.ListExpr, *syntax.TupleExpr, *syntax.BinaryExpr, *syntax.Comprehension:
		case *syntax.CallExpr:
			fn := lt.fixed(p.Fn)
			return fn != "" && fn != "struct"
		default:
			return false
		}
	}
	return false
}

// fixed is the name of a built-in, or of a method of ctx, that is called by its name.
func (lt *linter) fixed(fn syntax.Expr) string {
	switch fn := fn.(type) {
	case *syntax.Ident:
		if lt.known(fn) == nil {
			return fn.Name
		}
	case *syntax.DotExpr:
		if id, ok := fn.X.(*syntax.Ident); ok && lt.l.ctxMethods[fn.Name.Name] != nil && (id.Name == "ctx" || lt.known(id) != nil && lt.known(id).is.has(lt.context)) {
			return "ctx." + fn.Name.Name
		}
	}
	return ""
}

// keywordArg is an argument that is given with its name.
func keywordArg(arg syntax.Expr) (*syntax.BinaryExpr, bool) {
	kw, ok := arg.(*syntax.BinaryExpr)
	return kw, ok && kw.Op == syntax.EQ
}

func isSpread(a syntax.Expr) bool {
	u, ok := a.(*syntax.UnaryExpr)
	return ok && (u.Op == syntax.STAR || u.Op == syntax.STARSTAR)
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
