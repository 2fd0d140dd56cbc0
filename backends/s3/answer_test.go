package s3_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"palhm/backends"
	"palhm/backends/s3"
	"palhm/backends/s3/s3test"
)

// notAnswers are answers that no store gives.
var notAnswers = map[string]s3test.Fault{
	"a page": s3test.Page, "nothing": s3test.Blank, "404 of a proxy": s3test.Missing,
	"cut": s3test.Cut, "another root": s3test.OtherRoot, "no fields": s3test.NoFields,
}

// fullLife sends every request that there is: a copy is made whose first object fails, it
// is finished, read and removed.
func fullLife(t testing.TB, s *s3.Store) error {
	s.SetLargestCopy(part)
	c, err := s.Begin(t.Context(), copy1)
	if err != nil {
		return err
	}
	defer s3.Drop(c)
	cause := errors.New("exit code 1")
	if _, err := backends.Put(t.Context(), c, "failed", stream(part+1, cause), 0); !errors.Is(err, cause) {
		return fmt.Errorf("got %w, want the reader's error", err)
	}
	m := manifest(copy1, put(t, c, "small", "x"))
	big, err := backends.Put(t.Context(), c, "big", stream(part+9, nil), 0)
	if err != nil {
		return err
	}
	m.Objects = append(m.Objects, record("big", big))
	if err := backends.Commit(t.Context(), c, m); err != nil {
		return err
	}
	if err := s.Finish(t.Context(), copy1); err != nil {
		return err
	}
	infos, err := s.List(t.Context())
	if err != nil || len(infos) != 1 || infos[0].Size != part+10 || infos[0].Damage != nil {
		return fmt.Errorf("listed %+v, %w", infos, err)
	}
	r, err := s.Open(t.Context(), copy1, "big")
	if err != nil {
		return err
	}
	defer r.Close()
	if err := same(r, stream(part+9, nil)); err != nil {
		return err
	}
	if err := s.Remove(t.Context(), copy1); err != nil {
		if _, kept := errors.AsType[*backends.RetainedError](err); !kept {
			return err
		}
	}
	return s.Recover(t.Context())
}

// fullLifeRequests are what it sends, and lockRequests what it sends with object lock.
var fullLifeRequests = []string{
	"ListObjectsV2", "PutObject", "GetObject", "HeadObject", "DeleteObject", "DeleteObjects",
	"CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "AbortMultipartUpload", "ListParts", "ListMultipartUploads",
	"CopyObject", "UploadPartCopy",
}

var lockRequests = []string{"GetObjectLockConfiguration", "PutObjectRetention"}

// TestNotAnswers: an answer that is not the document it should be is a failed request,
// whatever its status, and the request is sent again.
func TestNotAnswers(t *testing.T) {
	for name, fault := range notAnswers {
		for _, locked := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " ", locked), func(t *testing.T) {
				srv := s3test.New(t, s3test.Quirks{Fault: eachTwice(fault)})
				o := small(t, srv)
				srv.Set(func(q *s3test.Quirks) { q.MinPart = 1 }) // as those of a copy
				o.RotClass = "GLACIER_IR"
				sent := fullLifeRequests
				if locked {
					o.LockMode, o.LockDays = "GOVERNANCE", 1
					sent = lockRequests
				}
				if err := fullLife(t, open(t, o)); err != nil {
					t.Error(err)
				}
				for _, op := range sent {
					if n := srv.Count(op); n < 3 && hasDocument(op, fault) {
						t.Errorf("%s: got %d requests, want more: the answer was believed", op, n)
					}
				}
				if !locked {
					wantNothing(t, srv, copy1)
					return
				}
				for _, key := range []string{"small", "big", ".palhm/manifest.json"} {
					if at := srv.Attributes("web1/daily/" + copy1 + "/" + key); at.Retain.IsZero() {
						t.Errorf("%s is not locked", key)
					}
				}
			})
		}
	}
}

// eachTwice plays a fault for the first two requests of every operation.
func eachTwice(f s3test.Fault) func(string, string) s3test.Fault {
	var mu sync.Mutex
	sent := map[string]int{}
	return func(op, _ string) s3test.Fault {
		mu.Lock()
		defer mu.Unlock()
		if sent[op]++; sent[op] > 2 {
			return s3test.None
		}
		return f
	}
}

