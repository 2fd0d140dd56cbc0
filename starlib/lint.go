package starlib

import (
	"fmt"
	"strings"

	"go.starlark.net/syntax"

	"palhm/runtime/plan"
)

// warn adds a warning about a place in the site's own text.
func (l *loader) warn(pos plan.Pos, format string, args ...any) {
	m := l.byName[pos.File]
	if m == nil || !m.own() {
		return
	}
	l.warnings = append(l.warnings, &Error{Pos: pos, Msg: fmt.Sprintf(format, args...), source: m.line(pos.Line)})
}

// lintTree looks for what can be seen without running a module.
func (l *loader) lintTree(m *module) {
	used := map[string]bool{}
	syntax.Walk(m.tree, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.LoadStmt:
			return false
		case *syntax.Ident:
			used[n.Name] = true
		case *syntax.BinaryExpr:
			if n.Op == syntax.AND || n.Op == syntax.OR {
				if !l.lintTruth(n.X, n.Op) {
					l.lintTruth(n.Y, n.Op)
				}
			}
		case *syntax.UnaryExpr:
			if n.Op == syntax.NOT {
				l.lintTruth(n.X, n.Op)
			}
		case *syntax.IfStmt:
			l.lintTruth(n.Cond, syntax.IF)
		case *syntax.CondExpr:
			l.lintTruth(n.Cond, syntax.IF)
		case *syntax.ExprStmt:
			l.lintDropped(n.X)
		}
		return true
	})
	for _, edge := range m.loads {
		for _, to := range edge.stmt.To {
			if !used[to.Name] {
				l.warn(l.pos(to.NamePos), "%s is loaded and never used", to.Name)
			}
		}
	}
}

// isCommand reports whether an expression surely makes an exec or a pipeline.
func isCommand(x syntax.Expr) bool {
	switch x := x.(type) {
	case *syntax.ParenExpr:
		return isCommand(x.X)
	case *syntax.BinaryExpr:
		return x.Op == syntax.PIPE && (isCommand(x.X) || isCommand(x.Y))
	case *syntax.CallExpr:
		id, ok := x.Fn.(*syntax.Ident)
		return ok && (id.Name == "exec" || id.Name == "pipeline")
	}
	return false
}

// lintTruth warns of a command where a condition is meant: nothing runs while a
// site loads, so a command is always true.
func (l *loader) lintTruth(x syntax.Expr, op syntax.Token) (warned bool) {
	if isCommand(x) {
		l.warn(l.pos(syntax.Start(x)), "%q sees a command, not its result: a command is always true while the site loads; use | or a routine's steps", op.String())
	}
	return isCommand(x)
}

// lintDropped warns of a value that is made and thrown away.
func (l *loader) lintDropped(x syntax.Expr) {
	pipe, ok := x.(*syntax.BinaryExpr)
	if isCommand(x) || ok && pipe.Op == syntax.PIPE {
		l.warn(l.pos(syntax.Start(x)), "this command is never used; give it to an object or to a routine")
	}
}

// lintShell warns of arguments that only a shell would understand.
func (l *loader) lintShell(e *plan.Exec) {
	for i, arg := range e.Argv[1:] {
		switch arg {
		case ">", ">>", "&&", "||", "2>&1", "1>&2", ">&2", ">/dev/null", "2>/dev/null", "&>/dev/null":
		case "|":
			if strings.HasPrefix(e.Argv[i], "-") {
				continue // an option's value, as in cut -d "|"
			}
		default:
			if !strings.HasPrefix(arg, "~/") {
				continue
			}
		}
		l.warn(e.Pos, "there is no shell: %s gets the argument %q as it stands", clip(e.Argv[0]), clip(arg))
		return
	}
}

// lintUnused looks for groups and objects that no backup has.
func (l *loader) lintUnused() {
	if len(l.result.Tasks) == 0 && l.result.BootReport == nil {
		l.warnings = append(l.warnings, &Error{Pos: plan.Pos{File: l.site.name}, Msg: "the site declares no task"})
		return
	}
	for _, g := range l.groups {
		if l.usedGroups[g] {
			continue
		}
		l.warn(g.pos, "group %q is in no backup", g.name)
		for _, o := range g.objects {
			l.usedObjects[o] = true // one warning is enough
		}
	}
	for g := range l.usedGroups {
		for _, o := range g.objects {
			l.usedObjects[o] = true
		}
	}
	for _, o := range l.objects {
		if !l.usedObjects[o] {
			l.warn(o.o.Pos, "object %q is in no group and no backup", o.o.Path)
		}
	}
}
