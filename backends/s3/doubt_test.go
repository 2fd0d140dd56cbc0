package s3_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"palhm/backends"
	"palhm/backends/s3"
	"palhm/backends/s3/s3test"
)

// after plays a fault for the first request of an operation, and does something then, as
// if it had come right after that request.
func after(op string, f s3test.Fault, do func()) func(string, string) s3test.Fault {
	var once sync.Once
	return func(got, _ string) (played s3test.Fault) {
		if got == op {
			once.Do(func() { played = f; do() })
		}
		return played
	}
}

// wantRecovered aborts a copy after a failed Put, and lets what the store was asked for
// appear then. It is no copy, and later runs remove it.
func wantRecovered(t *testing.T, srv *s3test.Server, o s3.Options, c backends.Copy, appear func()) {
	t.Helper()
	srv.Set(func(q *s3test.Quirks) { q.Fault = nil })
	if err := c.Abort(t.Context()); err != nil {
		t.Errorf("abort: %v", err)
	}
	appear()
	wantCopies(t, open(t, o))
	wantGone(t, srv, open(t, o), copy1)
}

// TestLateAfterARefusal: the first attempt gets no answer and the next one is refused.
// The store may go on with the first one, and does so when all is cleaned up.
func TestLateAfterARefusal(t *testing.T) {
	for op, size := range map[string]int64{"PutObject": 10, "CompleteMultipartUpload": 2 * part} {
		t.Run(op, func(t *testing.T) {
			srv := s3test.New(t, s3test.Quirks{})
			o := small(t, srv)
			o.Attempts = 4
			c := begin(t, open(t, o), copy1)
			srv.Set(func(q *s3test.Quirks) {
				q.Fault = after(op, s3test.Reset, func() {
					srv.DropUploads()
					srv.Set(func(q *s3test.Quirks) { q.Deny = func(got, key string) bool { return got == op && key == objectKey } })
				})
			})
			if _, err := backends.Put(t.Context(), c, "a", stream(size, nil), 0); err == nil || !strings.Contains(err.Error(), "denied") {
				t.Errorf("put: got %v, want a refusal", err)
			}
			srv.Set(func(q *s3test.Quirks) { q.Deny = nil })
			wantRecovered(t, srv, o, c, func() { srv.Put(objectKey, "whole") })
		})
	}
}

// TestLateUpload: the store never answers the request that begins an upload, and opens it
// when all is cleaned up. It lists it to who knows the key, which is in the journal.
func TestLateUpload(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{ExactUploads: true})
	o := small(t, srv)
	o.Attempts = 2
	c := begin(t, open(t, o), copy1)
	srv.Set(func(q *s3test.Quirks) { q.Fault = times("CreateMultipartUpload", -1, s3test.Reset) })
	if _, err := backends.Put(t.Context(), c, "a", stream(2*part, nil), 0); err == nil {
		t.Error("put: got no error")
	}
	wantRecovered(t, srv, o, c, func() { srv.Begin(objectKey) })
}

// TestYesAndNothing: a completion that is answered with a yes every time makes its object
// when nobody waits for it any more.
func TestYesAndNothing(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	o := small(t, srv)
	o.Attempts = 2
	c := begin(t, open(t, o), copy1)
	srv.Set(func(q *s3test.Quirks) { q.Fault = times("CompleteMultipartUpload", -1, s3test.FalseYes) })
	if _, err := backends.Put(t.Context(), c, "a", stream(2*part, nil), 0); err == nil {
		t.Error("put: got no error")
	}
	wantRecovered(t, srv, o, c, func() { srv.Put(objectKey, "whole") })
}

// TestRefusedLeavesNoDoubt: where every attempt was refused, nothing has to stay.
func TestRefusedLeavesNoDoubt(t *testing.T) {
	for op, size := range map[string]int64{"PutObject": 10, "CreateMultipartUpload": 2 * part, "CompleteMultipartUpload": 2 * part} {
		srv := s3test.New(t, s3test.Quirks{})
		c := begin(t, open(t, small(t, srv)), copy1)
		srv.Set(func(q *s3test.Quirks) { q.Deny = func(got, key string) bool { return got == op && key == objectKey } })
		if _, err := backends.Put(t.Context(), c, "a", stream(size, nil), 0); err == nil {
			t.Error("put: got no error")
		}
		if err := c.Abort(t.Context()); err != nil {
			t.Error(err)
		}
		wantNothing(t, srv, copy1)
	}
}

