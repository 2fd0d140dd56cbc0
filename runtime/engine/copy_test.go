package engine_test

import (
	"context"
	"io"
	"testing"
	"time"

	"palhm/backends"
	"palhm/runtime/plan"
)

// hinted is a memory that notes what size each Put is told to expect.
type hinted struct {
	*memory
	hints map[string]int64 // by path
}

func (h *hinted) Begin(ctx context.Context, prefix string) (backends.Copy, error) {
	c, err := h.memory.Begin(ctx, prefix)
	return &hintedCopy{c, h}, err
}

type hintedCopy struct {
	backends.Copy
	store *hinted
}

func (c *hintedCopy) Put(ctx context.Context, path string, r io.Reader, sizeHint int64) (int64, error) {
	c.store.hints[path] = sizeHint
	return c.Copy.Put(ctx, path, r, sizeHint)
}

func TestAllocSize(t *testing.T) {
	f := newFixture(t)
	f.Workers = 1
	store := &hinted{f.store, map[string]int64{}}
	f.Open = func(plan.Backend) (backends.Store, error) { return store, nil }
	o := object("dump", sh("printf 1234567"))
	o.AllocSize = 1 << 40
	if err := f.run(t, backupTask(o, object("other", sh("echo a")))); err != nil {
		t.Fatal(err)
	}
	if store.hints["dump"] != 1<<40 || store.hints["other"] != 0 {
		t.Errorf("the backend was told of sizes %v", store.hints)
	}
}

// A copy's name is cut to the second; how long the copy took is not.
func TestDuration(t *testing.T) {
	f := newFixture(t)
	c := &clock{now: time.Date(2026, 5, 1, 12, 0, 0, 900e6, time.UTC)}
	f.Now, f.Sleep = c.Now, c.Sleep
	f.store.putErr = func(string) error { return c.Sleep(t.Context(), time.Minute) }
	r, err := f.Run(t.Context(), new(plan.Site), backupTask(object("a", sh("echo a"))))
	if err != nil || r.Copies[0].Duration != time.Minute {
		t.Errorf("got %v, %+v, want a minute", err, r.Copies)
	}
}
