package starlib

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"palhm/runtime/plan"
)

// An invocation is one call of a function of the site while a task runs. Its strands
// share it.
type invocation struct {
	*function
	rt      plan.Runtime
	objects bool // it gives the objects of a group

	mu       sync.Mutex
	deferred []deferred
}

// deferred is a function that is called when the invocation ends.
type deferred struct {
	fn    starlark.Callable
	above starlark.CallStack
}

// run calls the function, and then what it has deferred, the last first. The error is
// an *Error.
func (inv *invocation) run(ctx context.Context) (starlark.Value, error) {
	s := &strand{invocation: inv, ctx: ctx}
	result, failed := s.call(inv.fn, starlark.Tuple{&ctxValue{inv}})
	for len(inv.deferred) > 0 {
		last := inv.deferred[len(inv.deferred)-1]
		inv.deferred = inv.deferred[:len(inv.deferred)-1]
		failed = inv.clean(ctx, last, failed)
	}
	if failed != nil {
		return nil, failed
	}
	return result, nil
}

// clean calls a deferred function. What has failed before stays the first error, but
// a routine that had nothing to do has failed when its cleaning up does.
func (inv *invocation) clean(ctx context.Context, d deferred, failed *Error) *Error {
	grace, cancel := inv.rt.Grace(ctx)
	defer cancel()
	s := &strand{invocation: inv, ctx: grace, above: d.above, cleaning: true}
	v, err := s.call(d.fn, nil)
	if fn, ok := d.fn.(*starlark.Function); ok && err == nil {
		err = inv.l.neverRan(fn, v)
	}
	if err == nil {
		return failed
	}
	if failed == nil || failed.skip() != nil {
		return err
	}
	failed.also = append(failed.also, err)
	return failed
}

// skip returns why there was nothing to do when ctx.skip ended the function, or nil. e
// may be nil.
func (e *Error) skip() *plan.Skip {
	if e == nil {
		return nil
	}
	skip, _ := errors.AsType[*plan.Skip](e.cause)
	return skip
}

// line is the message with the way out, if there is one.
func (e *Error) line() string {
	if e.Hint == "" {
		return e.Msg
	}
	return e.Msg + "; " + e.Hint
}

// A strand is a Starlark thread of an invocation. Its context ends what blocks.
type strand struct {
	*invocation
	ctx      context.Context
	above    starlark.CallStack // how a branch or a deferred function came to be called
	cleaning bool               // it runs a deferred function
	active   []syntax.Position  // functions that wait for this strand
}

// strandLocal is the thread-local variable that holds the strand of a thread.
const strandLocal = "palhm.strand"

// strandOf returns nil for a thread that loads a site.
func strandOf(t *starlark.Thread) *strand {
	s, _ := t.Local(strandLocal).(*strand)
	return s
}

// call runs a function on a thread of its own: the flag of one that was cancelled
// never goes away.
func (s *strand) call(fn starlark.Callable, args starlark.Tuple) (v starlark.Value, failed *Error) {
	thread := &starlark.Thread{Name: fn.Name(), Print: s.print}
	thread.SetLocal(strandLocal, s)
	guard(thread)
	defer func() {
		if p := recover(); p != nil {
			v, failed = nil, s.l.blameStack(nil, s.above)
			failed.Msg, failed.Hint = fmt.Sprintf("internal error: %v", p), reportFault()
		}
	}()
	stop := context.AfterFunc(s.ctx, func() { thread.Cancel(stoppedMark) })
	defer stop()
	v, err := starlark.Call(thread, fn, args, nil)
	if err != nil {
		return nil, s.explain(err)
	}
	return v, nil
}

// stoppedMark is the reason with which threads are cancelled; the real one is the
// cause of their context.
const stoppedMark = "stopped"

func (s *strand) print(t *starlark.Thread, msg string) {
	pos := s.l.callPos(t.CallFrame(1).Pos)
	s.rt.Log(pos, plan.LogInfo, pos.String()+": "+msg)
}

