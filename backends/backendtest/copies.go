package backendtest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"palhm/backends"
)

func badNames(t testing.TB, c Config) {
	s := c.New(t)
	for _, name := range []string{
		"", ".", "..", "/", "latest", ".palhm", "lost+found", "1999", "../" + copy1, copy1 + "/", copy1 + "/a",
		"2022-05-01T06:59:17Z", "2022-02-30T00:00:00+00:00", "2022-05-01T06:59:17+02:00", "2022-05-01T06:59:17.5+00:00",
	} {
		if k, err := s.Begin(t.Context(), name); err == nil {
			abort(t, k)
			t.Errorf("begin %q: got no error, want one", name)
		}
		if err := s.Remove(t.Context(), name); err == nil {
			t.Errorf("remove %q: got no error, want one", name)
		}
		if r, err := s.Open(t.Context(), name, "a"); err == nil {
			r.Close()
			t.Errorf("open a of %q: got no error, want one", name)
		}
	}
	for _, path := range hostile {
		if path == backends.ManifestPath {
			continue
		}
		if r, err := s.Open(t.Context(), copy1, path); err == nil {
			r.Close()
			t.Errorf("open %q: got no error, want one", path)
		}
	}
}

func emptyRoot(t testing.TB, c Config) {
	s := c.New(t)
	if s.Root() == "" {
		t.Errorf("the root has no name")
	}
	wantCopies(t, s)
	wantMissing(t, s, copy1, "a")
	wantMissing(t, s, copy1, backends.ManifestPath)
	if err := s.Remove(t.Context(), copy1); err != nil {
		t.Errorf("remove what is not there: %v", err)
	}
	if err := s.Recover(t.Context()); err != nil {
		t.Errorf("recover: %v", err)
	}
	wantCopies(t, s)
}

func abortTwice(t testing.TB, c Config) {
	s := c.New(t)
	k := begin(t, s, copy1)
	abort(t, k)
	abort(t, k)
	k = begin(t, s, copy1)
	put(t, k, "a/b", "x")
	_, _ = k.Put(t.Context(), "a/c", failing()["in the middle"](), 0)
	abort(t, k)
	abort(t, k)
	wantCopies(t, s)
}

func invisibleBeforeCommit(t testing.TB, c Config) {
	s := c.New(t)
	k := begin(t, s, copy1)
	o := put(t, k, "a", "x")
	for _, view := range []backends.Store{s, c.reopen(t, s)} {
		wantCopies(t, view)
		wantMissing(t, view, copy1, "a")
	}
	commit(t, k, manifest(copy1, o))
	wantCopies(t, s, copy1)
	wantCopies(t, c.reopen(t, s), copy1)
}

