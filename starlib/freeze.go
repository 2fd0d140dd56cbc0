package starlib

import (
	"fmt"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
)

// maxDepth bounds how deep values hold each other. Starlark's own str, hash, Freeze and
// json recurse, and Go cannot recover from a stack that is used up.
const maxDepth = 1000

var errTooDeep = fmt.Errorf("a list, dict or other value is nested more than %d deep", maxDepth)

// A circleError tells of a function that holds itself. Starlark's Freeze would not end.
type circleError struct{ fn *starlark.Function }

func (e *circleError) Error() string {
	return fmt.Sprintf("the function %s uses itself, directly or through others, and Starlark has no recursion; write a loop", e.fn.Name())
}

// freeze makes a value and all that it holds immutable, so that several threads may
// read it. The error is errTooDeep or a *circleError.
func freeze(v starlark.Value) error {
	all := newWalk(isContainer)
	if all.height(v) > maxDepth {
		return errTooDeep
	}
	// A list, dict or set remembers that it is frozen, which ends a circle.
	recursive := newWalk(func(v starlark.Value) bool { return isContainer(v) && !isMutable(v) })
	for _, v := range all.found {
		recursive.height(v)
	}
	if recursive.circle != nil {
		return &circleError{recursive.circle}
	}
	v.Freeze()
	return nil
}

// isContainer reports whether other values can be inside of a value.
func isContainer(v starlark.Value) bool {
	switch v := v.(type) {
	case starlark.Tuple:
		return len(v) > 0
	case *starlark.Builtin:
		return v.Receiver() != nil
	case *starlark.Function, *starlarkstruct.Struct, *outcomeValue:
		return true
	}
	return isMutable(v)
}

func isMutable(v starlark.Value) bool {
	switch v.(type) {
	case *starlark.List, *starlark.Dict, *starlark.Set:
		return true
	}
	return false
}

// held calls visit with each value that a container holds, as Freeze finds them.
func held(v starlark.Value, visit func(starlark.Value)) {
	switch v := v.(type) {
	case *starlark.List:
		for i := range v.Len() {
			visit(v.Index(i))
		}
	case starlark.Tuple:
		for _, x := range v {
			visit(x)
		}
	case *starlark.Dict:
		for key, value := range v.Entries() {
			visit(key)
			visit(value)
		}
	case *starlark.Set:
		for x := range v.Elements() {
			visit(x)
		}
	case *starlarkstruct.Struct:
		for _, x := range v.Entries() {
			visit(x)
		}
	case *starlark.Function:
		for i := range v.NumParams() {
			if x := v.ParamDefault(i); x != nil {
				visit(x)
			}
		}
		for i := range v.NumFreeVars() {
			if _, x := v.FreeVar(i); x != nil { // nil is not assigned yet
				visit(x)
			}
		}
	case *starlark.Builtin:
		visit(v.Receiver())
	case *outcomeValue:
		visit(v.value)
	}
}

// parts returns a value and what it holds, as far as others get to see that: what lists,
// tuples, dicts and the results of ctx.attempt have in them, and what these have.
func parts(v starlark.Value) []starlark.Value {
	w := newWalk(func(v starlark.Value) bool {
		switch v.(type) {
		case starlark.Tuple, *starlark.List, *starlark.Dict, *outcomeValue:
			return isContainer(v)
		}
		return false
	})
	w.height(v)
	all := []starlark.Value{v}
	for _, c := range w.found {
		held(c, func(x starlark.Value) { all = append(all, x) })
	}
	return all
}

// identity is what two occurrences of a container have in common.
func identity(v starlark.Value) any {
	if t, ok := v.(starlark.Tuple); ok {
		return struct {
			first *starlark.Value
			n     int
		}{&t[0], len(t)}
	}
	return v // a pointer
}

// A walk goes through what values hold, each container once, without recursion.
type walk struct {
	follow  func(starlark.Value) bool // what it goes into
	heights map[any]int               // of each container that was found; 0 while it is open
	found   []starlark.Value          // these containers
	size    int                       // values that were looked at
	circle  *starlark.Function        // one that holds itself, or nil
	open    []*visit
}

// A visit is a container that is open.
type visit struct {
	v      starlark.Value
	inside []starlark.Value // containers that are still to be visited
	height int
}

func newWalk(follow func(starlark.Value) bool) *walk {
	return &walk{follow: follow, heights: map[any]int{}}
}

// height returns how many containers lie in each other, at most. A circle counts once.
func (w *walk) height(root starlark.Value) int {
	top := &visit{}
	w.open = append(w.open[:0], top)
	w.enter(top, root)
	for {
		last := w.open[len(w.open)-1]
		if n := len(last.inside); n > 0 {
			next := last.inside[n-1]
			last.inside = last.inside[:n-1]
			w.enter(last, next)
			continue
		}
		if last == top {
			return top.height
		}
		w.heights[identity(last.v)] = last.height + 1
		w.open = w.open[:len(w.open)-1]
		above := w.open[len(w.open)-1]
		above.height = max(above.height, last.height+1)
	}
}

func (w *walk) enter(above *visit, v starlark.Value) {
	w.size++
	if !w.follow(v) {
		return
	}
	id := identity(v)
	if h, seen := w.heights[id]; seen {
		above.height = max(above.height, h)
		if h == 0 && w.circle == nil {
			w.circle = w.functionFrom(id)
		}
		return
	}
	w.heights[id] = 0
	w.found = append(w.found, v)
	next := &visit{v: v}
	held(v, func(x starlark.Value) {
		if w.follow(x) {
			next.inside = append(next.inside, x)
		} else {
			w.size++
		}
	})
	w.open = append(w.open, next)
}

// functionFrom finds a function in the circle that closes at an open container.
func (w *walk) functionFrom(id any) *starlark.Function {
	for i := len(w.open) - 1; i > 0; i-- {
		if fn, ok := w.open[i].v.(*starlark.Function); ok {
			return fn
		}
		if identity(w.open[i].v) == id {
			break
		}
	}
	return nil
}
