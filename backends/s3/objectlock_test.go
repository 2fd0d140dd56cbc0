package s3_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"palhm/backends"
	"palhm/backends/s3/s3test"
)

// TestObjectLock: all of a committed copy is locked but its open.json, a removal says
// until when, and that can be asked before.
func TestObjectLock(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{Versioned: true})
	o := small(t, srv)
	o.LockMode, o.LockDays = "COMPLIANCE", 30
	s := open(t, o)
	makeCopy(t, s, copy1)
	if err := s.Kept(t.Context(), copy1); err != nil {
		t.Errorf("before it is locked: %v", err)
	}
	if err := s.Finish(t.Context(), copy1); err != nil {
		t.Fatal(err)
	}
	for _, key := range srv.Keys() {
		free := key == openKey || strings.HasSuffix(key, "finished.json")
		got := srv.Attributes(key)
		if days := time.Until(got.Retain).Hours() / 24; free != got.Retain.IsZero() || !free && (got.LockMode != "COMPLIANCE" || days < 29 || days > 31) {
			t.Errorf("%s: got lock %q until %s", key, got.LockMode, got.Retain)
		}
	}
	for _, err := range []error{s.Kept(t.Context(), copy1), s.Remove(t.Context(), copy1)} {
		kept, ok := errors.AsType[*backends.RetainedError](err)
		if !ok || kept.Until.Before(time.Now().AddDate(0, 0, 29)) {
			t.Errorf("got %v, want a RetainedError of 30 days", err)
		}
	}
	wantCopies(t, s, copy1)
}

// TestBucketWithoutObjectLock is found before anything has run. Who may not ask goes
// on, and is told after the commit that no run will help.
func TestBucketWithoutObjectLock(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{NoLock: true})
	o := small(t, srv)
	o.LockMode, o.LockDays = "GOVERNANCE", 1
	_, err := open(t, o).Begin(t.Context(), copy1)
	if err == nil || !strings.Contains(err.Error(), "object_lock_mode") || strings.Contains(err.Error(), "\n") || len(err.Error()) > 300 {
		t.Errorf("got %v, want one sentence that names object_lock_mode", err)
	}
	if keys := srv.Keys(); len(keys) > 0 {
		t.Errorf("got keys %q", keys)
	}
	srv.Set(func(q *s3test.Quirks) { q.Deny = func(op, _ string) bool { return op == "GetObjectLockConfiguration" } })
	s := open(t, o)
	makeCopy(t, s, copy1)
	if err := s.Finish(t.Context(), copy1); err == nil || !strings.Contains(err.Error(), "no run can") || !strings.Contains(err.Error(), "object_lock_mode") {
		t.Errorf("finish: got %v", err)
	}
}

// TestVersionedBucketIsNoticed in a warning, with object lock too: what is removed when
// its lock has ended stays as an old version.
func TestVersionedBucketIsNoticed(t *testing.T) {
	for _, mode := range []string{"", "GOVERNANCE"} {
		o := small(t, s3test.New(t, s3test.Quirks{Versioned: true}))
		if mode != "" {
			o.LockMode, o.LockDays = mode, 1
		}
		w := begin(t, open(t, o), copy1).(backends.Warner).Warnings()
		if len(w) != 1 || !strings.Contains(w[0], "lifecycle") || strings.Contains(w[0], "lock has ended") != (mode != "") {
			t.Errorf("lock %q: got warnings %q", mode, w)
		}
	}
}
