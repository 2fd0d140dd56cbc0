package s3_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"palhm/backends"
	"palhm/backends/s3"
	"palhm/backends/s3/s3test"
)

const (
	openKey     = "web1/daily/" + copy1 + "/.palhm/open.json"
	manifestKey = "web1/daily/" + copy1 + "/.palhm/manifest.json"
	objectKey   = "web1/daily/" + copy1 + "/a"
)

// before does something once, before the first such request is looked at. Others of the
// kind that come meanwhile do not wait.
func before(srv *s3test.Server, op, key string, do func()) {
	var done atomic.Bool
	srv.Set(func(q *s3test.Quirks) {
		q.Fault = func(gotOp, gotKey string) s3test.Fault {
			if gotOp == op && gotKey == key && done.CompareAndSwap(false, true) {
				do()
			}
			return s3test.None
		}
	})
}

// TestCommitWhileItIsLookedAt: a run that was silent for hours commits between two
// requests of a host that takes it for dead.
func TestCommitWhileItIsLookedAt(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	a, b := host(t, srv, "a", 1), host(t, srv, "b", 1)
	c := begin(t, a, copy1)
	m := manifest(copy1, put(t, c, "a", "x"))
	srv.Advance(2 * time.Hour)
	before(srv, "GetObject", openKey, func() {
		if err := backends.Commit(t.Context(), c, m); err != nil {
			t.Errorf("commit: %v", err)
		}
	})
	if err := b.Recover(t.Context()); err != nil {
		t.Error(err)
	}
	wantCopies(t, b, copy1)
	if _, there := srv.Get(objectKey); !there {
		t.Error("an object of a committed copy was removed")
	}
}

// TestTwoHostsAtOnce: both have found the name free before either takes it. One gets
// it, and the other's failure takes nothing from that one.
func TestTwoHostsAtOnce(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	a, b := host(t, srv, "a", 1), host(t, srv, "b", 1)
	var c backends.Copy
	before(srv, "PutObject", openKey, func() {
		srv.Set(func(q *s3test.Quirks) { q.Fault = nil })
		c = begin(t, b, copy1)
	})
	if _, err := a.Begin(t.Context(), copy1); !errors.Is(err, backends.ErrPrefixTaken) {
		t.Errorf("got %v, want ErrPrefixTaken", err)
	}
	if err := backends.Commit(t.Context(), c, manifest(copy1, put(t, c, "a", "x"))); err != nil {
		t.Error(err)
	}
	wantCopies(t, b, copy1)
}

// TestCommitWhileItIsTakenOver: the manifest arrives just before a host takes the copy
// over. It is a copy then, and stays one.
func TestCommitWhileItIsTakenOver(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	a, b := host(t, srv, "a", 1), host(t, srv, "b", 1)
	c := begin(t, a, copy1)
	data, _, err := manifest(copy1, put(t, c, "a", "x")).Encode()
	if err != nil {
		t.Fatal(err)
	}
	s3.Drop(c) // its process was killed right after that
	srv.Advance(2 * time.Hour)
	before(srv, "PutObject", openKey, func() { srv.Put(manifestKey, string(data)) })
	if err := b.Recover(t.Context()); err != nil {
		t.Error(err)
	}
	wantCopies(t, b, copy1)
	if _, there := srv.Get(objectKey); !there {
		t.Error("an object of a committed copy was removed")
	}
}

// TestSuspendedInCommit: a run sleeps for hours between its last sign of life and its
// manifest, and was taken for dead meanwhile.
func TestSuspendedInCommit(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	a, b := host(t, srv, "a", 1), host(t, srv, "b", 1)
	c := begin(t, a, copy1)
	m := manifest(copy1, put(t, c, "a", "x"))
	before(srv, "PutObject", manifestKey, func() {
		srv.Advance(2 * time.Hour)
		if err := b.Recover(t.Context()); err != nil {
			t.Error(err)
		}
	})
	if err := backends.Commit(t.Context(), c, m); err == nil {
		t.Error("commit of a copy that is gone: got no error")
	}
	wantCopies(t, b)
	if err := c.Abort(t.Context()); err != nil {
		t.Error(err)
	}
	wantCopies(t, b)
	wantGone(t, srv, b, copy1)
}

