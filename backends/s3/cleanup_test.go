package s3_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"palhm/backends"
	"palhm/backends/s3"
	"palhm/backends/s3/s3test"
)

// gone are the ways in which a store is gone.
var gone = map[string]func(srv *s3test.Server){
	"never answers": func(srv *s3test.Server) { srv.Set(func(q *s3test.Quirks) { q.Fault = always(s3test.Stall) }) },
	"refuses":       func(srv *s3test.Server) { srv.Stop() },
	"cannot":        func(srv *s3test.Server) { srv.Set(func(q *s3test.Quirks) { q.Fault = always(s3test.Unavailable) }) },
}

func always(f s3test.Fault) func(string, string) s3test.Fault {
	return func(string, string) s3test.Fault { return f }
}

// patient are options with which a store that is gone is waited for longer than any
// test may take, if it is waited for at all.
func patient(t *testing.T, srv *s3test.Server) s3.Options {
	o := small(t, srv)
	o.Backoff, o.Stall, o.Silence = time.Hour, time.Hour, 400*time.Millisecond
	return o
}

// within calls f, which must have returned after a while.
func within(t *testing.T, d time.Duration, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(d):
		t.Fatal("it has not returned")
	}
}

// TestToldToStop while the store is gone: a run in the middle of an upload ends
// nevertheless, and the next one removes what it has left.
func TestToldToStop(t *testing.T) {
	for name, leave := range gone {
		t.Run(name, func(t *testing.T) {
			srv := s3test.New(t, s3test.Quirks{})
			o := patient(t, srv)
			s := open(t, o)
			signal := errors.New("a signal")
			ctx, cancel := context.WithCancelCause(t.Context())
			c, err := s.Begin(ctx, copy1)
			if err != nil {
				t.Fatal(err)
			}
			put(t, c, "small", "x")
			r := &hook{r: io.MultiReader(stream(3*part, nil), blocked(t, 0)), at: 3 * part, do: func() {
				leave(srv)
				cancel(signal)
			}}
			within(t, 30*time.Second, func() {
				if _, err := backends.Put(ctx, c, "big", r, 0); !errors.Is(err, signal) {
					t.Errorf("put: got %v, want the cause", err)
				}
				if err := c.Abort(context.WithoutCancel(ctx)); err == nil || !strings.Contains(err.Error(), "does not answer") {
					t.Errorf("abort: got %v", err)
				}
			})
			srv.Set(func(q *s3test.Quirks) { q.Fault = nil })
			if name == "refuses" {
				srv.Resume()
			}
			wantCopies(t, open(t, o))
			if err := open(t, o).Recover(t.Context()); err != nil {
				t.Error(err)
			}
			wantNothing(t, srv, copy1)
		})
	}
}

// TestToldToStopBeforeTheManifest: a commit that cannot go on ends, and is none.
func TestToldToStopBeforeTheManifest(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	o := patient(t, srv)
	ctx, cancel := context.WithCancel(t.Context())
	c, err := open(t, o).Begin(ctx, copy1)
	if err != nil {
		t.Fatal(err)
	}
	m := manifest(copy1, put(t, c, "a", "x"))
	srv.Set(func(q *s3test.Quirks) { q.Fault = always(s3test.Stall) })
	cancel()
	within(t, 30*time.Second, func() {
		if err := backends.Commit(context.WithoutCancel(ctx), c, m); err == nil {
			t.Error("commit: got no error")
		}
		_ = c.Abort(context.WithoutCancel(ctx))
	})
	srv.Set(func(q *s3test.Quirks) { q.Fault = nil })
	wantCopies(t, open(t, o))
}

// TestHurry: a second signal ends the waiting for a store that is gone, and takes
// nothing from the clean-up with one that is there.
func TestHurry(t *testing.T) {
	for _, answers := range []bool{true, false} {
		srv := s3test.New(t, s3test.Quirks{})
		o := patient(t, srv)
		o.Silence = 8 * time.Second // of which an eighth is left
		hurry := make(chan struct{})
		ctx, cancel := context.WithCancel(backends.WithHurry(t.Context(), hurry))
		c, err := open(t, o).Begin(ctx, copy1)
		if err != nil {
			t.Fatal(err)
		}
		put(t, c, "small", "x")
		if !answers {
			srv.Set(func(q *s3test.Quirks) { q.Fault = always(s3test.Stall) })
		}
		cancel()
		close(hurry)
		within(t, 7*time.Second, func() {
			if err := c.Abort(context.WithoutCancel(ctx)); (err == nil) != answers {
				t.Errorf("abort of a store that answers %t: got %v", answers, err)
			}
		})
		if answers {
			wantNothing(t, srv, copy1)
		}
	}
}

// TestSlowCleanUp: what takes its time and goes on is not cut short.
func TestSlowCleanUp(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{NoMultiDelete: true})
	o := patient(t, srv)
	ctx, cancel := context.WithCancel(t.Context())
	c, err := open(t, o).Begin(ctx, copy1)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range strings.Split("abcdefghij", "") {
		put(t, c, path, "x")
	}
	srv.Set(func(q *s3test.Quirks) {
		q.Fault = func(string, string) s3test.Fault { time.Sleep(o.Silence / 4); return s3test.None }
	})
	cancel()
	if err := c.Abort(context.WithoutCancel(ctx)); err != nil {
		t.Error(err)
	}
	wantNothing(t, srv, copy1)
}
