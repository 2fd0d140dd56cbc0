package starlib

import (
	"fmt"
	"slices"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// maxRounds bounds how often the text is played. Each round brings a value one call
// further, so a site needs few.
const maxRounds = 50

// learn plays the text until nothing more is learned: first with what is surely seen, and
// then with what nothing gives a value as something unknown.
func (lt *linter) learn() {
	for _, fn := range lt.runningFunctions() {
		if len(fn.vars) > 0 {
			fn.vars[0].is, fn.vars[0].something = some{lt.context}, true
		}
	}
	for _, settled := range []bool{false, true} {
		lt.settled, lt.changed = settled, true
		for n := 0; lt.changed; n++ {
			if n == maxRounds {
				lt.giveUp()
			}
			lt.changed = false
			lt.play()
		}
	}
}

// giveUp makes everything unknown.
func (lt *linter) giveUp() {
	for _, v := range lt.vars {
		v.is = anything
	}
	for _, fn := range lt.funcs {
		fn.is = anything
	}
}

// play plays the text once, and that of palhm's modules as long as something is learned.
func (lt *linter) play() {
	for _, f := range lt.files {
		if f.m.own() || !lt.telling {
			lt.block(f.tree.Stmts, nil)
		}
	}
}

// bind adds to what a variable can be.
func (lt *linter) bind(v *variable, s some) {
	if v != nil {
		lt.add(&v.is, s)
	}
}

func (lt *linter) add(to *some, s some) {
	if is := join(*to, s); sortsOf(is) != sortsOf(*to) {
		*to, lt.changed = is, true
	}
}

// block plays statements, and reports whether what stands behind them is reached.
func (lt *linter) block(stmts []syntax.Stmt, in *lintFunc) bool {
	last := -1 // the statement that goes elsewhere
	for i, s := range stmts {
		on := lt.statement(s, in)
		if !on && last < 0 {
			last = i
		}
		if !on && lt.settled {
			lt.stops[s] = true
		}
	}
	if last < 0 {
		return true
	}
	if last+1 < len(stmts) && !isMarker(stmts[last+1]) {
		start, _ := stmts[last+1].Span()
		line, _ := stmts[last].Span()
		lt.warn(start, "this is never reached", fmt.Sprintf("what is in line %d goes elsewhere", line.Line))
	}
	return false
}

// isMarker reports whether a statement may stand behind the end for clarity.
func isMarker(s syntax.Stmt) bool {
	switch s := s.(type) {
	case *syntax.BranchStmt:
		return true
	case *syntax.ReturnStmt:
		id, ok := s.Result.(*syntax.Ident)
		return s.Result == nil || ok && id.Name == "None"
	}
	return false
}

// statement plays a statement, and reports whether what stands behind it is reached.
func (lt *linter) statement(s syntax.Stmt, in *lintFunc) bool {
	switch s := s.(type) {
	case *syntax.AssignStmt:
		lt.assignment(s)
	case *syntax.BranchStmt:
		return s.Token == syntax.PASS
	case *syntax.DefStmt:
		fn := lt.funcs[s]
		lt.defaults(fn, s.Params)
		lt.assign(s.Name, some{&lintFunction{lt, fn}}, s.Name)
		if lt.block(s.Body, fn) {
			lt.add(&fn.is, some{starlark.None})
		}
	case *syntax.ExprStmt:
		value := lt.eval(s.X)
		lt.lintDropped(s, value)
		return value != nil
	case *syntax.ForStmt:
		lt.loop(s.Vars, s.X)
		lt.block(s.Body, in)
	case *syntax.IfStmt:
		lt.condition(s.Cond, syntax.IF)
		yes, no := lt.block(s.True, in), lt.block(s.False, in)
		return yes || no
	case *syntax.LoadStmt:
		for _, to := range s.To {
			if v := lt.known(to); v != nil && v.imported != nil {
				lt.bind(v, v.imported.is)
				v.something = v.something || v.imported.something
			} else {
				lt.assign(to, anything, to)
			}
		}
	case *syntax.ReturnStmt:
		value := some{starlark.None}
		if s.Result != nil {
			value = lt.eval(s.Result)
		}
		if in != nil {
			lt.returns(in, s.Result, value)
		}
		return false
	}
	return true
}

// returns notes what a function returns. A mistake in it is no reason to say anything of
// its callers.
func (lt *linter) returns(fn *lintFunc, x syntax.Expr, value some) {
	if value != nil && len(value) == 0 {
		value = anything
	}
	lt.add(&fn.is, value)
	lt.lintReturn(fn, x, value)
}

// defaults plays the parameters of a function. Where not every call of it is seen, they
// can be anything.
func (lt *linter) defaults(fn *lintFunc, params []syntax.Expr) {
	for _, p := range params {
		if p, ok := p.(*syntax.BinaryExpr); ok {
			lt.assign(p.X, lt.eval(p.Y), p.Y)
		}
	}
	for i, v := range fn.vars {
		switch {
		case v.name == "ctx":
			lt.bind(v, some{lt.context})
		case fn.params[i].anyKeyword():
			lt.bind(v, some{dictOf(some{aText}, anything)})
			v.something = true
		case fn.params[i].Name[0] == '*', !lt.inSight(fn) && !v.is.has(lt.context):
			lt.bind(v, anything)
		}
		v.something = v.something || v.name == "ctx"
	}
}

func (lt *linter) assignment(s *syntax.AssignStmt) {
	value := lt.eval(s.RHS)
	if s.Op != syntax.EQ {
		value = lt.operate(s.RHS, s.Op-syntax.PLUS_EQ+syntax.PLUS, lt.eval(s.LHS), value)
		for _, v := range containers(value) {
			lt.changes(s.LHS, v) // in place
		}
	}
	lt.assign(s.LHS, value, s.RHS)
	if v := lt.known(s.LHS); v != nil {
		for _, other := range lt.aliases(s.RHS) {
			lt.link(v, other)
		}
	}
}

// assign gives a value to a name, to several, or to an element.
func (lt *linter) assign(target syntax.Expr, value some, source syntax.Expr) {
	switch x := target.(type) {
	case *syntax.ParenExpr:
		lt.assign(x.X, value, source)
	case *syntax.Ident:
		if v := lt.known(x); v != nil {
			v.something = v.something || !isNothing(source)
			lt.bind(v, value)
		}
	case *syntax.TupleExpr:
		lt.takeApart(x.List, value, source)
	case *syntax.ListExpr:
		lt.takeApart(x.List, value, source)
	case *syntax.IndexExpr:
		container, key := lt.eval(x.X), lt.eval(x.Y)
		for _, c := range container {
			switch c.(type) {
			case *starlark.List:
				lt.changes(x.X, listOf(value))
			case *starlark.Dict:
				lt.changes(x.X, dictOf(key, value))
			}
		}
	case *syntax.DotExpr:
		lt.eval(x.X)
	}
}

// isNothing reports whether a value says that there is nothing. A name that never stands
// for more is one that an administrator may give a value another day.
func isNothing(x syntax.Expr) bool {
	switch x := x.(type) {
	case *syntax.Ident:
		b, ok := x.Binding.(*resolve.Binding)
		return ok && b.Scope == resolve.Universal && (x.Name == "None" || x.Name == "False")
	case *syntax.Literal:
		return x.Value == "" || x.Value == int64(0)
	case *syntax.ListExpr:
		return len(x.List) == 0
	case *syntax.DictExpr:
		return len(x.List) == 0
	}
	return false
}

// takeApart gives the parts of a value to several names.
func (lt *linter) takeApart(targets []syntax.Expr, value some, source syntax.Expr) {
	parts := make([]some, len(targets))
	fits := len(value) == 0
	for _, v := range value.notNone() {
		t, isTuple := v.(starlark.Tuple)
		each, ok := iterate(v)
		if !ok || isTuple && len(t) != len(targets) {
			continue
		}
		fits = true
		for i := range parts {
			if isTuple {
				each = some{t[i]}
			}
			parts[i] = join(parts[i], lt.orAnything(each))
		}
	}
	if !fits {
		lt.warn(syntax.Start(source), fmt.Sprintf("%s cannot be taken apart into %d values", noun(value.notNone()[0]), len(targets)), itemsHint(lt, source))
		parts = slices.Repeat([]some{anything}, len(targets))
	}
	for i, target := range targets {
		lt.assign(target, parts[i], target)
	}
}

// itemsHint helps where a loop over a dict wants its values too.
func itemsHint(lt *linter, x syntax.Expr) string {
	if lt.seen[x].all(func(v starlark.Value) bool { _, ok := v.(*starlark.Dict); return ok }) {
		return "write " + shortText(x) + ".items()"
	}
	return ""
}

// orAnything is a value that is seen, or in the end anything.
func (lt *linter) orAnything(s some) some {
	if len(s) == 0 && lt.settled {
		return anything
	}
	return s
}

// loop plays what a loop does to its variables.
func (lt *linter) loop(vars, x syntax.Expr) {
	value := lt.eval(x)
	var each some
	found := len(value) == 0
	for _, v := range value.notNone() {
		e, ok := iterate(v)
		found = found || ok
		each = join(each, e)
	}
	if !found {
		lt.lintElements(x, value.notNone()[0])
		each = anything
	}
	lt.assign(vars, lt.orAnything(each), x)
}

// changes notes that a container becomes another one. When it is no variable's own, it may
// lie in any other: from then on what lies in containers is unknown.
func (lt *linter) changes(x syntax.Expr, to starlark.Value) {
	v := lt.known(x)
	if v == nil || !v.own {
		lt.changed, lt.wild = lt.changed || !lt.wild, true
	}
	if v != nil {
		v.something = true
		lt.bind(v, some{to})
	}
}

// keep is a value that a container is filled with.
func (lt *linter) keep(s some) some {
	if !lt.wild {
		return s
	}
	return emptied(s)
}

// emptied makes what is in containers unknown.
func emptied(s some) (all some) {
	for _, v := range s {
		switch v.(type) {
		case *starlark.List:
			v = listOf(anything)
		case *starlark.Set:
			v = setOf(anything)
		case *starlark.Dict:
			v = dictOf(anything, anything)
		}
		all = all.with(v)
	}
	return all
}

// aliases are the variables whose value an expression may be.
func (lt *linter) aliases(x syntax.Expr) []*variable {
	switch x := x.(type) {
	case *syntax.Ident:
		if v := lt.known(x); v != nil {
			return []*variable{v}
		}
	case *syntax.ParenExpr:
		return lt.aliases(x.X)
	case *syntax.CondExpr:
		return append(lt.aliases(x.True), lt.aliases(x.False)...)
	case *syntax.BinaryExpr:
		if x.Op == syntax.AND || x.Op == syntax.OR {
			return append(lt.aliases(x.X), lt.aliases(x.Y)...)
		}
	}
	return nil
}

// link makes what is in the containers of two variables the same, because they are.
func (lt *linter) link(a, b *variable) {
	lt.bind(a, containers(b.is))
	lt.bind(b, containers(a.is))
	if !b.is.known() && b.is != nil {
		lt.bind(a, emptied(containers(a.is)))
	}
}

func containers(s some) some {
	return slices.DeleteFunc(slices.Clone(s), func(v starlark.Value) bool {
		switch v.(type) {
		case *starlark.List, *starlark.Set, *starlark.Dict:
			return false
		}
		return true
	})
}

// eval plays an expression.
func (lt *linter) eval(x syntax.Expr) some {
	value := lt.value(x)
	if lt.settled {
		lt.seen[x] = value
	}
	return value
}

func (lt *linter) value(x syntax.Expr) some {
	switch x := x.(type) {
	case *syntax.ParenExpr:
		return lt.eval(x.X)
	case *syntax.Ident:
		return lt.name(x)
	case *syntax.Literal:
		if v := literal(x); v != nil {
			return some{general(v)}
		}
	case *syntax.ListExpr:
		var all some
		for _, e := range x.List {
			all = join(all, lt.eval(e))
		}
		return some{listOf(lt.keep(all))}
	case *syntax.TupleExpr:
		return lt.tuple(x)
	case *syntax.DictExpr:
		var keys, values some
		for _, e := range x.List {
			e := e.(*syntax.DictEntry)
			keys, values = join(keys, lt.eval(e.Key)), join(values, lt.eval(e.Value))
		}
		return some{dictOf(keys, lt.keep(values))}
	case *syntax.Comprehension:
		return lt.comprehension(x)
	case *syntax.CondExpr:
		lt.condition(x.Cond, syntax.IF)
		return join(lt.eval(x.True), lt.eval(x.False))
	case *syntax.DotExpr:
		return lt.attribute(x)
	case *syntax.IndexExpr:
		return lt.index(x)
	case *syntax.SliceExpr:
		return lt.slice(x)
	case *syntax.UnaryExpr:
		return lt.unary(x)
	case *syntax.BinaryExpr:
		return lt.binary(x)
	case *syntax.CallExpr:
		return lt.call(x)
	case *syntax.LambdaExpr:
		fn := lt.funcs[x]
		lt.defaults(fn, x.Params)
		lt.returns(fn, x.Body, lt.eval(x.Body))
		return some{&lintFunction{lt, fn}}
	}
	return anything
}

// name is what a name stands for.
func (lt *linter) name(id *syntax.Ident) some {
	b, ok := id.Binding.(*resolve.Binding)
	switch {
	case !ok:
		return anything
	case b.Scope == resolve.Universal:
		return some{starlark.Universe[id.Name]}
	case b.Scope == resolve.Predeclared:
		return some{lt.l.standard[id.Name]}
	}
	v := lt.known(id)
	if v == nil || v.asked || lt.settled && (len(v.is) == 0 || !v.something) {
		return anything
	}
	return v.is
}

func (lt *linter) tuple(x *syntax.TupleExpr) (all some) {
	parts := make([]some, len(x.List))
	for i, e := range x.List {
		parts[i] = lt.keep(lt.eval(e))
	}
	product(parts, func(t []starlark.Value) { all = all.with(general(starlark.Tuple(t))) })
	return all
}

func (lt *linter) comprehension(x *syntax.Comprehension) some {
	for _, c := range x.Clauses {
		switch c := c.(type) {
		case *syntax.ForClause:
			lt.loop(c.Vars, c.X)
		case *syntax.IfClause:
			lt.condition(c.Cond, syntax.IF)
		}
	}
	if entry, ok := x.Body.(*syntax.DictEntry); ok {
		return some{dictOf(lt.eval(entry.Key), lt.keep(lt.eval(entry.Value)))}
	}
	return some{listOf(lt.keep(lt.eval(x.Body)))}
}

// condition plays an expression whose truth is asked for.
func (lt *linter) condition(x syntax.Expr, op syntax.Token) some {
	value := lt.eval(x)
	lt.lintTruth(x, op)
	return value
}

func (lt *linter) unary(x *syntax.UnaryExpr) some {
	if x.Op == syntax.NOT {
		lt.condition(x.X, x.Op)
		return some{starlark.True}
	}
	var all some
	value := lt.eval(x.X)
	for _, v := range value {
		if v == starlark.Value(unknown) {
			return anything
		}
		if result, err := starlark.Unary(x.Op, v); err == nil {
			all = all.with(general(result))
		}
	}
	if len(value) > 0 && all == nil {
		lt.warn(x.OpPos, fmt.Sprintf("%s is not defined for %s", x.Op, noun(value[0])), "")
		return fails
	}
	return all
}

func (lt *linter) binary(x *syntax.BinaryExpr) some {
	switch x.Op {
	case syntax.AND, syntax.OR:
		return join(lt.condition(x.X, x.Op), lt.eval(x.Y))
	case syntax.EQL, syntax.NEQ:
		lt.eval(x.X)
		lt.eval(x.Y)
		lt.lintEqual(x)
		return some{starlark.True}
	case syntax.LT, syntax.GT, syntax.LE, syntax.GE, syntax.IN, syntax.NOT_IN:
		a, b := lt.eval(x.X), lt.eval(x.Y)
		lt.operate(x, x.Op, a, b)
		if x.Op == syntax.IN || x.Op == syntax.NOT_IN {
			lt.lintMember(x.X, b)
		}
		return some{starlark.True}
	}
	if lt.lintFormat(x) {
		return some{aText}
	}
	return lt.operate(x, x.Op, lt.eval(x.X), lt.eval(x.Y))
}

// operate gives what an operator makes of two values.
func (lt *linter) operate(at syntax.Expr, op syntax.Token, a, b some) (all some) {
	switch {
	case len(a) == 0:
		return a
	case len(b) == 0:
		return b
	case !a.known(), !b.known(), op == syntax.PERCENT && a.all(isText): // it depends on the text
		return whole(op, a, b)
	}
	var failed error
	for _, x := range a.notNone() {
		for _, y := range b.notNone() {
			result, err := operation(op, x, y)
			if err == nil {
				all = join(all, result)
			} else if failed == nil {
				failed = err
			}
		}
	}
	if all == nil {
		lt.lintOperation(at, a.notNone()[0], b.notNone()[0], failed)
		return fails
	}
	return all
}

// operation asks an operator itself.
func operation(op syntax.Token, x, y starlark.Value) (some, error) {
	switch op {
	case syntax.LT, syntax.GT, syntax.LE, syntax.GE:
		_, err := starlark.Compare(op, x, y)
		return some{starlark.True}, err
	}
	result, err := starlark.Binary(op, x, y)
	if err != nil {
		return nil, err
	}
	if _, ok := result.(starlark.Tuple); ok && op == syntax.STAR {
		return anything, nil // how long it is depends on a number
	}
	return some{general(result)}, nil
}

// whole is what an operator makes of a value and of one that is unknown. Some take one sort
// only.
func whole(op syntax.Token, a, b some) some {
	switch {
	case op == syntax.PIPE && (a.all(isCommand) || b.all(isCommand)):
		return some{brokenPipeline()}
	case op == syntax.PLUS && (a.all(isText) || b.all(isText)), op == syntax.PERCENT && a.all(isText):
		return some{aText}
	}
	return anything
}

func (lt *linter) index(x *syntax.IndexExpr) (all some) {
	value, key := lt.eval(x.X), lt.eval(x.Y)
	if !value.known() || len(key) == 0 {
		return value
	}
	for _, v := range value.notNone() {
		switch v := v.(type) {
		case *starlark.Dict:
			lt.lintMember(x.Y, value)
			all = join(all, lt.orAnything(dictValues(v)))
			continue
		case starlark.Indexable:
			if !key.all(isText) {
				all = join(all, lt.orAnything(elementAt(v, x.Y)))
				continue
			}
		case starlark.Mapping:
			return anything
		}
	}
	if all == nil && lt.settled {
		lt.lintIndex(x, value.notNone()[0])
		return fails
	}
	return all
}

// elementAt is the element of a sequence at an index. The parts of a tuple are told apart.
func elementAt(v starlark.Indexable, index syntax.Expr) some {
	if t, ok := v.(starlark.Tuple); ok {
		if i, ok := literal(index).(starlark.Int); ok {
			if n, err := starlark.AsInt32(i); err == nil && n < len(t) {
				return some{t[n]}
			}
		}
		return elements(t)
	}
	if list, ok := v.(starlark.Iterable); ok {
		return elements(list)
	}
	return some{general(v.Index(0))} // of a string or bytes
}

func (lt *linter) slice(x *syntax.SliceExpr) (all some) {
	value := lt.eval(x.X)
	for _, part := range []syntax.Expr{x.Lo, x.Hi, x.Step} {
		if part != nil {
			lt.eval(part)
		}
	}
	for _, v := range value.notNone() {
		switch v.(type) {
		case *starlark.List, starlark.String:
			all = all.with(v)
		case starlark.Sliceable, unknownValue:
			all = anything
		}
	}
	if len(value) > 0 && all == nil {
		lt.warn(syntax.Start(x), noun(value[0])+" has no parts", "")
		return fails
	}
	return all
}
