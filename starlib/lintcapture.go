package starlib

import (
	"fmt"
	"slices"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// lintCaptures warns of a function that is made in a loop, outlives its round and
// uses a variable of the loop: it sees the value of the last round.
func (lt *linter) lintCaptures(loop syntax.Node) {
	vars := lt.loopVariables(loop)
	syntax.Walk(loop, func(n syntax.Node) bool {
		fn := lt.funcs[n]
		if n == nil || fn == nil {
			return true
		}
		if v := lt.captured(fn, vars); v != nil && !lt.lastRound(n, loop) && lt.escapesFunction(fn, loop) {
			way := fmt.Sprintf("lambda %s = %[1]s: ...", v.name)
			what := "this lambda"
			if def, ok := n.(*syntax.DefStmt); ok {
				way, what = fmt.Sprintf("def %s(%s = %[2]s)", def.Name.Name, v.name), def.Name.Name
			}
			if len(fn.params) > 0 {
				way = fmt.Sprintf("a last parameter %s = %[1]s", v.name)
			}
			lt.warn(functionStart(n), fmt.Sprintf("%s sees the %s of the loop's last round, not that of its own", what, v.name), "bind it now: "+way)
		}
		return false // what is in it belongs to it
	})
}

// loopVariables are those that a loop binds anew in each round: its own, and in a
// for statement those that are made of them.
func (lt *linter) loopVariables(loop syntax.Node) []*variable {
	var vars []*variable
	own := func(x syntax.Expr) {
		syntax.Walk(x, func(n syntax.Node) bool {
			if v := lt.known(n); v != nil {
				vars = append(vars, v)
			}
			return true
		})
	}
	switch loop := loop.(type) {
	case *syntax.Comprehension:
		for _, c := range loop.Clauses {
			if c, ok := c.(*syntax.ForClause); ok {
				own(c.Vars)
			}
		}
	case *syntax.ForStmt:
		own(loop.Vars)
		for _, s := range loop.Body {
			syntax.Walk(s, func(n syntax.Node) bool {
				if lt.funcs[n] != nil {
					return false
				}
				assign, ok := n.(*syntax.AssignStmt)
				if !ok {
					return true
				}
				if v := lt.known(assign.LHS); v != nil && !v.opaque && len(v.bound) == 1 && lt.mentions(assign.RHS, vars) != nil {
					vars = append(vars, v)
				}
				return true
			})
		}
	}
	return vars
}

// known is the variable that a node is, or nil.
func (lt *linter) known(n syntax.Node) *variable {
	id, ok := n.(*syntax.Ident)
	if !ok {
		return nil
	}
	b, ok := id.Binding.(*resolve.Binding)
	if !ok || b.First == nil {
		return nil
	}
	return lt.vars[b.First]
}

// mentions finds one of the variables in a part of the text.
func (lt *linter) mentions(n syntax.Node, vars []*variable) (found *variable) {
	syntax.Walk(n, func(n syntax.Node) bool {
		if v := lt.known(n); v != nil && slices.Contains(vars, v) {
			found = v
		}
		return found == nil
	})
	return found
}

// captured finds one of the variables in the body of a function. The defaults of
// its parameters are found while the round lasts.
func (lt *linter) captured(fn *lintFunc, vars []*variable) *variable {
	if lambda, ok := fn.node.(*syntax.LambdaExpr); ok {
		return lt.mentions(lambda.Body, vars)
	}
	for _, s := range fn.body {
		if v := lt.mentions(s, vars); v != nil {
			return v
		}
	}
	return nil
}

// escapesFunction reports whether a function is kept when the round is over.
func (lt *linter) escapesFunction(fn *lintFunc, loop syntax.Node) bool {
	def, ok := fn.node.(*syntax.DefStmt)
	if !ok {
		return lt.escapes(fn.node, loop, nil)
	}
	return lt.escapesVariable(lt.known(def.Name), loop, nil)
}

// escapes reports whether the value of an expression is surely kept when the round
// is over: a function that is only called, or handed to one that calls it, is not.
func (lt *linter) escapes(n, loop syntax.Node, seen []*variable) bool {
	parent := lt.parents[n]
	switch p := parent.(type) {
	case *syntax.ParenExpr, *syntax.ListExpr, *syntax.TupleExpr, *syntax.DictExpr, *syntax.UnaryExpr:
		return lt.escapes(p, loop, seen)
	case *syntax.DictEntry:
		return n == p.Value && lt.escapes(p, loop, seen)
	case *syntax.CondExpr:
		return n != p.Cond && lt.escapes(p, loop, seen)
	case *syntax.BinaryExpr:
		return (p.Op == syntax.EQ || p.Op == syntax.AND || p.Op == syntax.OR || p.Op == syntax.PLUS) && lt.escapes(p, loop, seen)
	case *syntax.Comprehension:
		return n == p.Body && (p == loop || lt.escapes(p, loop, seen))
	case *syntax.CallExpr:
		keeps, passes := lt.keeps(p)
		return keeps || passes && lt.escapes(p, loop, seen)
	case *syntax.AssignStmt:
		return n == p.RHS && lt.escapesAssignment(p, loop, seen)
	}
	return false
}

func (lt *linter) escapesAssignment(s *syntax.AssignStmt, loop syntax.Node, seen []*variable) bool {
	switch s.LHS.(type) {
	case *syntax.IndexExpr, *syntax.DotExpr:
		return true
	}
	sum, ok := s.RHS.(*syntax.BinaryExpr)
	if s.Op != syntax.EQ || ok && sum.Op == syntax.PLUS {
		return true // added to what earlier rounds have left
	}
	return lt.escapesVariable(lt.known(s.LHS), loop, seen)
}

func (lt *linter) escapesVariable(v *variable, loop syntax.Node, seen []*variable) bool {
	if v == nil || slices.Contains(seen, v) {
		return false
	}
	seen = append(seen, v)
	return slices.ContainsFunc(v.read, func(id *syntax.Ident) bool {
		return lt.within(id, loop) && lt.escapes(id, loop, seen)
	})
}

func (lt *linter) within(n, outer syntax.Node) bool {
	for ; n != nil; n = lt.parents[n] {
		if n == outer {
			return true
		}
	}
	return false
}

// keeps reports whether a call keeps its arguments for later, or gives back a value
// that has them in it.
func (lt *linter) keeps(c *syntax.CallExpr) (keeps, passes bool) {
	switch name := lt.calls(c); name {
	case "ctx.defer", "routine", "group":
		return true, false
	case "struct":
		return false, true
	}
	switch fn := c.Fn.(type) {
	case *syntax.DotExpr:
		return slices.Contains([]string{"append", "insert", "extend", "setdefault", "update", "add"}, fn.Name.Name), false
	case *syntax.Ident:
		b, ok := fn.Binding.(*resolve.Binding)
		return false, ok && (b.Scope == resolve.Universal || b.Scope == resolve.Predeclared) && slices.Contains([]string{"list", "tuple", "dict", "zip", "enumerate", "reversed"}, fn.Name)
	}
	return false, false
}

// calls is the name of the built-in that a call surely calls, or "".
func (lt *linter) calls(c *syntax.CallExpr) string {
	if callee := lt.seen[c.Fn]; len(callee) == 1 {
		if fn, ok := callee[0].(*starlark.Builtin); ok {
			return fn.Name()
		}
	}
	return ""
}

// lastRound reports whether the loop ends with the block that a function is in.
func (lt *linter) lastRound(n, loop syntax.Node) bool {
	for ; n != nil && n != loop; n = lt.parents[n] {
		var block []syntax.Stmt
		switch p := lt.parents[n].(type) {
		case *syntax.IfStmt:
			block = p.True
			if s, ok := n.(syntax.Stmt); !ok || !slices.Contains(block, s) {
				block = p.False
			}
		case *syntax.ForStmt:
			if p != loop {
				return false // a break would leave the inner loop only
			}
			block = p.Body
		}
		if len(block) == 0 {
			continue
		}
		switch last := block[len(block)-1].(type) {
		case *syntax.ReturnStmt:
			return true
		case *syntax.BranchStmt:
			if last.Token == syntax.BREAK {
				return true
			}
		}
	}
	return false
}
