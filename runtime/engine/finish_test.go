package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"palhm/backends"
	"palhm/runtime/plan"
	"palhm/runtime/rotate"
)

// finishing is a memory that has something to do on copies once they are safe. It
// notes what is done in which order.
type finishing struct {
	*memory
	err   error
	done  func()
	calls []string // "finish PREFIX", "remove PREFIX"
}

var _ backends.Finisher = (*finishing)(nil)

// keeping is a memory that keeps some copies from removal.
type keeping struct{ *memory }

var _ backends.Keeper = keeping{}

func (s keeping) Kept(_ context.Context, prefix string) error { return s.removeErr[prefix] }

// What rotation would do with a copy that the store keeps is to keep it, and why is
// said. An answer that says nothing of it is a failure.
func TestExplainRetainedCopy(t *testing.T) {
	f := newFixture(t)
	f.Open = func(plan.Backend) (backends.Store, error) { return keeping{f.store}, nil }
	now := time.Now().UTC().Truncate(time.Second)
	kept, old := f.store.plant(now.Add(-3*time.Hour), 1), f.store.plant(now.Add(-2*time.Hour), 1)
	f.store.plant(now.Add(-time.Hour), 1)
	f.store.removeErr[kept] = &backends.RetainedError{Prefix: kept, Until: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}
	task := limited(backupTask(object("a", sh("echo a"))), 1)
	r, err := f.Explain(t.Context(), task)
	if err != nil {
		t.Fatal(err)
	}
	if d := r.Decisions[0]; d.Verdict != rotate.Keep || !strings.HasPrefix(d.Reason, "kept until 2030-01-02T03:04:05Z by its lock (3 copies") {
		t.Errorf("got %+v", d)
	}
	if gone := r.Removals(); len(gone) != 1 || gone[0].Copy.Prefix != old {
		t.Errorf("got removals %+v, want %s", gone, old)
	}
	f.store.removeErr[kept] = errors.New("access denied")
	_, err = f.Explain(t.Context(), task)
	wantError(t, err, "access denied")
}

func (s *finishing) Finish(_ context.Context, prefix string) error {
	if prefix != "" && s.copies[prefix] == nil {
		return errors.New("the copy is not committed")
	}
	s.calls = append(s.calls, "finish "+prefix)
	if s.done != nil {
		s.done()
	}
	return s.err
}

func (s *finishing) Remove(ctx context.Context, prefix string) error {
	s.calls = append(s.calls, "remove "+prefix)
	return s.memory.Remove(ctx, prefix)
}

func newFinishing(t *testing.T) (*fixture, *finishing) {
	t.Helper()
	f := newFixture(t)
	s := &finishing{memory: f.store}
	f.Open = func(plan.Backend) (backends.Store, error) { return s, nil }
	return f, s
}

// A copy is finished when it is committed and before any old one goes. When that
// fails the copy is as safe as ever, and the old ones go all the same: the limits
// hold whatever the storage class of a copy is.
func TestFinish(t *testing.T) {
	for _, failure := range []error{nil, errors.New("change a to storage class COLD: no such class")} {
		f, s := newFinishing(t)
		s.err = failure
		old := s.plant(time.Now().UTC().Add(-time.Hour).Truncate(time.Second), 1)
		r, err := f.Run(t.Context(), new(plan.Site), limited(backupTask(object("a", sh("echo a"))), 1))
		if err != nil {
			t.Fatal(err)
		}
		made := r.Copies[0].Prefix
		if want := []string{"finish " + made, "remove " + old}; !slices.Equal(s.calls, want) {
			t.Errorf("got %q, want %q", s.calls, want)
		}
		if !slices.Equal(s.names(), []string{made}) || len(s.aborted) > 0 {
			t.Errorf("left %q, aborted %q; want %s", s.names(), s.aborted, made)
		}
		if failure == nil && len(r.After) > 0 || failure != nil && (len(r.After) != 1 || !strings.Contains(r.After[0], failure.Error())) {
			t.Errorf("finish failed with %v: after %q", failure, r.After)
		}
	}
}

// A signal while a copy is finished ends the run, removes nothing, and the error says
// that the copy is safe.
func TestCancelDuringFinish(t *testing.T) {
	f, s := newFinishing(t)
	old := s.plant(time.Now().UTC().Add(-time.Hour).Truncate(time.Second), 1)
	ctx, cancel := context.WithCancelCause(t.Context())
	s.done = func() { cancel(errors.New("SIGTERM")) }
	s.err = context.Canceled
	r, err := f.Run(ctx, new(plan.Site), limited(backupTask(object("a", sh("echo a"))), 1))
	wantError(t, err, "SIGTERM")
	if len(r.Copies) != 1 || s.copies[r.Copies[0].Prefix] == nil || s.copies[old] == nil || len(r.After) > 0 {
		t.Errorf("copies %q, after %q", s.names(), r.After)
	}
}

// Rotation by itself goes on with what runs could not finish, too.
func TestRotateFinishes(t *testing.T) {
	f, s := newFinishing(t)
	s.err = errors.New("access denied")
	now := time.Now().UTC().Truncate(time.Second)
	old, newest := s.plant(now.Add(-2*time.Hour), 1), s.plant(now.Add(-time.Hour), 1)
	gone, problems, err := f.Rotate(t.Context(), limited(backupTask(object("a", sh("echo a"))), 1))
	if err != nil || len(gone) != 1 || len(problems) != 1 || !strings.Contains(problems[0], "access denied") {
		t.Errorf("got %v, %q, %v", gone, problems, err)
	}
	if want := []string{"finish ", "remove " + old}; !slices.Equal(s.calls, want) || !slices.Equal(s.names(), []string{newest}) {
		t.Errorf("got %q, left %q", s.calls, s.names())
	}
}

// A copy that the store keeps until some day is no failure, neither of a run nor of
// a rotation by itself, and keeps no other copy. The log says until when.
func TestRetainedCopy(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	setup := func() (f *fixture, kept, old string) {
		f = newFixture(t)
		kept, old = f.store.plant(now.Add(-3*time.Hour), 1), f.store.plant(now.Add(-2*time.Hour), 1)
		f.store.plant(now.Add(-time.Hour), 1)
		f.store.removeErr[kept] = &backends.RetainedError{Prefix: kept, Until: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}
		return f, kept, old
	}
	check := func(f *fixture, kept, old string, complaints []string, err error) {
		t.Helper()
		if err != nil || len(complaints) > 0 {
			t.Errorf("got %v, complaints %q", err, complaints)
		}
		if f.store.copies[kept] == nil || f.store.copies[old] != nil {
			t.Errorf("left %q, want %s among them and not %s", f.store.names(), kept, old)
		}
		if log := f.log.String(); !strings.Contains(log, "copy "+kept+" is kept until 2030-01-02T03:04:05Z") {
			t.Errorf("the log does not say until when: %s", log)
		}
	}
	task := limited(backupTask(object("a", sh("echo a"))), 1)
	f, kept, old := setup()
	r, err := f.Run(t.Context(), new(plan.Site), task)
	check(f, kept, old, r.After, err)
	f, kept, old = setup()
	_, problems, err := f.Rotate(t.Context(), task)
	check(f, kept, old, problems, err)
}
