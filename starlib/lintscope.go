package starlib

import (
	"slices"
	"strings"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"palhm/runtime/plan"
)

// A linter knows the text of a whole site: what its variables are, and which
// functions there are.
type linter struct {
	l       *loader
	files   []*lintFile // each after those that it loads
	byLabel map[label]*lintFile
	vars    map[*syntax.Ident]*variable // by the first place that binds it
	funcs   map[syntax.Node]*lintFunc   // by *syntax.DefStmt or *syntax.LambdaExpr
	parents map[syntax.Node]syntax.Node
	facts   map[*variable]bool // whether it depends on the host

	routines map[*lintFunc][]*plan.Routine // that have it as a step
	makers   map[*lintFunc]bool            // whether a group asks it for objects

	builtins map[*starlark.Builtin]*builtin
	broken   map[string]starlark.Value // what built-ins make, by their names
	context  *ctxValue
	scratch  *loader // for calls that are only tried

	changed bool                 // something was learned in this round
	settled bool                 // what has no value yet never gets one that is seen
	wild    bool                 // containers are changed that may lie in others
	skips   bool                 // some function calls ctx.skip
	telling bool                 // nothing more is learned: say what is wrong
	seen    map[syntax.Expr]some // what each expression can be, while telling
	stops   map[syntax.Stmt]bool // whether nothing behind it is reached, while telling
}

// A lintFile is the syntax tree of a module, its names resolved.
type lintFile struct {
	m       *module
	tree    *syntax.File
	funcs   []*lintFunc
	loops   []syntax.Node            // *syntax.ForStmt and *syntax.Comprehension
	globals map[string]*syntax.Ident // where each name that others can load is bound first
}

// A variable is a name in its scope, and what the text binds to it.
type variable struct {
	name     string
	sources  []syntax.Expr // what is assigned to it as a whole
	opaque   bool          // it is also bound in ways whose value is not seen
	def      *lintFunc     // of the def statements that bind it, the last
	defs     int
	owner    *lintFunc // it is a parameter of
	imported *variable // what a load statement makes it
	loadedAs []*variable
	file     *lintFile
	bound    []*syntax.Ident
	read     []*syntax.Ident

	is        some // what it can be
	something bool // it is given more than None, "" and the like
	asked     bool // the text asks what sort of value it is
	own       bool // its containers are made for it
}

// A lintFunc is a def statement or a lambda.
type lintFunc struct {
	node   syntax.Node
	name   string
	params []Param
	vars   []*variable // of params
	body   []syntax.Stmt
	locals []*variable
	is     some // what it can return
}

// newLinter reads the modules again: keeping their trees would cost every load
// memory, and only a check needs them.
func (l *loader) newLinter() *linter {
	lt := &linter{
		l: l, byLabel: map[label]*lintFile{}, vars: map[*syntax.Ident]*variable{}, funcs: map[syntax.Node]*lintFunc{},
		parents: map[syntax.Node]syntax.Node{}, facts: map[*variable]bool{},
		routines: map[*lintFunc][]*plan.Routine{}, makers: map[*lintFunc]bool{},
		builtins: l.boundBuiltins(), broken: l.givenByBuiltins(), scratch: l.scratch(), seen: map[syntax.Expr]some{}, stops: map[syntax.Stmt]bool{},
		context: &ctxValue{&invocation{function: &function{l: l}}},
	}
	for _, m := range l.order() {
		tree, err := dialect.Parse(m.name, m.text, 0)
		if err != nil {
			continue // it has been parsed before, so this cannot be
		}
		predeclared := l.predeclared
		if m.label.owner == standardOwner {
			predeclared = l.standard
		}
		if resolve.File(tree, predeclared.Has, starlark.Universe.Has) != nil {
			continue
		}
		f := &lintFile{m: m, tree: tree, globals: map[string]*syntax.Ident{}}
		for _, b := range tree.Module.(*resolve.Module).Globals {
			f.globals[b.First.Name] = b.First
		}
		lt.files, lt.byLabel[m.label] = append(lt.files, f), f
		lt.read(f)
	}
	return lt
}