// commitIsNotInterrupted: a signal that comes after the last object does not cost
// the copy.
func commitIsNotInterrupted(t testing.TB, c Config) {
	s := c.New(t)
	k := begin(t, s, copy1)
	m := manifest(copy1, put(t, k, "a", "x"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := backends.Commit(ctx, k, m); err != nil {
		t.Errorf("commit under a cancelled context: %v", err)
	}
	wantCopies(t, s, copy1)
}

func abortRemoves(t testing.TB, c Config) {
	s := c.New(t)
	k := begin(t, s, copy1)
	put(t, k, "a", "old")
	put(t, k, "d/b", "old")
	abort(t, k)
	wantCopies(t, s)
	wantMissing(t, s, copy1, "a")
	makeCopy(t, s, copy1, "a", "new") // the name is free again
	wantObject(t, s, copy1, "a", "new")
	wantMissing(t, s, copy1, "d/b")
}

func abortAfterCommit(t testing.TB, c Config) {
	s := c.New(t)
	k := begin(t, s, copy1)
	commit(t, k, manifest(copy1, put(t, k, "a", "x")))
	abort(t, k)
	abort(t, k)
	wantCopies(t, s, copy1)
	wantObject(t, s, copy1, "a", "x")
}

func nothingAfterEnd(t testing.TB, c Config) {
	s := c.New(t)
	k := begin(t, s, copy1)
	o := put(t, k, "a", "x")
	abort(t, k)
	if err := backends.Commit(t.Context(), k, manifest(copy1, o)); err == nil {
		t.Errorf("commit after abort: got no error")
	}
	wantCopies(t, s)
	k = begin(t, s, copy2)
	commit(t, k, manifest(copy2, put(t, k, "a", "x")))
	if _, err := k.Put(t.Context(), "b", strings.NewReader("late"), 0); err == nil {
		t.Errorf("put after commit: got no error")
	}
	wantMissing(t, s, copy2, "b")
}

// badManifest: what could not be read back is not committed.
func badManifest(t testing.TB, c Config) {
	s := c.New(t)
	k := begin(t, s, copy1)
	o := put(t, k, "a", "x")
	for _, m := range []*backends.Manifest{
		manifest(copy3, o), // another copy's
		manifest(copy1, backends.ObjectRecord{Path: "../a", SHA256: o.SHA256}),
		{Prefix: copy1},
	} {
		if err := backends.Commit(t.Context(), k, m); err == nil {
			t.Errorf("commit of manifest %+v: got no error", m)
		}
		wantCopies(t, s)
	}
	abort(t, k)
	wantCopies(t, s)
}

func prefixTaken(t testing.TB, c Config) {
	s := c.New(t)
	makeCopy(t, s, copy1, "a", "x")
	for _, view := range []backends.Store{s, c.reopen(t, s)} {
		k, err := view.Begin(t.Context(), copy1)
		if !errors.Is(err, backends.ErrPrefixTaken) {
			t.Errorf("begin of a copy that is there: got %v, want ErrPrefixTaken", err)
		}
		if err == nil {
			abort(t, k)
		}
	}
	wantObject(t, s, copy1, "a", "x")
	open := begin(t, s, copy3)
	if k, err := c.reopen(t, s).Begin(t.Context(), copy3); !errors.Is(err, backends.ErrPrefixTaken) {
		t.Errorf("begin of a copy that is being made: got %v, want ErrPrefixTaken", err)
		if err == nil {
			abort(t, k)
		}
	}
	commit(t, open, manifest(copy3, put(t, open, "a", "y")))
	wantCopies(t, s, copy1, copy3)
}

func listOrder(t testing.TB, c Config) {
	s := c.New(t)
	for _, prefix := range []string{copy3, copy1, copy4, copy2} {
		makeCopy(t, s, prefix, "a", prefix)
	}
	wantCopies(t, s, copy1, copy2, copy3, copy4)
}

func remove(t testing.TB, c Config) {
	s := c.New(t)
	for _, prefix := range []string{copy1, copy2, copy3} {
		makeCopy(t, s, prefix, "a", prefix, "b/c", "x")
	}
	for range 2 {
		if err := s.Remove(t.Context(), copy2); err != nil {
			t.Errorf("remove: %v", err)
		}
		wantCopies(t, s, copy1, copy3)
		wantMissing(t, s, copy2, "a")
		wantMissing(t, s, copy2, backends.ManifestPath)
	}
	wantObject(t, s, copy1, "a", copy1)
	wantObject(t, s, copy3, "a", copy3)
	makeCopy(t, s, copy2, "a", "again")
	if err := c.reopen(t, s).Remove(t.Context(), copy2); err != nil {
		t.Errorf("remove a second copy of that name: %v", err)
	}
	wantCopies(t, s, copy1, copy3)
}

// removeLeavesOpenCopy: what is not committed is not there for Remove.
func removeLeavesOpenCopy(t testing.TB, c Config) {
	s := c.New(t)
	k := begin(t, s, copy1)
	o := put(t, k, "a", "x")
	if err := s.Remove(t.Context(), copy1); err != nil {
		t.Errorf("remove: %v", err)
	}
	commit(t, k, manifest(copy1, o))
	wantObject(t, s, copy1, "a", "x")
}

func recoverAbandoned(t testing.TB, c Config) {
	s := c.New(t)
	makeCopy(t, s, copy1, "a", "x")
	k := begin(t, s, copy3)
	put(t, k, "a", "half")
	// The run dies here: nobody calls Abort.
	s = c.reopen(t, s)
	for range 2 {
		if err := s.Recover(t.Context()); err != nil {
			t.Fatalf("recover: %v", err)
		}
		wantCopies(t, s, copy1)
		wantObject(t, s, copy1, "a", "x")
	}
	makeCopy(t, s, copy3, "b", "y") // the name is free again
	wantMissing(t, s, copy3, "a")
	wantCopies(t, s, copy1, copy3)
}

// plants are what is in the root and is no business of palhm's.
var plants = []string{
	"1999/a", "lost+found/a", "0-my-photos/a", "notes.txt", copy1 + ".bak/a", "20220501T065917z/a",
	"2022-02-30T00:00:00+00:00/a", "2022-05-01T06:59:17+02:00/a", "2022-05-01T06:59:17Z/a",
	"20220501T065930Z/no-manifest", // compact, and the Python program made no such names
	"2022-05-04T00:00:00+00:00/.palhm/other",
}

func neighbours(t testing.TB, c Config) {
	if c.Plant == nil {
		return
	}
	s := c.New(t)
	for _, p := range plants {
		c.Plant(t, s, p, p)
	}
	wantCopies(t, s)
	makeCopy(t, s, copy1, "a", "x")
	makeCopy(t, s, copy3, "a", "x")
	wantCopies(t, s, copy1, copy3)
	abort(t, begin(t, s, copy4))
	if err := errors.Join(s.Remove(t.Context(), copy1), s.Recover(t.Context())); err != nil {
		t.Errorf("%v", err)
	}
	wantCopies(t, s, copy3)
	for _, p := range plants {
		if got, ok := c.Peek(t, s, p); !ok || got != p {
			t.Errorf("%s is gone or has changed", p)
		}
	}
}

func foreign(t testing.TB, c Config) {
	if c.Plant == nil {
		return
	}
	s := c.New(t)
	c.Plant(t, s, copy1+"/a", "12345")
	c.Plant(t, s, copy1+"/d/e/b", "678")
	c.Plant(t, s, copy3+"/a", "1")
	makeCopy(t, s, copy2, "a", "x")
	wantCopies(t, s, copy1, copy2, copy3)
	got := list(t, s)[0]
	at, _, _ := backends.ParsePrefix(copy1)
	if want := (backends.Info{Prefix: copy1, Time: at, Size: 8, Objects: 2, Foreign: true}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	wantObject(t, s, copy1, "d/e/b", "678")
	for range 2 {
		if err := s.Remove(t.Context(), copy1); err != nil {
			t.Errorf("remove: %v", err)
		}
	}
	wantCopies(t, s, copy2, copy3)
	if _, ok := c.Peek(t, s, copy1+"/d/e/b"); ok {
		t.Errorf("an object of a removed copy is still there")
	}
}

// damage: a copy that cannot be read is told of, and is in nobody's way.
func damage(t testing.TB, c Config) {
	if c.Plant == nil {
		return
	}
	s := c.New(t)
	good := makeCopy(t, s, copy1, "a", "x")
	others, _, err := good.Encode()
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	c.Plant(t, s, copy2+"/.palhm/manifest.json", "garbage")
	c.Plant(t, s, copy3+"/.palhm/manifest.json", string(others))
	c.Plant(t, s, copy4+"/.palhm/manifest.json", strings.Replace(string(others), `"a"`, `"../a"`, 1))
	for _, m := range []string{copy2, copy3, copy4} { // complete, for a store that asks for more than a manifest
		c.Plant(t, s, m+"/.palhm/open.json", "{}")
	}
	wantCopies(t, s, copy1, copy2, copy3, copy4)
	for i, info := range list(t, s) {
		if (info.Damage != nil) != (i > 0) {
			t.Errorf("%s: got damage %v", info.Prefix, info.Damage)
		}
	}
	if err := s.Remove(t.Context(), copy2); err != nil {
		t.Errorf("remove: %v", err)
	}
	wantCopies(t, s, copy1, copy3, copy4)
}

func owner(pid int) backends.Owner {
	return backends.Owner{PID: pid, Host: "host", Task: "task", Since: time.Unix(1, 0).UTC()}
}

// lock: a holder that is another process, which the test stands in for by the id of
// one that is always there.
func lock(t testing.TB, c Config) {
	s, ok := c.New(t).(backends.Locker)
	if !ok {
		return
	}
	release, err := s.Lock(t.Context(), owner(1), 0)
	if err != nil {
		t.Fatalf("lock: %v", err)
	}
	other := c.reopen(t, s.(backends.Store)).(backends.Locker)
	_, err = other.Lock(t.Context(), owner(2), 0)
	locked, ok := errors.AsType[*backends.LockedError](err)
	if !ok {
		t.Fatalf("lock of a locked root: got %v, want a LockedError", err)
	}
	if locked.Owner != owner(1) {
		t.Errorf("got owner %+v, want %+v", locked.Owner, owner(1))
	}
	holder := release
	time.AfterFunc(50*time.Millisecond, func() { _ = holder() })
	release, err = other.Lock(t.Context(), owner(2), time.Minute)
	if err != nil {
		t.Fatalf("lock with a wait: %v", err)
	}
	if err := release(); err != nil {
		t.Errorf("release: %v", err)
	}
	if release, err = s.Lock(t.Context(), owner(1), 0); err != nil {
		t.Fatalf("lock again: %v", err)
	}
	release()
}

// lockWaits: a second task of the same process is never refused.
func lockWaits(t testing.TB, c Config) {
	s, ok := c.New(t).(backends.Locker)
	if !ok {
		return
	}
	release, err := s.Lock(t.Context(), owner(1), 0)
	if err != nil {
		t.Fatalf("lock: %v", err)
	}
	other := c.reopen(t, s.(backends.Store)).(backends.Locker)
	cause := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(100*time.Millisecond, func() { cancel(cause) })
	if _, err := other.Lock(ctx, owner(1), 0); !errors.Is(err, cause) {
		t.Errorf("lock until cancelled: got %v, want the context's cause", err)
	}
	holder := release
	time.AfterFunc(50*time.Millisecond, func() { _ = holder() })
	release, err = other.Lock(t.Context(), owner(1), 0)
	if err != nil {
		t.Fatalf("lock while this process has it: %v", err)
	}
	release()
}