// TestCompletionBeatsTheAbort: an upload becomes an object while a dead run's copy is
// removed. It must not stay, since alone it looks like a copy of the Python program.
func TestCompletionBeatsTheAbort(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	s := open(t, small(t, srv))
	s.SetHost("a", "boot", 1<<30)
	s3.Drop(begin(t, s, copy1))
	before(srv, "ListMultipartUploads", "", func() { srv.Put(objectKey, "whole") })
	s.SetHost("a", "boot", 1<<30+1)
	if err := s.Recover(t.Context()); err != nil {
		t.Error(err)
	}
	wantNothing(t, srv, copy1)
}

// TestLostInCompletion: the copy is taken over while an object is being completed, and
// the answer is lost. The object is made, and may be the other's: it is left to him.
func TestLostInCompletion(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	o := small(t, srv)
	o.Heartbeat = 5 * time.Millisecond
	s := open(t, o)
	c := begin(t, s, copy1)
	srv.Set(func(q *s3test.Quirks) {
		q.Fault = func(op, _ string) s3test.Fault {
			switch op {
			case "CompleteMultipartUpload":
				return s3test.LoseAnswer
			case "HeadObject":
				srv.Put(openKey, `{"run": "somebody else's"}`)
				time.Sleep(50 * time.Millisecond) // until the next sign of life
				return s3test.Reset
			}
			return s3test.None
		}
	})
	if _, err := backends.Put(t.Context(), c, "a", stream(2*part, nil), 0); err == nil {
		t.Error("put: got no error")
	}
	if err := c.Abort(t.Context()); err != nil {
		t.Error(err)
	}
	srv.Set(func(q *s3test.Quirks) { q.Fault = nil })
	if _, there := srv.Get(objectKey); !there {
		t.Error("an object that may be another run's was removed")
	}
	wantCopies(t, s)
	wantGone(t, srv, host(t, srv, "b", 1), copy1)
}

// TestRequestThatOutlivesTheRun: a store may do what was asked for after the client has
// hung up and cleaned up. What appears then is no copy, and later runs remove it.
func TestRequestThatOutlivesTheRun(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	o := small(t, srv)
	s := open(t, o)
	c := begin(t, s, copy1)
	ctx, cancel := context.WithCancelCause(t.Context())
	aborted := make(chan struct{})
	before(srv, "PutObject", objectKey, func() { cancel(errors.New("a signal")); <-aborted })
	if _, err := backends.Put(ctx, c, "a", strings.NewReader("whole"), 0); err == nil {
		t.Error("put: got no error")
	}
	if err := c.Abort(ctx); err != nil {
		t.Error(err)
	}
	close(aborted)
	srv.Put(objectKey, "whole")
	wantCopies(t, s)
	wantGone(t, srv, open(t, o), copy1)
}

// TestUploadThatCouldNotBeAborted is aborted by the next run, also on a store that
// lists it only to who knows its key, however the copy has ended.
func TestUploadThatCouldNotBeAborted(t *testing.T) {
	for _, committed := range []bool{true, false} {
		srv := s3test.New(t, s3test.Quirks{ExactUploads: true})
		o := small(t, srv)
		o.Attempts = 2
		s := open(t, o)
		c := begin(t, s, copy1)
		srv.Set(func(q *s3test.Quirks) { q.Fault = times("AbortMultipartUpload", -1, s3test.Reset) })
		if _, err := backends.Put(t.Context(), c, "a", stream(2*part, errors.New("exit code 1")), 0); err == nil {
			t.Fatal("put: got no error")
		}
		srv.Set(func(q *s3test.Quirks) { q.Fault = nil })
		var err error
		if committed {
			err = backends.Commit(t.Context(), c, manifest(copy1))
		} else {
			err = c.Abort(t.Context())
		}
		if err != nil {
			t.Error(err)
		}
		if err := open(t, o).Recover(t.Context()); err != nil {
			t.Error(err)
		}
		if left := srv.Uploads(); len(left) > 0 {
			t.Errorf("committed %t: open uploads %q", committed, left)
		}
	}
}

