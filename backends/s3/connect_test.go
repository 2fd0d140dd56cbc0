package s3_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"palhm/backends/s3/s3test"
)

// TestConnectingHoldsUpNobody: who waits for another's first request to a store that
// does not answer stops when he is told to, and what needs no answer does not wait.
func TestConnectingHoldsUpNobody(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	s := open(t, small(t, srv))
	asked := make(chan struct{})
	srv.Set(func(q *s3test.Quirks) {
		q.Fault = func(string, string) s3test.Fault {
			close(asked)
			return s3test.Stall
		}
	})
	slow, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _, _ = s.List(slow) }()
	<-asked
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("a signal")
	time.AfterFunc(50*time.Millisecond, func() { cancel(cause) })
	start := time.Now()
	if _, err := s.List(ctx); !errors.Is(err, cause) {
		t.Errorf("got %v, want the cause", err)
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("it took %s", d)
	}
	stop()
	<-done
}
