package starlib

import "go.starlark.net/syntax"

// lintDropped warns of a value that is made and thrown away.
func (lt *linter) lintDropped(stmt *syntax.ExprStmt) {
	at := syntax.Start(stmt.X)
	switch x := stmt.X.(type) {
	case *syntax.BinaryExpr:
		if x.Op == syntax.PIPE {
			lt.warnCommand(stmt)
		}
	case *syntax.CallExpr:
		switch g := lt.kindOf(x.Fn); {
		case g.kind == execKind, g.kind == builtinKind && (g.doc.Name == "exec" || g.doc.Name == "pipeline"):
			lt.warnCommand(stmt)
		case g.kind == methodKind && g.doc.Name == "ctx.run" && unchecked(x):
			lt.warn(at, "this result is never looked at, so a failure goes unseen", "look at its .ok, or write _ = ctx.run(...) when a failure does not matter")
		}
	case *syntax.Ident, *syntax.DotExpr:
		switch g := lt.kindOf(x); g.kind {
		case functionKind, builtinKind, methodKind:
			lt.warn(at, "this does nothing", "call it: "+shortText(x)+"(...)")
		case execKind, pipelineKind, taskKind:
			if lt.functionOf(stmt) != nil {
				lt.warn(at, "this does nothing", "ctx.run("+shortText(x)+") runs it")
			}
		}
	}
}

func (lt *linter) warnCommand(stmt *syntax.ExprStmt) {
	if lt.seesContext(stmt) {
		lt.warn(syntax.Start(stmt.X), "this command is never run", "ctx.run(...) runs it")
		return
	}
	lt.warn(syntax.Start(stmt.X), "this command is never used", "give it to an object or to a routine")
}

// seesContext reports whether a function around a node gets ctx.
func (lt *linter) seesContext(n syntax.Node) bool {
	for fn := lt.functionOf(n); fn != nil; fn = lt.functionOf(fn.node) {
		for _, v := range fn.vars {
			if lt.kindOfVariable(v).kind == ctxKind {
				return true
			}
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

// lintLocals warns of variables of a function that nothing reads. Those that come
// with others, as in "for i in ..." or "a, b = ...", often have to be there.
func (lt *linter) lintLocals(fn *lintFunc) {
	for _, v := range fn.locals {
		if v == nil || v.owner != nil || v.opaque || len(v.read) > 0 || len(v.bound) == 0 || v.name[0] == '_' {
			continue
		}
		msg, hint := v.name+" is never used", "a name that begins with _ says that this is meant"
		switch g := lt.kindOfVariable(v); {
		case g.command() && lt.seesContext(v.bound[0]):
			msg, hint = msg+", so this command is never run", "ctx.run("+v.name+") runs it"
		case g.kind == functionKind:
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

// lintLoading warns of a call in a function with ctx that is only for a site that
// loads.
func (lt *linter) lintLoading(x *syntax.CallExpr, d *Doc) {
	way := lt.loading[d.Name]
	if way != "" && lt.seesContext(x) {
		lt.warn(syntax.Start(x), d.Name+" is for while the site loads, and this is a function that runs later", way)
	}
}