// TestPutAgain after one whose outcome is not known and that could not be undone.
func TestPutAgain(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	o := small(t, srv)
	o.Attempts = 2
	s := open(t, o)
	c := begin(t, s, copy1)
	srv.Put(objectKey, "of an earlier attempt")
	if _, err := backends.Put(t.Context(), c, "a", strings.NewReader("x"), 0); err == nil {
		t.Error("put over another object: got no error")
	}
	m := manifest(copy1, put(t, c, "a", "y"))
	if err := backends.Commit(t.Context(), c, m); err != nil {
		t.Error(err)
	}
	if got, _ := srv.Get(objectKey); got != "y" {
		t.Errorf("stored is %q, want %q", got, "y")
	}
}

// TestKeysListedTwice: a listing that shows a key twice costs no object.
func TestKeysListedTwice(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{Page: 3, Overlap: true})
	s := open(t, small(t, srv))
	c := begin(t, s, copy1)
	m := manifest(copy1)
	for _, path := range []string{"a", "b", "c", "d", "e", "f"} {
		m.Objects = append(m.Objects, put(t, c, path, path))
	}
	if err := backends.Commit(t.Context(), c, m); err != nil {
		t.Fatal(err)
	}
	for _, o := range m.Objects {
		if got, _ := srv.Get("web1/daily/" + copy1 + "/" + o.Path); got != o.Path {
			t.Errorf("%s: stored is %q", o.Path, got)
		}
	}
}

// TestHalfOfTheConditions: a store that keeps If-None-Match and ignores If-Match cannot
// tell two hosts apart.
func TestHalfOfTheConditions(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{IgnoreIfMatch: true})
	a, b := host(t, srv, "a", 1), host(t, srv, "b", 1)
	c := begin(t, a, copy1)
	if err := backends.Commit(t.Context(), c, manifest(copy1, put(t, c, "a", "x"))); err != nil {
		t.Error(err)
	}
	if w := strings.Join(c.(backends.Warner).Warnings(), "\n"); !strings.Contains(w, "only one host") {
		t.Errorf("got warnings %q", w)
	}
	c = begin(t, a, copy2)
	m := manifest(copy2, put(t, c, "a", "x"))
	srv.Advance(2 * time.Hour)
	if err := b.Recover(t.Context()); err != nil {
		t.Error(err)
	}
	if err := backends.Commit(t.Context(), c, m); err == nil {
		t.Error("commit of a copy that was taken over: got no error")
	}
	wantCopies(t, a, copy1)
}

// TestKilledInCompletion: a store makes an object after the run that has asked for it
// was killed, while the next run cleans up, or later still. It is no copy by itself.
func TestKilledInCompletion(t *testing.T) {
	for _, soon := range []bool{true, false} {
		srv := s3test.New(t, s3test.Quirks{})
		o := small(t, srv)
		s := open(t, o)
		s.SetHost("a", "boot", 1<<30) // no process has this id
		c := begin(t, s, copy1)
		asked, end := make(chan struct{}), make(chan struct{})
		srv.Set(func(q *s3test.Quirks) {
			q.Fault = func(op, _ string) s3test.Fault {
				if op != "CompleteMultipartUpload" {
					return s3test.None
				}
				close(asked)
				<-end
				return s3test.Reset
			}
		})
		killed, kill := context.WithCancel(t.Context())
		var dead sync.WaitGroup
		dead.Go(func() { _, _ = c.Put(killed, "a", stream(2*part, nil), 0) })
		<-asked
		s3.Drop(c)
		next := open(t, o)
		next.SetHost("a", "boot", 1<<30+1)
		if soon {
			before(srv, "ListMultipartUploads", "", func() { srv.Put(objectKey, "whole") })
		}
		if err := next.Recover(t.Context()); err != nil {
			t.Error(err)
		}
		wantNothing(t, srv, copy1)
		if !soon {
			srv.Put(objectKey, "whole")
		}
		wantCopies(t, next)
		wantGone(t, srv, next, copy1)
		kill()
		close(end)
		dead.Wait()
	}
}

