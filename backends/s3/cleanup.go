package s3

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"palhm/backends"
)

// cleanupTime bounds what is done after a failure.
const cleanupTime = time.Minute

// hurried is how much of Options.Silence is left once nobody wants to wait.
const hurried = 8

// errSilent ends the waiting for a store.
var errSilent = errors.New("the store does not answer")

// cleanUp returns the context of what has to be done after a failure, which goes on
// when ctx ends. Once the run was told to stop it is impatient.
func (s *Store) cleanUp(ctx context.Context, stop <-chan struct{}) (context.Context, context.CancelFunc) {
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	clean, release := s.impatient(clean, stop)
	return clean, func() { release(); cancel() }
}

// impatient returns a context that ends with ctx, and once stop is closed also when the
// store has answered nothing for a while, or nothing but that it cannot: whoever sent
// the signal kills what does not end. What is left is found by the next run.
func (s *Store) impatient(ctx context.Context, stop <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-stop:
			s.awaitSilence(ctx)
			cancel(errSilent)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// awaitSilence returns when the store has given no answer for too long, or ctx ends.
func (s *Store) awaitSilence(ctx context.Context) {
	since, limit, hurry := time.Now(), s.opt.Silence, backends.Hurry(ctx)
	for {
		if last := s.answered.Load(); last != nil && last.After(since) {
			since = *last
		}
		left := limit - time.Since(since)
		if left <= 0 {
			return
		}
		select {
		case <-time.After(left):
		case <-hurry:
			limit, hurry = s.opt.Silence/hurried, nil
		case <-ctx.Done():
			return
		}
	}
}

// doubt says of a request whether the store may do yet what it was asked for: it has
// answered one of the attempts not at all, or with an error of its own. A later attempt
// that is refused takes nothing of that back.
type doubt struct{ atomic.Bool }

type doubtKey struct{}

// doubting returns a context that notes the doubts of the requests made with it.
func doubting(ctx context.Context) (context.Context, *doubt) {
	d := new(doubt)
	return context.WithValue(ctx, doubtKey{}, d), d
}
