package starlib

import (
	"fmt"

	"go.starlark.net/syntax"
)

// lintBlock warns of statements that are never reached, in a block and in those
// below it, but for functions.
func (lt *linter) lintBlock(block []syntax.Stmt) {
	for i, s := range block {
		switch s := s.(type) {
		case *syntax.IfStmt:
			lt.lintBlock(s.True)
			lt.lintBlock(s.False)
		case *syntax.ForStmt:
			lt.lintBlock(s.Body)
		}
		if i+1 < len(block) && lt.leaves(s) {
			if next := block[i+1]; !isMarker(next) {
				start, _ := next.Span()
				line, _ := s.Span()
				lt.warn(start, "this is never reached", fmt.Sprintf("what is in line %d goes elsewhere", line.Line))
			}
			return
		}
	}
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

// ends reports whether a block is never left at its end.
func (lt *linter) ends(block []syntax.Stmt) bool {
	for _, s := range block {
		if lt.leaves(s) {
			return true
		}
	}
	return false
}

// leaves reports whether nothing behind a statement is reached.
func (lt *linter) leaves(s syntax.Stmt) bool {
	switch s := s.(type) {
	case *syntax.ReturnStmt:
		return true
	case *syntax.BranchStmt:
		return s.Token != syntax.PASS
	case *syntax.IfStmt:
		return lt.ends(s.True) && lt.ends(s.False)
	case *syntax.ExprStmt:
		return lt.givesUp(s.X)
	}
	return false
}

// givesUp reports whether an expression is a call that never returns.
func (lt *linter) givesUp(x syntax.Expr) bool {
	c, ok := x.(*syntax.CallExpr)
	if !ok {
		return false
	}
	switch g := lt.kindOf(c.Fn); g.kind {
	case methodKind:
		return g.doc.Name == "ctx.fail" || g.doc.Name == "ctx.skip"
	case builtinKind:
		return g.doc.Name == "fail"
	}
	return false
}
