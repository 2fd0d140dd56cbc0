package starlib

import (
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"palhm/runtime/plan"
)

// findContexts finds the parameters that hold ctx: those of that name, the first of
// what the site runs as a step or asks for a group's objects, and those that are
// given ctx by another function.
func (lt *linter) findContexts() {
	for _, fn := range lt.runningFunctions() {
		if len(fn.vars) > 0 {
			fn.vars[0].isCtx = true
		}
	}
	calls := lt.calls()
	for changed := true; changed; {
		changed = false
		lt.forget()
		for _, c := range calls {
			changed = lt.passContext(c) || changed
		}
	}
	lt.forget()
}

// runningFunctions are the functions of the text that the site has handed on to be
// run, in the order of that.
func (lt *linter) runningFunctions() (all []*lintFunc) {
	byStart := lt.functionsByStart()
	for _, value := range lt.l.running {
		if fn := byStart[lt.l.pos(value.Position())]; fn != nil {
			all = append(all, fn)
		}
	}
	return all
}

func (lt *linter) functionsByStart() map[plan.Pos]*lintFunc {
	byStart := map[plan.Pos]*lintFunc{}
	for node, fn := range lt.funcs {
		byStart[lt.l.pos(functionStart(node))] = fn
	}
	return byStart
}

func functionStart(n syntax.Node) syntax.Position {
	start, _ := n.Span()
	return start
}

func (lt *linter) calls() (all []*syntax.CallExpr) {
	for n := range lt.parents {
		if c, ok := n.(*syntax.CallExpr); ok {
			all = append(all, c)
		}
	}
	return all
}

// forget makes the linter guess anew.
func (lt *linter) forget() {
	for _, v := range lt.vars {
		v.state = 0
	}
}

// passContext looks at what a call gives to the parameters of a function. It
// reports whether there is anything new.
func (lt *linter) passContext(c *syntax.CallExpr) (changed bool) {
	callee, args := lt.kindOf(c.Fn), c.Args
	if callee.kind == methodKind && callee.doc.Name == "ctx.attempt" && len(args) > 0 {
		callee, args = lt.kindOf(args[0]), args[1:]
	}
	if callee.kind != functionKind || callee.fn == nil {
		return false
	}
	for i, a := range args {
		v := callee.fn.paramFor(i, a)
		if v == nil {
			return changed
		}
		if kw, ok := keywordArg(a); ok {
			a = kw.Y
		}
		switch g := lt.kindOf(a); {
		case g.kind == ctxKind && !v.isCtx:
			v.isCtx, changed = true, true
		case g.kind != ctxKind && g.kind != unknownKind && !v.never:
			v.never, changed = true, true
		}
	}
	return changed
}

// paramFor is the parameter that an argument goes to, or nil when it is not clear.
func (fn *lintFunc) paramFor(i int, arg syntax.Expr) *variable {
	if kw, ok := keywordArg(arg); ok {
		for j, p := range fn.params {
			if p.Name == kw.X.(*syntax.Ident).Name {
				return fn.vars[j]
			}
		}
		return nil
	}
	if u, ok := arg.(*syntax.UnaryExpr); ok && (u.Op == syntax.STAR || u.Op == syntax.STARSTAR) {
		return nil
	}
	if i >= len(fn.params) || fn.params[i].KeywordOnly || fn.params[i].Name[0] == '*' {
		return nil
	}
	return fn.vars[i]
}

// keywordArg is an argument that is given with its name.
func keywordArg(arg syntax.Expr) (*syntax.BinaryExpr, bool) {
	kw, ok := arg.(*syntax.BinaryExpr)
	return kw, ok && kw.Op == syntax.EQ
}

// runs notes that the site runs a function with ctx.
func (l *loader) runs(fn *starlark.Function) {
	if !l.loaded.Load() {
		l.running = append(l.running, fn)
	}
}

// ctxDocs describes what ctx has, by what follows the dot. A method has parentheses in
// its signature.
func ctxDocs() map[string]*Doc {
	docs := map[string]*Doc{}
	for _, b := range ctxBuiltins() {
		d := b.Doc
		if d.Signature == "" {
			d.Signature = b.signature()
		}
		docs[strings.TrimPrefix(d.Name, "ctx.")] = &d
	}
	for _, d := range ctxFields() {
		docs[strings.TrimPrefix(d.Name, "ctx.")] = &d
	}
	return docs
}