// hasDocument: the answer to some requests is no document, which most faults leave alone.
// An answer that names no deleted key has them deleted one by one.
func hasDocument(op string, fault s3test.Fault) bool {
	switch op {
	case "DeleteObjects":
		return fault != s3test.NoFields
	case "PutObjectRetention":
		return fault == s3test.Page || fault == s3test.Missing // an empty body is its answer
	case "PutObject", "GetObject", "HeadObject", "DeleteObject", "UploadPart", "AbortMultipartUpload":
		return fault == s3test.Page || fault == s3test.Blank || fault == s3test.Missing
	}
	return true
}

// TestNotAnswersThatStay are told in one sentence, and nothing is believed.
func TestNotAnswersThatStay(t *testing.T) {
	for name, fault := range notAnswers {
		for _, op := range []string{"ListObjectsV2", "PutObject"} {
			if !hasDocument(op, fault) {
				continue
			}
			srv := s3test.New(t, s3test.Quirks{Fault: times(op, -1, fault)})
			o := small(t, srv)
			o.Attempts = 3
			_, err := open(t, o).Begin(t.Context(), copy1)
			wantSentence(t, err, "not the answer of a store")
			t.Logf("%s, %s: %v", op, name, err)
		}
	}
}

// TestCleanUpOfNotAnswers: what a dead run left stays known as garbage while the store's
// listings are no listings.
func TestCleanUpOfNotAnswers(t *testing.T) {
	for name, fault := range notAnswers {
		srv := s3test.New(t, s3test.Quirks{})
		a, o := host(t, srv, "a", 1), small(t, srv)
		o.Attempts = 3
		b := open(t, o)
		b.SetHost("b", "boot-b", 1)
		abandon(t, srv, a, copy1)
		srv.Advance(2 * time.Hour)
		if err := b.Recover(t.Context()); err != nil { // it takes the copy over
			t.Error(err)
		}
		srv.Advance(61 * time.Minute)
		below := 0
		srv.Set(func(q *s3test.Quirks) {
			q.Fault = func(op, _ string) s3test.Fault {
				if op != "ListObjectsV2" {
					return s3test.None
				}
				if below++; below < 3 { // the names, and the state of the copy
					return s3test.None
				}
				return fault
			}
		})
		if err := b.Recover(t.Context()); err == nil {
			t.Errorf("%s: got no error", name)
		}
		srv.Set(func(q *s3test.Quirks) { q.Fault = nil })
		wantCopies(t, b)
		if err := b.Recover(t.Context()); err != nil {
			t.Error(err)
		}
		wantNothing(t, srv, copy1)
	}
}

// TestTruncatedForever: a list that is said to go on and gives a page again, or no way to
// the next one, is an error.
func TestTruncatedForever(t *testing.T) {
	for name, tokens := range map[string][]string{"the same": {"!"}, "none": {""}, "in a circle": {"!", "#", "+"}} {
		n := 0
		srv := s3test.New(t, s3test.Quirks{Page: 2, Token: func(string) string {
			n++
			return tokens[n%len(tokens)] // before all keys
		}})
		for i := range 5 {
			srv.Put(fmt.Sprintf("web1/daily/2022-05-0%d/x", i), "x")
		}
		o := small(t, srv)
		o.Attempts = 3
		_, err := open(t, o).List(t.Context())
		wantSentence(t, err, "the list goes on")
		t.Logf("%s: %v", name, err)
	}
}

// TestListsOfOthers: a list that names keys outside of what was asked for, such as one
// from the cache of a proxy, removes nothing there.
func TestListsOfOthers(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	o := small(t, srv)
	o.Attempts = 3
	s := open(t, o)
	makeCopy(t, s, copy1)
	makeCopy(t, s, copy2)
	srv.Set(func(q *s3test.Quirks) {
		q.Prefix = func(prefix string) string { return strings.TrimSuffix(prefix, copy1+"/") }
	})
	if err := s.Remove(t.Context(), copy1); err == nil || !strings.Contains(err.Error(), "list") {
		t.Errorf("got %v, want a failed listing", err)
	}
	srv.Set(func(q *s3test.Quirks) { q.Prefix = nil })
	wantCopies(t, s, copy2)
}

// TestQuietDelete: a store that does not say which keys it has deleted is asked for one
// after the other.
func TestQuietDelete(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{QuietDelete: true})
	s := open(t, small(t, srv))
	makeCopy(t, s, copy1)
	if err := s.Remove(t.Context(), copy1); err != nil {
		t.Error(err)
	}
	wantNothing(t, srv, copy1)
}
