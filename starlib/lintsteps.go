package starlib

import (
	"errors"
	"fmt"
	"slices"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"palhm/runtime/plan"
)

// findSteps finds out what each function of the text is for: which routines have it as
// a step, and whether a group asks it for objects.
func (lt *linter) findSteps() {
	byStart := lt.functionsByStart()
	note := func(run any) *lintFunc {
		f, ok := run.(*function)
		if !ok {
			return nil
		}
		return byStart[lt.l.pos(f.fn.Position())]
	}
	for _, t := range lt.l.result.Tasks {
		if t.Backup != nil {
			for _, g := range t.Backup.Groups {
				if g.Make == nil {
					continue
				}
				if fn := note(g.Make.Func); fn != nil {
					lt.makers[fn] = true
				}
			}
			continue
		}
		for _, s := range t.Routine.Steps {
			if s.Call == nil {
				continue
			}
			if fn := note(s.Call.Func); fn != nil {
				lt.routines[fn] = append(lt.routines[fn], t.Routine)
			}
		}
	}
}

// taskFunction is the function around a node that a task runs, or nil.
func (lt *linter) taskFunction(n syntax.Node) *lintFunc {
	for fn := lt.functionOf(n); fn != nil; fn = lt.functionOf(fn.node) {
		if lt.makers[fn] || len(lt.routines[fn]) > 0 {
			return fn
		}
	}
	return nil
}

// onlyStep reports whether a function is run as a step and called by no other function,
// for which other rules could hold.
func (lt *linter) onlyStep(fn *lintFunc) bool {
	def, ok := fn.node.(*syntax.DefStmt)
	if !ok {
		return lt.isStep(fn.node)
	}
	v := lt.known(def.Name)
	return v != nil && len(v.bound) == 1 && !slices.ContainsFunc(v.read, func(id *syntax.Ident) bool { return !lt.isStep(id) })
}

// isStep reports whether a node is an argument of routine(...), or in a list that is.
func (lt *linter) isStep(n syntax.Node) bool {
	for n = lt.parents[n]; n != nil; n = lt.parents[n] {
		switch p := n.(type) {
		case *syntax.ParenExpr, *syntax.ListExpr, *syntax.TupleExpr, *syntax.BinaryExpr:
		case *syntax.CallExpr:
			return lt.fixed(p.Fn) == "routine"
		default:
			return false
		}
	}
	return false
}

// taskError says why a task cannot be run where it stands.
func (lt *linter) taskError(x syntax.Expr) error {
	task, ok := lt.globalValue(x).(*taskValue)
	if !ok {
		return nil
	}
	if err := needed(task.task); err != nil {
		return err
	}
	fn := lt.taskFunction(x)
	if fn == nil {
		return nil
	}
	routines := lt.routines[fn]
	switch {
	case lt.makers[fn]:
		return errTaskInGroup(task.task)
	case !lt.onlyStep(fn), slices.ContainsFunc(routines, func(r *plan.Routine) bool { return r.Uses == nil || usesTask(r, task.task) }):
		return nil
	}
	return errNotInUses(task.task)
}

func usesTask(r *plan.Routine, t *plan.Task) bool {
	return slices.ContainsFunc(r.Uses, func(s plan.Step) bool { return s.Task == t })
}

// globalValue is the value of a name at the top level of a module, or nil.
func (lt *linter) globalValue(x syntax.Expr) starlark.Value {
	v := lt.known(x)
	if v == nil {
		return nil
	}
	name := v.name
	for ; v.imported != nil; v = v.imported {
		name = v.imported.name
	}
	b, ok := v.bound[0].Binding.(*resolve.Binding)
	if !ok || b.Scope != resolve.Global {
		return nil
	}
	return v.file.m.globals[name]
}

// argNames lists the arguments that ctx.args can have where a node stands, those of all
// routines of the site. It is nil where that is not sure: in what no task runs, and where
// somebody looks whether there is such an argument.
func (lt *linter) argNames(n syntax.Node) []string {
	fn := lt.taskFunction(n)
	if fn == nil || lt.asksForNames(fn.node) {
		return nil
	}
	names := []string{}
	for _, t := range lt.l.result.Tasks {
		if t.Routine == nil {
			continue
		}
		for _, a := range t.Routine.Args {
			names = append(names, a.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// asksForNames reports whether a part of the text asks what a value has.
func (lt *linter) asksForNames(n syntax.Node) (asks bool) {
	syntax.Walk(n, func(n syntax.Node) bool {
		if id, ok := n.(*syntax.Ident); ok && (id.Name == "hasattr" || id.Name == "dir") {
			asks = true
		}
		return !asks
	})
	return asks
}

// What functions cannot do that give the objects of a group, and where a routine says what
// it uses.
var errSkipInGroup = errors.New("it ends a routine, and this function gives the objects of a group; return [] when there are none")

func errTaskInGroup(t *plan.Task) error {
	return fmt.Errorf("got the task %q; a function that gives the objects of a group runs while its backup holds the root, so it may run execs and pipelines only", t.Name)
}

func errNotInUses(t *plan.Task) error {
	return fmt.Errorf("task %q is not in the routine's uses = [...]; add it there", t.Name)
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

// runs notes that the site runs a function with ctx.
func (l *loader) runs(fn *starlark.Function) {
	if !l.loaded.Load() {
		l.running = append(l.running, fn)
	}
}

// argument is what ctx.args has by the name of an attribute, or none.
func (lt *linter) argument(x *syntax.DotExpr) (all some) {
	names := lt.argNames(x)
	switch {
	case names == nil:
		return anything
	case !slices.Contains(names, x.Name.Name):
		return nil
	}
	kinds := map[plan.ArgKind]starlark.Value{plan.ArgInt: aNumber, plan.ArgBool: starlark.True, plan.ArgString: aText, plan.ArgChoice: aText}
	for _, t := range lt.l.result.Tasks {
		if t.Routine == nil {
			continue
		}
		for _, a := range t.Routine.Args {
			if a.Name == x.Name.Name {
				all = all.with(kinds[a.Kind])
			}
		}
	}
	return all
}
