package engine_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"palhm/backends"
	"palhm/runtime/plan"
)

// broken is a store with a mistake in one of its methods.
type broken struct {
	*memory
	in string
}

type brokenCopy struct {
	backends.Copy
	in string
}

func (s broken) Begin(ctx context.Context, prefix string) (backends.Copy, error) {
	if s.in == "begin" {
		panic("at the disco")
	}
	c, err := s.memory.Begin(ctx, prefix)
	return brokenCopy{c, s.in}, err
}

func (s broken) Finish(context.Context, string) error {
	if s.in == "finish" {
		panic("at the disco")
	}
	return nil
}

func (c brokenCopy) Put(ctx context.Context, path string, r io.Reader, hint int64) (int64, error) {
	if c.in == "put" {
		panic("at the disco")
	}
	return c.Copy.Put(ctx, path, r, hint)
}

func (c brokenCopy) Commit(ctx context.Context, m *backends.Manifest) error {
	if c.in == "commit" {
		panic("at the disco")
	}
	return c.Copy.Commit(ctx, m)
}

// TestInternalError: a mistake in palhm fails the task, wherever it is, and nothing of the
// copy stays. Once the copy is safe, it costs only what comes after.
func TestInternalError(t *testing.T) {
	for _, in := range []string{"begin", "put", "commit", "finish"} {
		t.Run(in, func(t *testing.T) {
			f := newFixture(t)
			f.Open = func(plan.Backend) (backends.Store, error) { return broken{f.store, in}, nil }
			r, err := f.Run(t.Context(), &plan.Site{}, backupTask(object("a", sh("echo a")), object("b", sh("echo b"))))
			if in == "finish" {
				if err != nil || len(r.After) != 1 || !strings.Contains(r.After[0], "internal error: at the disco") || len(f.store.names()) != 1 {
					t.Errorf("got %v, %q, copies %q, want a copy and what failed after it", err, r.After, f.store.names())
				}
				return
			}
			wantError(t, err, "internal error: at the disco; this is a fault of palhm")
			if len(f.store.names()) != 0 || r.End.Before(r.Start) || r.End.Equal(time.Time{}) {
				t.Errorf("got copies %q and a report %+v", f.store.names(), r)
			}
		})
	}
}
