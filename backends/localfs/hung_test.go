package localfs_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"palhm/backends"
	"palhm/runtime/host/hosttest"
)

var errStop = errors.New("told to stop")

// stopSoon returns a context that ends in a moment.
func stopSoon(t *testing.T) context.Context {
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(10*time.Millisecond, func() { cancel(errStop) })
	return ctx
}

// TestHungRoot: a root on a server that is silent keeps no run from ending.
func TestHungRoot(t *testing.T) {
	o := options(hosttest.Hung(t) + "/root")
	o.Patience = time.Millisecond
	s := newStoreWith(t, o)
	for name, do := range map[string]func(ctx context.Context) error{
		"find":    s.Find,
		"recover": s.Recover,
		"list":    func(ctx context.Context) error { _, err := s.List(ctx); return err },
		"lock":    func(ctx context.Context) error { _, err := s.Lock(ctx, backends.Owner{}, 0); return err },
		"begin":   func(ctx context.Context) error { _, err := s.Begin(ctx, copy1); return err },
		"open":    func(ctx context.Context) error { _, err := s.Open(ctx, copy1, "a"); return err },
		"remove":  func(ctx context.Context) error { return s.Remove(ctx, copy1) },
	} {
		if err := do(stopSoon(t)); !errors.Is(err, errStop) {
			t.Errorf("%s: got %v, want the cause", name, err)
		}
	}
}

// TestHungPut: when the file system falls silent under a Put, the copy is left as it is,
// and the next run removes it.
func TestHungPut(t *testing.T) {
	root := t.TempDir()
	hold, held := make(chan struct{}), make(chan struct{})
	o := options(root)
	o.Patience = time.Millisecond
	o.Fault = func(op, path string) error {
		if op == "write" && strings.HasSuffix(path, "/big") {
			close(held)
			<-hold
		}
		return nil
	}
	s := newStoreWith(t, o)
	c := mustBegin(t, s, copy1)
	if _, err := put(t.Context(), c, "small", "x"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		_, err := put(stopSoon(t), c, "big", "x")
		ended <- err
	}()
	<-held
	if err := <-ended; !errors.Is(err, errStop) {
		t.Errorf("put: got %v, want the cause", err)
	}
	if _, err := put(t.Context(), c, "big", "x"); err == nil {
		t.Error("a second try: got no error, want one: the first may still write")
	}
	wantError(t, c.Commit(t.Context(), manifest(copy1)), "has not answered")
	wantError(t, c.Abort(t.Context()), "has not answered")
	close(hold)
	next := newStore(t, root)
	if err := next.Recover(t.Context()); err != nil {
		t.Error(err)
	}
	wantCopies(t, next)
	wantClean(t, root)
}

// TestHungAbort: a second signal leaves a removal that does not end.
func TestHungAbort(t *testing.T) {
	hold := make(chan struct{})
	defer close(hold)
	o := options(t.TempDir())
	o.Patience = time.Millisecond
	o.Fault = func(op, path string) error {
		if op == "unlink" && strings.HasSuffix(path, "/a") {
			<-hold
		}
		return nil
	}
	c := mustBegin(t, newStoreWith(t, o), copy1)
	if _, err := put(t.Context(), c, "a", "x"); err != nil {
		t.Fatal(err)
	}
	hurry := make(chan struct{})
	close(hurry)
	wantError(t, c.Abort(backends.WithHurry(t.Context(), hurry)), "has not answered")
}

// TestAbortInHurry: a file system that answers is cleaned up all the same.
func TestAbortInHurry(t *testing.T) {
	root := t.TempDir()
	c := mustBegin(t, newStore(t, root), copy1)
	if _, err := put(t.Context(), c, "a", "x"); err != nil {
		t.Fatal(err)
	}
	hurry := make(chan struct{})
	close(hurry)
	ctx, cancel := context.WithCancel(backends.WithHurry(t.Context(), hurry))
	cancel()
	if err := c.Abort(ctx); err != nil {
		t.Error(err)
	}
	wantClean(t, root)
}