// TestManifestThenARefusal: the manifest was stored, its answer was lost, and then the
// credentials may neither write nor look any more. A commit that has failed is not listed.
func TestManifestThenARefusal(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	s := open(t, small(t, srv))
	c := begin(t, s, copy1)
	m := manifest(copy1, put(t, c, "a", "x"))
	var sent sync.Once
	srv.Set(func(q *s3test.Quirks) {
		q.Fault = func(op, key string) (f s3test.Fault) {
			if op == "PutObject" && key == manifestKey {
				sent.Do(func() {
					f = s3test.LoseAnswer
					srv.Set(func(q *s3test.Quirks) {
						q.Deny = func(op, _ string) bool { return op != "DeleteObject" }
					})
				})
			}
			return f
		}
	})
	if err := backends.Commit(t.Context(), c, m); err == nil {
		t.Fatal("commit: got no error")
	}
	srv.Set(func(q *s3test.Quirks) { q.Deny = nil })
	wantCopies(t, s)
}

// TestOtherBytes of the same number at the key are not taken for the object.
func TestOtherBytes(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	c := begin(t, open(t, small(t, srv)), copy1)
	srv.Set(func(q *s3test.Quirks) {
		q.Fault = after("CompleteMultipartUpload", s3test.None, func() { srv.Put(objectKey, strings.Repeat("x", 2*part)) })
	})
	if _, err := backends.Put(t.Context(), c, "a", stream(2*part, nil), 0); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("put: got %v, want an error", err)
	}
}

// TestAbortThatDidNothing: an upload that is there after the abort, as with a part that
// came late, is aborted again.
func TestAbortThatDidNothing(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	c := begin(t, open(t, small(t, srv)), copy1)
	srv.Set(func(q *s3test.Quirks) { q.Fault = times("AbortMultipartUpload", 1, s3test.FalseYes) })
	if _, err := backends.Put(t.Context(), c, "a", stream(2*part, errors.New("exit code 1")), 0); err == nil {
		t.Error("put: got no error")
	}
	if left := srv.Uploads(); len(left) > 0 {
		t.Errorf("open uploads: %q", left)
	}
}

// TestMadeAfterAll: an object that was made, and of which no answer said so, is gone when
// Put has failed.
func TestMadeAfterAll(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	o := small(t, srv)
	o.Attempts = 2
	c := begin(t, open(t, o), copy1)
	srv.Set(func(q *s3test.Quirks) {
		q.Fault = func(op, _ string) s3test.Fault {
			return map[string]s3test.Fault{"CompleteMultipartUpload": s3test.LoseAnswer, "HeadObject": s3test.Reset}[op]
		}
	})
	if _, err := backends.Put(t.Context(), c, "a", stream(2*part, nil), 0); err == nil {
		t.Error("put: got no error")
	}
	wantNoObject(t, srv)
}

func wantNoObject(t *testing.T, srv *s3test.Server) {
	t.Helper()
	if _, there := srv.Get(objectKey); there {
		t.Error("the object is left")
	}
}

// TestTakenBeforeTheManifest: a copy that was lost before its manifest is sent gets none,
// not even for a moment.
func TestTakenBeforeTheManifest(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	c := begin(t, open(t, small(t, srv)), copy1)
	m := manifest(copy1, put(t, c, "a", "x"))
	srv.Put(openKey, `{"run": "somebody else's"}`)
	srv.Set(func(q *s3test.Quirks) {
		q.Fault = func(op, key string) s3test.Fault {
			if op == "PutObject" && key == manifestKey {
				t.Error("the manifest was sent")
			}
			return s3test.None
		}
	})
	if err := backends.Commit(t.Context(), c, m); err == nil {
		t.Error("commit: got no error")
	}
}

// TestSilenceOfRefusals: a store that refuses connections gives no answer, however often
// it is asked.
func TestSilenceOfRefusals(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	o := small(t, srv)
	o.Backoff, o.Silence = 40*time.Millisecond, 2*time.Second
	ctx, cancel := context.WithCancel(t.Context())
	c, err := open(t, o).Begin(ctx, copy1)
	if err != nil {
		t.Fatal(err)
	}
	put(t, c, "small", "x")
	srv.Stop()
	cancel()
	start := time.Now()
	if err := c.Abort(context.WithoutCancel(ctx)); err == nil {
		t.Error("abort: got no error")
	}
	if d := time.Since(start); d > o.Silence*3/2 {
		t.Errorf("it took %s, want about %s", d, o.Silence)
	}
	srv.Resume()
}
