package localfs

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"palhm/backends"
	"palhm/runtime/host"
)

// putPatience is how many times Options.Patience a Put has once ctx has ended. Before it
// returns, the processes have to end that it reads from.
const putPatience = 20

// errLeft is why nothing more is done to a copy: a call of the kernel has not returned.
var errLeft = errors.New("the file system has not answered in time")

// await waits for what the kernel may hold up, as on a file server that is silent. When
// ctx has ended, or nobody wants to wait any longer, it has some more time: a change that
// is under way is better finished. Then it is left, and late gets what comes of it.
func await[T any](ctx context.Context, patience time.Duration, do func() (T, error), late func(T)) (T, error) {
	patient, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	go func() {
		cause := errLeft
		select {
		case <-ctx.Done():
			cause = context.Cause(ctx)
		case <-backends.Hurry(ctx):
		case <-patient.Done():
			return
		}
		timer := time.NewTimer(patience)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel(cause)
		case <-patient.Done():
		}
	}()
	return host.Await(patient, do, late)
}

// awaitDone is await for what gives nothing but an error.
func awaitDone(ctx context.Context, patience time.Duration, do func() error) error {
	_, err := await(ctx, patience, func() (struct{}, error) { return struct{}{}, do() }, nil)
	return err
}

// await is awaitDone for a change to the copy, which is not touched again when that is
// left.
func (c *Copy) await(ctx context.Context, patience time.Duration, do func() error) error {
	var returned atomic.Bool
	err := awaitDone(ctx, patience, func() error {
		defer returned.Store(true)
		return do()
	})
	if !returned.Load() {
		c.left.Store(true)
	}
	return err
}
