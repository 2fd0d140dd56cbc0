package backends

import "context"

type hurryKey struct{}

// WithHurry returns a context with a channel that is closed when nobody wants to wait
// any longer: a second signal. What is cleaned up then is still cleaned up, but a
// store that does not answer at once is given up. nil = never.
func WithHurry(ctx context.Context, hurry <-chan struct{}) context.Context {
	return context.WithValue(ctx, hurryKey{}, hurry)
}

// Hurry is the channel that WithHurry was given, or nil. It outlives the context:
// see context.WithoutCancel.
func Hurry(ctx context.Context) <-chan struct{} {
	hurry, _ := ctx.Value(hurryKey{}).(<-chan struct{})
	return hurry
}
