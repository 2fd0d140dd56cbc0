package starlib

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"palhm/runtime/plan"
)

func ctxParallel() *builtin {
	return &builtin{
		Doc: Doc{
			Name:    "ctx.parallel",
			Returns: "list",
			Text: `Calls functions at the same time, without arguments, and waits for all. The result is the list of what they returned, in their
order. When one fails, the others are stopped, and the function that waits fails; ctx.attempt inside of one keeps its failure to itself.
One that calls ctx.skip ends there and is well, with the result None: the others go on, and so does the function that waits.

What these functions use of the one around them can no longer be changed from then on. They return values instead of appending to a list,
and change copies: list(x), dict(x).
In a loop, give each what it needs: [lambda db = db: dump(ctx, db) for db in names].`,
			Params: []Param{
				{Name: "fns", Type: "list of functions", Doc: "each without arguments"},
				{Name: "limit", Type: "int", Default: "None", KeywordOnly: true, Doc: "how many run at a time; None is all"},
			},
		},
		run: func(c *call) (starlark.Value, error) {
			p := &parallel{call: c}
			if err := c.unpack(p.set); err != nil {
				return nil, err
			}
			return p.run()
		},
	}
}

type parallel struct {
	*call
	fns     []starlark.Callable
	limit   int
	results []starlark.Value

	mu     sync.Mutex
	failed *Error // the first
}

func (p *parallel) set(name string, v starlark.Value) error {
	if name == "limit" {
		return toBranches(&p.limit, v)
	}
	return eachElement(v, "functions", func(v starlark.Value) error {
		var fn starlark.Callable
		if err := toThunk(&fn, v); err != nil {
			return err
		}
		p.fns = append(p.fns, fn)
		return nil
	})
}

func toBranches(dst *int, v starlark.Value) error { return toInt(dst, v, 1, math.MaxInt32) }

// errBranch is the cause with which the other branches are stopped when one has failed.
var errBranch = errors.New("another branch of ctx.parallel failed")

func (p *parallel) run() (starlark.Value, error) {
	active := p.active()
	for _, fn := range p.fns {
		if f, ok := fn.(*starlark.Function); ok && slices.Contains(active, f.Position()) {
			return nil, fmt.Errorf("function %s called recursively; write a loop", f.Name())
		}
		if err := freeze(fn); err != nil {
			return nil, err
		}
	}
	if p.limit == 0 || p.limit > len(p.fns) {
		p.limit = len(p.fns)
	}
	if p.strand.rt.Sequential() {
		p.limit = 1
	}
	p.results = make([]starlark.Value, len(p.fns))
	ctx, cancel := context.WithCancelCause(p.strand.ctx)
	defer cancel(nil)
	free := make(chan struct{}, p.limit)
	var branches sync.WaitGroup
	for i := range p.fns {
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		branches.Go(func() {
			defer func() { <-free }()
			p.branch(ctx, cancel, active, i)
		})
	}
	branches.Wait()
	switch {
	case p.failed != nil:
		return nil, p.failed
	case ctx.Err() != nil:
		return nil, p.strand.ended(nil)
	}
	return starlark.NewList(p.results), nil
}

// active lists the functions that wait for the branches. Starlark sees that a function
// calls itself on one thread only.
func (p *parallel) active() []syntax.Position {
	list := slices.Clip(p.strand.active)
	for i := range p.thread.CallStackDepth() {
		if fn, ok := p.thread.DebugFrame(i).Callable().(*starlark.Function); ok {
			list = append(list, fn.Position())
		}
	}
	return list
}

func (p *parallel) branch(ctx context.Context, cancel context.CancelCauseFunc, active []syntax.Position, i int) {
	s := &strand{invocation: p.strand.invocation, ctx: ctx, cleaning: p.strand.cleaning, active: active,
		above: p.aboveFor(fmt.Sprintf("branch %d of ctx.parallel", i+1))}
	v, err := s.call(p.fns[i], nil)
	if skip := err.skip(); skip != nil {
		// The others may have something to do.
		s.rt.Log(skip.Pos, plan.LogInfo, fmt.Sprintf("nothing to do in branch %d of ctx.parallel: %s", i+1, skip.Msg))
		v, err = starlark.None, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil:
		p.results[i] = v
	case p.failed == nil:
		p.failed = err
		cancel(errBranch)
	case !errors.Is(err, errBranch) && context.Cause(ctx) == errBranch:
		p.failed.also = append(p.failed.also, err)
	}
}