// TestArchivedManifest: a lifecycle rule has moved a copy's manifest to an archive. The
// copy is listed as damaged, and the others as they are.
func TestArchivedManifest(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	o := small(t, srv)
	s := open(t, o)
	makeCopy(t, s, copy1)
	makeCopy(t, s, copy2)
	srv.Set(func(q *s3test.Quirks) {
		q.Deny = func(op, key string) bool { return op == "GetObject" && key == manifestKey }
	})
	infos, err := open(t, o).List(t.Context())
	if err != nil || len(infos) != 2 || infos[0].Damage == nil || infos[1].Damage != nil {
		t.Errorf("got %+v, %v, want a damaged copy and a whole one", infos, err)
	}
}

// TestRangeIgnored: a store that sends the whole object again is not taken to have sent
// the rest.
func TestRangeIgnored(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{IgnoreRange: true})
	s := open(t, small(t, srv))
	c := begin(t, s, copy1)
	content := bytesOf(1 << 20)
	if err := backends.Commit(t.Context(), c, manifest(copy1, put(t, c, "a", content))); err != nil {
		t.Fatal(err)
	}
	srv.Set(func(q *s3test.Quirks) {
		left := 1
		q.Fault = func(op, key string) s3test.Fault {
			if op == "GetObject" && key == objectKey && left > 0 {
				left--
				return s3test.HalfAnswer
			}
			return s3test.None
		}
	})
	r, err := s.Open(t.Context(), copy1, "a")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err == nil && string(got) != content {
		t.Errorf("got %d bytes of %d and no error", len(got), len(content))
	}
}

// TestClassThatIsNotNamed: stores leave out the class STANDARD when they are asked for
// an object, here after the answer to the change was lost.
func TestClassThatIsNotNamed(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	o := small(t, srv)
	o.SinkClass, o.RotClass, o.Attempts = "STANDARD_IA", "STANDARD", 1
	s := open(t, o)
	makeCopy(t, s, copy1)
	srv.Set(func(q *s3test.Quirks) { q.Fault = times("CopyObject", 1, s3test.LoseAnswer) })
	if err := s.Finish(t.Context(), copy1); err != nil {
		t.Error(err)
	}
}

// TestManifestAlone: a host slept before it put its manifest, another one has removed the
// copy meanwhile, and the first one is killed before it takes the manifest back. What is
// left holds nothing: it is listed as damaged, until somebody carries the objects here.
func TestManifestAlone(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	a, b := host(t, srv, "a", 1), host(t, srv, "b", 1)
	c := begin(t, a, copy1)
	m := manifest(copy1, put(t, c, "a", "x"), put(t, c, "b", "y"))
	data, _, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	s3.Drop(c)
	recoverLater(t, srv, b)
	recoverLater(t, srv, b)
	wantNothing(t, srv, copy1)
	srv.Put(manifestKey, string(data))
	for _, step := range []struct {
		key, content string
		damaged      bool
	}{{manifestKey, string(data), true}, {objectKey, "x", true}, {"web1/daily/" + copy1 + "/b", "too long", true}, {"web1/daily/" + copy1 + "/b", "y", false}} {
		srv.Put(step.key, step.content)
		infos, err := b.List(t.Context())
		if err != nil || len(infos) != 1 || (infos[0].Damage != nil) != step.damaged {
			t.Errorf("with %s %q: got %+v, %v, want damaged %t", step.key, step.content, infos, err, step.damaged)
		}
	}
}