// boundBuiltins finds the documentation of built-ins by the values that a site sees.
func (l *loader) boundBuiltins() map[*starlark.Builtin]*builtin {
	bound := map[*starlark.Builtin]*builtin{}
	add := func(list []*builtin, find func(name string) (starlark.Value, error)) {
		for _, b := range list {
			v, _ := find(b.Name) // it is there
			if fn, ok := v.(*starlark.Builtin); ok && b.run != nil {
				bound[fn] = b
			}
		}
	}
	add(builtins(), func(name string) (starlark.Value, error) { return l.predeclared[name], nil })
	add(natives(), l.standard[nativeName].(starlark.HasAttrs).Attr)
	add(ctxBuiltins(), func(name string) (starlark.Value, error) { return l.ctxMethods[strings.TrimPrefix(name, "ctx.")], nil })
	return bound
}

// read notes parents, variables and functions of a file.
func (lt *linter) read(f *lintFile) {
	var stack []syntax.Node
	var inside []*lintFunc // the functions that the walk is in
	targets := map[*syntax.Ident]bool{}
	syntax.Walk(f.tree, func(n syntax.Node) bool {
		if n == nil {
			top := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if len(inside) > 0 && inside[len(inside)-1].node == top {
				inside = inside[:len(inside)-1]
			}
			return true
		}
		if len(stack) > 0 {
			lt.parents[n] = stack[len(stack)-1]
		}
		stack = append(stack, n)
		switch n := n.(type) {
		case *syntax.AssignStmt:
			lt.note(f, targets, n.LHS, n.RHS, n.Op != syntax.EQ)
		case *syntax.ForStmt:
			f.loops = append(f.loops, n)
			lt.note(f, targets, n.Vars, nil, false)
		case *syntax.Comprehension:
			f.loops = append(f.loops, n)
		case *syntax.ForClause:
			lt.note(f, targets, n.Vars, nil, false)
		case *syntax.LoadStmt:
			lt.readLoad(f, targets, n)
		case *syntax.DefStmt:
			fn := lt.newFunction(f, targets, n, n.Name.Name, n.Params, n.Body, n.Function)
			v := lt.variable(f, n.Name)
			v.def, v.defs = fn, v.defs+1
			v.bound = append(v.bound, n.Name)
			targets[n.Name] = true
			inside = append(inside, fn)
		case *syntax.LambdaExpr:
			inside = append(inside, lt.newFunction(f, targets, n, "lambda", n.Params, nil, n.Function))
		case *syntax.CallExpr:
			lt.readQuestion(f, n)
		case *syntax.Ident:
			if v := lt.variable(f, n); v != nil && !targets[n] {
				v.read = append(v.read, n)
			}
		}
		return true
	})
}

// variable is the variable that an identifier stands for, or nil.
func (lt *linter) variable(f *lintFile, id *syntax.Ident) *variable {
	b, ok := id.Binding.(*resolve.Binding)
	if !ok || b.First == nil || b.Scope == resolve.Predeclared || b.Scope == resolve.Universal || b.Scope == resolve.Undefined {
		return nil
	}
	v := lt.vars[b.First]
	if v == nil {
		v = &variable{name: id.Name, file: f, own: true}
		lt.vars[b.First] = v
	}
	return v
}

// note finds what an assignment or a loop binds. Without a source the value is not
// seen; an augmented assignment reads the variable too.
func (lt *linter) note(f *lintFile, targets map[*syntax.Ident]bool, target, source syntax.Expr, augmented bool) {
	switch x := target.(type) {
	case *syntax.ParenExpr:
		lt.note(f, targets, x.X, source, augmented)
	case *syntax.TupleExpr:
		lt.noteAll(f, targets, x.List)
	case *syntax.ListExpr:
		lt.noteAll(f, targets, x.List)
	case *syntax.Ident:
		v := lt.variable(f, x)
		if v == nil {
			return
		}
		v.bound = append(v.bound, x)
		targets[x] = !augmented
		if source == nil || augmented {
			v.opaque = true
		} else {
			v.sources = append(v.sources, source)
		}
		v.own = v.own && (augmented || source != nil && isFresh(source))
	}
}

