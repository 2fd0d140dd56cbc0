package engine

import (
	"context"
	"slices"
	"sync"
	"syscall"

	"palhm/runtime/plan"
)

// Mask defers signals that are sent to palhm itself. Its methods are not called
// concurrently by one Run.
type Mask interface {
	// Set defers these signals and no others. Those that have come meanwhile and are
	// no longer among them act before it returns.
	Set([]plan.Signal)
	// Clear defers no signal any more and forgets those that have come.
	Clear()
}

// mask is which signals a run has blocked: for palhm by Engine.Mask, and in every
// process that it starts. It belongs to the run as a whole, whichever task, or
// branch of a function, has changed it.
type mask struct {
	mu      sync.Mutex
	blocked []plan.Signal // sorted
}

// sigmask changes the mask. A signal that ends the run because it is unblocked ends
// it here, and not where somebody looks next.
func (r *run) sigmask(ctx context.Context, m plan.Sigmask) error {
	r.mask.mu.Lock()
	defer r.mask.mu.Unlock()
	blocked := slices.DeleteFunc(slices.Concat(r.mask.blocked, m.Block), func(s plan.Signal) bool {
		return slices.Contains(m.Unblock, s)
	})
	slices.Sort(blocked)
	r.mask.blocked = slices.Compact(blocked)
	r.Log.Debug("mask is changed", "blocked", r.mask.blocked)
	if r.Mask != nil {
		r.Mask.Set(r.mask.blocked)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// unmask ends the mask with the run.
func (r *run) unmask() {
	r.mask.mu.Lock()
	defer r.mask.mu.Unlock()
	if r.Mask != nil {
		r.Mask.Clear()
	}
	r.mask.blocked = nil
}

// blockedSignals is what a process begins with.
func (r *run) blockedSignals() []syscall.Signal {
	r.mask.mu.Lock()
	defer r.mask.mu.Unlock()
	signals := make([]syscall.Signal, len(r.mask.blocked))
	for i, s := range r.mask.blocked {
		signals[i] = syscall.Signal(s)
	}
	return signals
}