// below is a stack of calls with what lies above the strand.
func (s *strand) below(stack starlark.CallStack) starlark.CallStack {
	return append(slices.Clip(s.above), stack...)
}

// aboveFor is the stack of a call for a function that it starts on a strand of its
// own; what names that function.
func (c *call) aboveFor(what string) starlark.CallStack {
	stack := c.strand.below(c.thread.CallStack())
	stack[len(stack)-1].Name = what // the built-in itself
	return stack
}

// explain makes an error of what ended Starlark code. One of a built-in already is.
func (s *strand) explain(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	eval, ok := errors.AsType[*starlark.EvalError](err)
	if !ok {
		e := s.l.blameStack(nil, s.above)
		e.Msg = err.Error()
		return e
	}
	e := s.l.evalError(nil, eval, s.below(eval.CallStack))
	switch {
	case strings.HasSuffix(eval.Msg, "cancelled: "+stoppedMark) && s.ctx.Err() != nil:
		e.cause = context.Cause(s.ctx)
		e.Msg, e.Hint = "stopped: "+e.cause.Error(), ""
	case strings.Contains(eval.Msg, " frozen "):
		e.Hint = "what was made while the site loaded, or is used by functions given to ctx.parallel, is shared; change a copy, list(x) or dict(x), and return it"
	}
	return e
}

// builtin runs a built-in while a function runs. Its errors are returned and not
// collected, and it writes into nothing that others see: it gets a loader of its own.
func (s *strand) builtin(c *call, run func(*call) (starlark.Value, error)) (v starlark.Value, err error) {
	c.strand, c.l = s, s.l.scratch()
	defer func() {
		if p := recover(); p != nil {
			c.report(&hintError{fmt.Errorf("internal error: %v", p), reportFault()})
			v, err = nil, c.l.errs.one()
		}
	}()
	if c.b.loading != "" {
		err = &hintError{errors.New("is for while the site loads, and this is a function that runs later"), c.b.loading}
	} else {
		v, err = run(c)
	}
	if placed, ok := err.(*Error); ok {
		return nil, placed // of a strand below
	}
	if err != nil && !errors.Is(err, errReported) {
		c.report(err)
	}
	if c.failed {
		return nil, c.l.errs.one()
	}
	return v, nil
}

// scratch is a loader that knows the site and collects for one call.
func (l *loader) scratch() *loader {
	s := &loader{
		cfg: l.cfg, file: l.file, dir: l.dir, site: l.site, modules: l.modules, byName: l.byName,
		execBuiltin: l.execBuiltin, ctxMethods: l.ctxMethods,
		usedObjects: map[*objectValue]bool{}, usedGroups: map[*groupValue]bool{},
	}
	s.loaded.Store(true)
	return s
}

// one gives the first error, with the others below it.
func (es Errors) one() *Error {
	e := *es[0]
	e.also = append(slices.Clip(e.also), es[1:]...)
	return &e
}

// A failedCall is a failure of what a function has run, or a call that ends it on
// purpose: no mistake in the site, so its text is left as it is.
type failedCall struct {
	err  error
	bare bool // the name of the built-in adds nothing
}

func (e *failedCall) Error() string { return e.err.Error() }
func (e *failedCall) Unwrap() error { return e.err }

func (e *failedCall) describe(to *Error, name string) {
	to.cause, to.Msg = e.err, firstLine(e.err)
	if !e.bare {
		to.Msg = name + ": " + to.Msg
	}
}

// ended returns why the strand must stop, or nil. It comes before every failure that
// a function could look at: nobody goes on after a cancel by mistake.
func (s *strand) ended(err error) error {
	if s.ctx.Err() == nil {
		return nil
	}
	cause := context.Cause(s.ctx)
	if errors.Is(err, cause) {
		return &failedCall{err: err}
	}
	return &failedCall{err: fmt.Errorf("stopped: %w", cause)}
}
