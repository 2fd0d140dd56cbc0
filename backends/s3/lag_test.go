package s3_test

import (
	"slices"
	"testing"
	"time"

	"palhm/backends"
	"palhm/backends/s3"
	"palhm/backends/s3/s3test"
)

// hide keeps a key out of the next listings.
func hide(srv *s3test.Server, key string, lists int) {
	srv.Set(func(q *s3test.Quirks) { q.HideKey, q.HideLists = key, lists })
}

// TestRecoverWithoutManifestListed: a listing that does not show the manifest of a copy
// yet does not make it garbage, whether its run is over in this process or dead.
func TestRecoverWithoutManifestListed(t *testing.T) {
	for name, pid := range map[string]int{"same process": 1 << 30, "next process": 1<<30 + 1} {
		t.Run(name, func(t *testing.T) {
			srv := s3test.New(t, s3test.Quirks{})
			o := small(t, srv)
			s := open(t, o)
			s.SetHost("a", "boot", 1<<30) // no process has this id
			makeCopy(t, s, copy1)
			hide(srv, manifestKey, 8)
			next := open(t, o)
			next.SetHost("a", "boot", pid)
			if err := next.Recover(t.Context()); err != nil {
				t.Error(err)
			}
			hide(srv, "", 0)
			wantCopies(t, next, copy1)
			if _, there := srv.Get(objectKey); !there {
				t.Error("an object of a committed copy was removed")
			}
		})
	}
}

// TestRecoverThatMayNotAsk for the manifest believes the listing only when the copy has
// been garbage for an hour.
func TestRecoverThatMayNotAsk(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{Deny: func(op, _ string) bool { return op == "HeadObject" }})
	a, b := host(t, srv, "a", 1), host(t, srv, "b", 1)
	makeCopy(t, a, copy1)
	abandon(t, srv, a, copy2)
	for _, c := range []struct {
		later time.Duration
		left  bool
	}{{2 * time.Hour, true}, {50 * time.Minute, true}, {11 * time.Minute, false}} {
		srv.Advance(c.later)
		if c.left {
			hide(srv, manifestKey, 8)
		}
		if err := b.Recover(t.Context()); err != nil {
			t.Error(err)
		}
		hide(srv, "", 0)
		wantCopies(t, b, copy1)
		if got := slices.Contains(srv.Keys(), "web1/daily/"+copy2+"/done"); got != c.left {
			t.Errorf("%s later: the garbage is there: %t, want %t", c.later, got, c.left)
		}
	}
	wantNothing(t, srv, copy2)
}

// TestAbortWithoutObjectListed: what an aborted run has stored goes later when no listing
// shows it yet. Until then it is no copy of the Python program.
func TestAbortWithoutObjectListed(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	s := open(t, small(t, srv))
	c := begin(t, s, copy1)
	put(t, c, "a", "x")
	put(t, c, "b", "x")
	hide(srv, objectKey, 8)
	if err := c.Abort(t.Context()); err != nil {
		t.Error(err)
	}
	hide(srv, "", 0)
	wantCopies(t, open(t, small(t, srv)))
	wantGone(t, srv, open(t, small(t, srv)), copy1)
}

// TestRemoveWithoutObjectListed is the same for an old copy.
func TestRemoveWithoutObjectListed(t *testing.T) {
	for _, hidden := range []string{objectKey, "web1/daily/" + copy1 + "/.palhm/SHA256SUMS"} {
		srv := s3test.New(t, s3test.Quirks{})
		s := open(t, small(t, srv))
		makeCopy(t, s, copy1)
		hide(srv, hidden, 8)
		if err := s.Remove(t.Context(), copy1); err != nil {
			t.Error(err)
		}
		hide(srv, "", 0)
		wantCopies(t, s)
		wantGone(t, srv, s, copy1)
	}
}

// TestRecoverWithoutObjectListed is the same for a killed run.
func TestRecoverWithoutObjectListed(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	o := small(t, srv)
	s := open(t, o)
	s.SetHost("a", "boot", 1<<30) // no process has this id
	c := begin(t, s, copy1)
	if _, err := backends.Put(t.Context(), c, "a", stream(2*part, nil), 0); err != nil {
		t.Fatal(err)
	}
	s3.Drop(c)
	next := open(t, o)
	next.SetHost("a", "boot", 1<<30+1)
	hide(srv, objectKey, 8)
	if err := next.Recover(t.Context()); err != nil {
		t.Error(err)
	}
	hide(srv, "", 0)
	wantCopies(t, next)
	wantGone(t, srv, next, copy1)
}

// TestCommittedAndNotListedYet: the copy that was just committed is waited for.
func TestCommittedAndNotListedYet(t *testing.T) {
	for _, hidden := range []string{manifestKey, objectKey} {
		srv := s3test.New(t, s3test.Quirks{})
		s := open(t, small(t, srv))
		makeCopy(t, s, copy2)
		wantCopies(t, s, copy2)
		makeCopy(t, s, copy1)
		hide(srv, hidden, 9)
		wantCopies(t, s, copy1, copy2)
	}
}
