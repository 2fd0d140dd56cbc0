package starlib

import (
	"slices"
	"strings"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"palhm/runtime/plan"
)

// A reacher walks through what a function runs, as far as the text shows it.
type reacher struct {
	lt    *linter
	seen  map[*lintFunc]bool
	execs []*plan.Exec
}

// reachedExecs finds the execs that the functions of the site run on this host:
// those of functions that a task has, and of functions that they mention. What
// depends on a look at the host is left out, because it may be for another one.
func (lt *linter) reachedExecs() []*plan.Exec {
	r := &reacher{lt: lt, seen: map[*lintFunc]bool{}}
	for _, fn := range lt.runningFunctions() {
		r.function(fn, syntax.Position{})
	}
	return r.execs
}

// function walks through a function. The place is where the site uses it, when it is
// not the site's own.
func (r *reacher) function(fn *lintFunc, used syntax.Position) {
	if fn == nil || r.seen[fn] {
		return
	}
	r.seen[fn] = true
	if m := r.lt.l.byName[functionStart(fn.node).Filename()]; m != nil && m.own() {
		used = syntax.Position{}
	}
	if lambda, ok := fn.node.(*syntax.LambdaExpr); ok {
		r.expr(lambda.Body, used)
		return
	}
	r.block(fn.body, used)
}

func (r *reacher) block(block []syntax.Stmt, used syntax.Position) {
	for _, s := range block {
		switch s := s.(type) {
		case *syntax.IfStmt:
			r.expr(s.Cond, used)
			if r.lt.looksAtHost(s.Cond) {
				if slices.ContainsFunc(s.True, r.stops) || slices.ContainsFunc(s.False, r.stops) {
					return // what follows is for some hosts only
				}
				continue
			}
			r.block(s.True, used)
			r.block(s.False, used)
		case *syntax.ForStmt:
			r.expr(s.X, used)
			if !r.lt.looksAtHost(s.X) {
				r.block(s.Body, used)
			}
		case *syntax.DefStmt:
			// walked through where it is mentioned
		default:
			r.expr(s, used)
		}
		if r.stops(s) {
			return
		}
	}
}

// stops reports whether nothing behind a statement is reached.
func (r *reacher) stops(s syntax.Stmt) bool { return r.lt.stops[s] }

// expr walks through an expression, or a simple statement.
func (r *reacher) expr(n syntax.Node, used syntax.Position) {
	syntax.Walk(n, func(n syntax.Node) bool {
		switch x := n.(type) {
		case *syntax.CondExpr:
			if r.lt.looksAtHost(x.Cond) {
				return false
			}
		case *syntax.BinaryExpr:
			if (x.Op == syntax.AND || x.Op == syntax.OR) && r.lt.looksAtHost(x.X) {
				return false
			}
		case *syntax.Comprehension:
			if slices.ContainsFunc(x.Clauses, func(c syntax.Node) bool { return r.lt.looksAtHost(c) }) {
				return false
			}
		case *syntax.IndexExpr:
			if r.lt.looksAtHost(x.Y) {
				return false
			}
		case *syntax.CallExpr:
			if r.chooses(x) {
				return false
			}
			r.call(x, used)
		case *syntax.Ident:
			r.name(x, used)
		}
		return true
	})
}

// chooses reports whether a call is table.get(key) with a key that depends on the host.
func (r *reacher) chooses(x *syntax.CallExpr) bool {
	fn, ok := x.Fn.(*syntax.DotExpr)
	return ok && fn.Name.Name == "get" && len(x.Args) > 0 && r.lt.looksAtHost(x.Args[0])
}

// call notes an exec that is made here of a literal program.
func (r *reacher) call(x *syntax.CallExpr, used syntax.Position) {
	if r.lt.calls(x) != "exec" || len(x.Args) == 0 {
		return
	}
	program, ok := literal(x.Args[0]).(starlark.String)
	if !ok || program == "" || !usualPath(x) {
		return
	}
	r.add(&plan.Exec{Argv: []string{string(program)}}, syntax.Start(x), used)
}

// usualPath reports whether a call of exec surely leaves PATH and the working
// directory alone.
func usualPath(x *syntax.CallExpr) bool {
	return !slices.ContainsFunc(x.Args, func(a syntax.Expr) bool {
		kw, ok := keywordArg(a)
		if !ok {
			u, ok := a.(*syntax.UnaryExpr)
			return ok && u.Op == syntax.STARSTAR
		}
		switch kw.X.(*syntax.Ident).Name {
		case "cwd", "clean_env":
			return true
		case "env":
			dict, ok := kw.Y.(*syntax.DictExpr)
			return !ok || slices.ContainsFunc(dict.List, func(e syntax.Expr) bool {
				key, ok := literal(e.(*syntax.DictEntry).Key).(starlark.String)
				return !ok || key == "PATH"
			})
		}
		return false
	})
}

// name follows a name: into a function, or to the value that a global has.
func (r *reacher) name(id *syntax.Ident, used syntax.Position) {
	if used == (syntax.Position{}) {
		used = id.NamePos
	}
	v := r.lt.known(id)
	if v == nil {
		return
	}
	for _, value := range v.is {
		if f, ok := value.(*lintFunction); ok {
			r.function(f.fn, used)
		}
	}
	var stages plan.Pipeline
	switch value := r.lt.globalValue(id).(type) {
	case *execValue:
		stages = plan.Pipeline{value.e}
	case *pipelineValue:
		stages = value.stages
	}
	for _, e := range stages {
		r.add(e, used, used)
	}
}

// add notes an exec with a place in the site's own text.
func (r *reacher) add(e *plan.Exec, at, used syntax.Position) {
	if used != (syntax.Position{}) {
		at = used
	}
	placed := *e
	placed.Pos = r.lt.l.pos(at)
	r.execs = append(r.execs, &placed)
}

// looksAtHost reports whether a condition depends on what kind of host this is, or
// on what it has.
func (lt *linter) looksAtHost(n syntax.Node) (found bool) {
	syntax.Walk(n, func(n syntax.Node) bool {
		switch x := n.(type) {
		case *syntax.Ident:
			found = found || isFact(x) || lt.factVariable(lt.known(x))
		case *syntax.DotExpr:
			found = found || lt.seen[x.X].has(lt.context) && slices.Contains([]string{"exists", "read", "host", "args"}, x.Name.Name)
		case *syntax.Literal:
			s, _ := x.Value.(string)
			found = found || s == "which" || strings.Contains(s, "command -v")
		}
		return !found
	})
	return found
}

func isFact(id *syntax.Ident) bool {
	b, ok := id.Binding.(*resolve.Binding)
	return ok && b.Scope == resolve.Predeclared && slices.Contains([]string{"host", "env", "read_file", "glob", "path_exists", "which"}, id.Name)
}

// factVariable reports whether the value of a variable, or what a function does,
// depends on the host.
func (lt *linter) factVariable(v *variable) bool {
	if v == nil {
		return false
	}
	if known, ok := lt.facts[v]; ok {
		return known
	}
	lt.facts[v] = false // while it is being found out
	fact := slices.ContainsFunc(v.sources, func(x syntax.Expr) bool { return lt.looksAtHost(x) }) || lt.factVariable(v.imported) ||
		v.def != nil && slices.ContainsFunc(v.def.body, func(s syntax.Stmt) bool { return lt.looksAtHost(s) })
	lt.facts[v] = fact
	return fact
}