// isFresh reports whether an expression makes the container that it gives.
func isFresh(x syntax.Expr) bool {
	switch x := x.(type) {
	case *syntax.ListExpr, *syntax.DictExpr, *syntax.Comprehension, *syntax.Literal:
		return true
	case *syntax.BinaryExpr:
		return x.Op == syntax.PLUS || x.Op == syntax.STAR
	case *syntax.CallExpr:
		if dot, ok := x.Fn.(*syntax.DotExpr); ok {
			return !slices.Contains([]string{"get", "setdefault", "pop"}, dot.Name.Name)
		}
		id, ok := x.Fn.(*syntax.Ident)
		return ok && slices.Contains([]string{"list", "dict", "set", "sorted", "reversed", "zip", "enumerate"}, id.Name)
	}
	return false
}

// readQuestion notes what a call asks the sort of: whoever asks knows more of it than can
// be seen.
func (lt *linter) readQuestion(f *lintFile, x *syntax.CallExpr) {
	fn, ok := x.Fn.(*syntax.Ident)
	if !ok || len(x.Args) == 0 || !slices.Contains([]string{"type", "hasattr", "getattr", "dir"}, fn.Name) {
		return
	}
	syntax.Walk(x.Args[0], func(n syntax.Node) bool {
		if id, ok := n.(*syntax.Ident); ok && id.Name != "ctx" {
			if v := lt.variable(f, id); v != nil {
				v.asked = true
			}
		}
		return true
	})
}

func (lt *linter) noteAll(f *lintFile, targets map[*syntax.Ident]bool, list []syntax.Expr) {
	for _, x := range list {
		lt.note(f, targets, x, nil, false)
	}
}

func (lt *linter) readLoad(f *lintFile, targets map[*syntax.Ident]bool, n *syntax.LoadStmt) {
	at, err := f.m.label.resolve(n.ModuleName())
	from := lt.byLabel[at]
	for i, to := range n.To {
		targets[n.From[i]], targets[to] = true, true
		v := lt.variable(f, to)
		if v == nil {
			continue
		}
		v.bound = append(v.bound, to)
		if err != nil || from == nil || from.globals[n.From[i].Name] == nil {
			v.opaque = true
			continue
		}
		v.imported = lt.vars[from.globals[n.From[i].Name]]
		v.imported.loadedAs = append(v.imported.loadedAs, v)
	}
}

func (lt *linter) newFunction(f *lintFile, targets map[*syntax.Ident]bool, node syntax.Node, name string, params []syntax.Expr, body []syntax.Stmt, resolved any) *lintFunc {
	fn := &lintFunc{node: node, name: name, body: body}
	keywordOnly := false
	add := func(id *syntax.Ident, p Param) {
		v := lt.variable(f, id)
		v.owner, v.opaque, v.own = fn, true, false
		v.bound = append(v.bound, id)
		targets[id] = true
		fn.params, fn.vars = append(fn.params, p), append(fn.vars, v)
	}
	for _, p := range params {
		switch p := p.(type) {
		case *syntax.Ident:
			add(p, Param{Name: p.Name, KeywordOnly: keywordOnly})
		case *syntax.BinaryExpr:
			id := p.X.(*syntax.Ident)
			add(id, Param{Name: id.Name, Default: exprText(p.Y), KeywordOnly: keywordOnly})
		case *syntax.UnaryExpr:
			if id, ok := p.X.(*syntax.Ident); ok {
				add(id, Param{Name: p.Op.String() + id.Name, KeywordOnly: keywordOnly})
			}
			keywordOnly = true
		}
	}
	for _, b := range resolved.(*resolve.Function).Locals {
		fn.locals = append(fn.locals, lt.variable(f, b.First))
	}
	lt.funcs[node] = fn
	f.funcs = append(f.funcs, fn)
	return fn
}

// functionOf is the innermost function that a node stands in, or nil at the top
// level.
func (lt *linter) functionOf(n syntax.Node) *lintFunc {
	for n = lt.parents[n]; n != nil; n = lt.parents[n] {
		if fn := lt.funcs[n]; fn != nil {
			return fn
		}
	}
	return nil
}
