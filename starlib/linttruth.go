package starlib

import (
	"fmt"

	"go.starlark.net/resolve"
	"go.starlark.net/syntax"
)

// lintTruth warns of a condition that is always true, because it is not the answer
// but what would have to be asked.
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
	g := lt.kindOf(x)
	if g.maybe {
		return // the question is whether it is None
	}
	sees := fmt.Sprintf("%q sees %s", op.String(), g.noun())
	switch g.kind {
	case execKind, pipelineKind:
		if lt.functionOf(x) == nil {
			lt.warn(syntax.Start(x), sees+", not its result: a command is always true while the site loads", "use | or a routine's steps")
		} else {
			lt.warn(syntax.Start(x), sees+", not its result: a command is always true", "whether it goes well is ctx.run(..., check = False).ok")
		}
	case taskKind:
		lt.warn(syntax.Start(x), sees+", which is always true", "whether it goes well is ctx.run(..., check = False).ok")
	case resultKind, outcomeKind:
		lt.warn(syntax.Start(x), sees+", which is always true", "write "+shortText(x)+".ok")
	case functionKind, builtinKind, methodKind:
		lt.warn(syntax.Start(x), sees+", which is always true", "call it: "+shortText(x)+"(...)")
	}
}

// lintEqual warns of a result that is compared with what it never equals.
func (lt *linter) lintEqual(x *syntax.BinaryExpr) {
	for _, sides := range [][2]syntax.Expr{{x.X, x.Y}, {x.Y, x.X}} {
		g := lt.kindOf(sides[0])
		if (g.kind == resultKind || g.command()) && !g.maybe && isConstant(sides[1]) {
			lt.warn(syntax.Start(sides[0]), fmt.Sprintf("%q compares %s, which never equals this", x.Op.String(), g.noun()), "compare .ok, .code or .stdout of what ctx.run(...) gives")
		}
	}
}

func isConstant(x syntax.Expr) bool {
	switch x := x.(type) {
	case *syntax.ParenExpr:
		return isConstant(x.X)
	case *syntax.Literal:
		return true
	case *syntax.Ident:
		b, ok := x.Binding.(*resolve.Binding)
		return ok && b.Scope == resolve.Universal && (x.Name == "True" || x.Name == "False")
	}
	return false
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
