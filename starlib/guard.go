package starlib

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/metrics"
	"time"

	"go.starlark.net/lib/json"
	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
)

// How often the values of a thread are looked at, in its steps. In a step a value gets
// one or two levels deeper: Go's stack is large enough for what one interval adds.
const (
	guardEvery  = 10_000
	guardAtMost = 500_000
)

// maxValues bounds what the variables of a thread hold.
const maxValues = 10_000_000

// guard ends a thread before its values use up Go's stack or the memory of the host, which
// would be the end of palhm.
func guard(thread *starlark.Thread) {
	thread.SetMaxExecutionSteps(guardEvery)
	thread.OnMaxSteps = func(thread *starlark.Thread) {
		size, err := lookAt(thread)
		if err != nil {
			thread.Cancel(err.Error())
		}
		// Looking at many values takes time, so it is done less often.
		thread.SetMaxExecutionSteps(thread.Steps + uint64(min(max(guardEvery, size), guardAtMost)))
	}
}

// lookAt checks what the variables of a thread hold, and returns how much that is. It
// does not see those that a function will capture that is not made yet.
func lookAt(thread *starlark.Thread) (size int, err error) {
	w := newWalk(isContainer)
	for i := range thread.CallStackDepth() {
		frame := thread.DebugFrame(i)
		fn, ok := frame.Callable().(*starlark.Function)
		if !ok {
			continue
		}
		roots := starlark.Tuple{fn}
		for i := range frame.NumLocals() {
			if _, v := frame.Local(i); v != nil { // nil is not assigned yet
				roots = append(roots, v)
			}
		}
		if fn.Name() == "<toplevel>" {
			for _, v := range fn.Globals() {
				roots = append(roots, v)
			}
		}
		if w.height(roots) > maxDepth+1 { // roots is one itself
			return w.size, errTooDeep
		}
		if w.size > maxValues {
			return w.size, fmt.Errorf("the variables hold more than %d values", maxValues)
		}
	}
	return w.size, nil
}

// exhaustive are Starlark's own built-ins that go through all elements of what they get,
// and cannot be stopped; most make room for them. A range, which takes none itself, can
// have more than there is room or time for.
func exhaustive() []string {
	return []string{"all", "any", "enumerate", "list", "max", "min", "reversed", "set", "sorted", "tuple", "zip"}
}

// bounded is such a built-in, which refuses more elements than a thread may hold.
func bounded(name string) *starlark.Builtin {
	plain := starlark.Universe[name].(*starlark.Builtin)
	return starlark.NewBuiltin(name, func(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
		for _, v := range args {
			if n := starlark.Len(v); n > maxValues {
				return nil, fmt.Errorf("%s: got a %s of %d elements, want at most %d", name, v.Type(), n, maxValues)
			}
		}
		return plain.CallInternal(thread, args, kwargs)
	})
}

// maxMemory bounds what a site takes while it loads, in bytes.
const maxMemory = 2 << 30

var errMemory = errors.New("it takes more memory than any site needs")

// withMemory returns a context that ends with errMemory when palhm's heap gets larger
// than most: between two looks of guard a text can be doubled thirty times.
func withMemory(ctx context.Context, most uint64) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if metrics.Read(heap); heap[0].Value.Uint64() > most {
				cancel(errMemory)
			}
		}
	}()
	return ctx, func() { cancel(nil) }
}

// maxJSON bounds the lists and dicts that json.decode makes: a hundred times as much
// memory as text.
const maxJSON = 1_000_000

// jsonModule is Starlark's json, which recurses without a bound.
func jsonModule() *starlarkstruct.Module {
	members := maps.Clone(json.Module.Members)
	for _, name := range []string{"encode", "encode_indent", "decode"} {
		plain := members[name].(*starlark.Builtin)
		wrap := encodeShallow
		if name == "decode" {
			wrap = decodeShallow
		}
		members[name] = starlark.NewBuiltin(plain.Name(), func(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
			return wrap(thread, plain, args, kwargs)
		})
	}
	return &starlarkstruct.Module{Name: json.Module.Name, Members: members}
}

func encodeShallow(thread *starlark.Thread, plain *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if newWalk(isContainer).height(args) > maxDepth+1 {
		return nil, fmt.Errorf("%s: %w", plain.Name(), errTooDeep)
	}
	return plain.CallInternal(thread, args, kwargs)
}

func decodeShallow(thread *starlark.Thread, plain *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if len(args) == 0 {
		return plain.CallInternal(thread, args, kwargs)
	}
	text, _ := starlark.AsString(args[0])
	at, why := jsonLimit(text)
	if why == "" {
		return plain.CallInternal(thread, args, kwargs)
	}
	// It is bad JSON, as no text is: there may be a default for that.
	if v, err := plain.CallInternal(thread, append(starlark.Tuple{starlark.String("")}, args[1:]...), kwargs); err == nil {
		return v, nil
	}
	return nil, fmt.Errorf("%s: at offset %d, %s", plain.Name(), at, why)
}

// jsonLimit says where JSON begins to be more than json.decode takes, or "".
func jsonLimit(text string) (at int, why string) {
	quoted, open, all := false, 0, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			open++
			all++
			if open > maxDepth {
				return i, fmt.Sprintf("more than %d brackets are open", maxDepth)
			}
			if all > maxJSON {
				return i, fmt.Sprintf("there are more than %d lists and objects", maxJSON)
			}
		case c == ']' || c == '}':
			open--
		}
	}
	return 0, ""
}
