package starlib

import "go.starlark.net/syntax"

// maxChain bounds how many operators, calls, attributes or elifs follow one
// another. Starlark's parser bounds the other ways of nesting; a chain of these
// becomes a tree as deep as it is long, on which its compiler would run out of
// stack, and that cannot be recovered from.
const maxChain = 10_000

// tooLong finds a chain that is too long.
func tooLong(tree *syntax.File) (at syntax.Position, found bool) {
	var expected syntax.Node // belongs to a chain that is counted already
	syntax.Walk(tree, func(n syntax.Node) bool {
		if n == nil || found {
			return !found
		}
		if n == expected {
			expected = nextInChain(n)
			return true
		}
		length := 0
		for next := nextInChain(n); next != nil; next = nextInChain(next) {
			length++
		}
		if length > maxChain {
			at, _ = n.Span()
			found = true
		}
		if length > 0 {
			expected = nextInChain(n)
		}
		return !found
	})
	return at, found
}

// nextInChain is the node that a chain goes on with.
func nextInChain(n syntax.Node) syntax.Node {
	switch n := n.(type) {
	case *syntax.BinaryExpr:
		return n.X
	case *syntax.CallExpr:
		return n.Fn
	case *syntax.DotExpr:
		return n.X
	case *syntax.IndexExpr:
		return n.X
	case *syntax.SliceExpr:
		return n.X
	case *syntax.IfStmt:
		if len(n.False) == 1 {
			return n.False[0]
		}
	}
	return nil
}
