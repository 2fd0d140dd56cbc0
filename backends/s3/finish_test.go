package s3_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"palhm/backends"
	"palhm/backends/s3"
	"palhm/backends/s3/s3test"
)

// finishing are options with a class to change to and a copy of one object, of n bytes.
func finishing(t *testing.T, srv *s3test.Server, n int64, change func(o *s3.Options)) *s3.Store {
	t.Helper()
	o := small(t, srv)
	o.SinkClass, o.RotClass, o.Attempts = "STANDARD_IA", "GLACIER_IR", 3
	if change != nil {
		change(&o)
	}
	s := open(t, o)
	s.SetLargestCopy(2 * part)
	c := begin(t, s, copy1)
	st, err := backends.Put(t.Context(), c, "a", stream(n, nil), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := backends.Commit(t.Context(), c, manifest(copy1, record("a", st))); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestClassIsLookedAt: an answer to the request that changes the class of an object,
// whole or in parts, is not believed, neither a yes nor a no.
func TestClassIsLookedAt(t *testing.T) {
	for _, c := range []struct {
		size int64
		op   string
	}{{10, "CopyObject"}, {3 * part, "CompleteMultipartUpload"}} {
		t.Run(c.op, func(t *testing.T) {
			srv := s3test.New(t, s3test.Quirks{})
			s := finishing(t, srv, c.size, nil)
			for _, lie := range []s3test.Fault{s3test.FalseYes, s3test.ErrorIn200} {
				srv.Set(func(q *s3test.Quirks) { q.Fault = times(c.op, -1, lie) })
				err := s.Finish(t.Context(), copy1)
				if err == nil || !strings.Contains(err.Error(), "the next run tries again") {
					t.Errorf("nothing was done: got %v", err)
				}
				if got := srv.Class(objectKey); got != "STANDARD_IA" || len(srv.Uploads()) > 0 {
					t.Errorf("got class %s, uploads %q", got, srv.Uploads())
				}
			}
			srv.Set(func(q *s3test.Quirks) { q.Fault = times(c.op, 3, s3test.DoneErrorIn200) })
			if err := s.Finish(t.Context(), copy1); err != nil {
				t.Errorf("all was done, and answered with an error: %v", err)
			}
			if got, _ := srv.Get(objectKey); srv.Class(objectKey) != "GLACIER_IR" || got != bytesOf(c.size) {
				t.Errorf("got class %s and %d bytes", srv.Class(objectKey), len(got))
			}
		})
	}
}

// TestClassOfSomethingElse: what is at a key after its class was changed has to be what
// was there before.
func TestClassOfSomethingElse(t *testing.T) {
	for name, c := range map[string]struct {
		size  int64
		other string
	}{
		"shorter": {10, "cut"}, "shorter, in parts": {3 * part, "cut"}, "other bytes, in parts": {3 * part, strings.Repeat("x", 3*part)},
	} {
		srv := s3test.New(t, s3test.Quirks{})
		s := finishing(t, srv, c.size, func(o *s3.Options) { o.RotClass = "STANDARD" })
		done := false
		srv.Set(func(q *s3test.Quirks) {
			q.Fault = func(op, _ string) s3test.Fault {
				if op == "CopyObject" || op == "CompleteMultipartUpload" {
					done = true
					return s3test.FalseYes
				}
				if op == "HeadObject" && done {
					srv.Put(objectKey, c.other)
				}
				return s3test.None
			}
		})
		if err := s.Finish(t.Context(), copy1); err == nil || !strings.Contains(err.Error(), "not there as it was") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestReplacedBeforeItsClassIsChanged: an object that is not the one that was listed
// is not copied.
func TestReplacedBeforeItsClassIsChanged(t *testing.T) {
	for _, c := range []struct {
		size int64
		op   string
	}{{10, "CopyObject"}, {3 * part, "UploadPartCopy"}} {
		srv := s3test.New(t, s3test.Quirks{NoChecksums: true}) // which would tell, too
		s := finishing(t, srv, c.size, nil)
		before(srv, c.op, objectKey, func() { srv.Put(objectKey, strings.Repeat("x", int(c.size))) })
		if err := s.Finish(t.Context(), copy1); err == nil {
			t.Errorf("%s: got no error", c.op)
		}
		if got := srv.Class(objectKey); got != "STANDARD" || len(srv.Uploads()) > 0 {
			t.Errorf("%s: got class %s, uploads %q", c.op, got, srv.Uploads())
		}
	}
}

// TestClassThatNobodyHas is an error that says that no run will help, and which setting
// has to be changed, once for all copies.
func TestClassThatNobodyHas(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	s := finishing(t, srv, 10, func(o *s3.Options) { o.SinkClass = "" })
	makeCopy(t, s, copy2)
	srv.Set(func(q *s3test.Quirks) { q.NoClasses = true })
	err := s.Finish(t.Context(), copy2)
	if err == nil || strings.Contains(err.Error(), "tries again") || strings.Contains(err.Error(), "\n") {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{copy1, copy2, "no run can", "rot_storage_class"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	if n := srv.Count("CopyObject"); n != 2 {
		t.Errorf("got %d requests, want one for each copy", n)
	}
}

// TestHopelessBesideOthers: a copy on which no run can do what is left keeps no other from
// it.
func TestHopelessBesideOthers(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	s := finishing(t, srv, 10, nil)
	makeCopy(t, s, copy2)
	srv.Set(func(q *s3test.Quirks) { q.NoClasses = true })
	before(srv, "CopyObject", objectKey, func() {
		srv.Set(func(q *s3test.Quirks) { q.NoClasses = false }) // for the next request
	})
	if err := s.Finish(t.Context(), copy2); err == nil || strings.Contains(err.Error(), copy2) {
		t.Errorf("got %v, want an error of the other copy only", err)
	}
	if got := srv.Class(strings.Replace(objectKey, copy1, copy2, 1)); got != "GLACIER_IR" {
		t.Errorf("got class %s", got)
	}
}

// TestAttributesOfEverything: every key of a copy is encrypted and tagged as asked for,
// in one part or in several, and so it stays when its class is changed.
func TestAttributesOfEverything(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	o := small(t, srv)
	o.SinkClass, o.RotClass, o.SSE, o.KMSKey = "STANDARD_IA", "GLACIER_IR", "aws:kms", "alias/backup"
	o.Tags = map[string]string{"made by": "palhm", "host": "web1"}
	s := open(t, o)
	s.SetLargestCopy(2 * part)
	c := begin(t, s, copy1)
	big, err := backends.Put(t.Context(), c, "big", stream(3*part, nil), 0)
	if err != nil {
		t.Fatal(err)
	}
	m := manifest(copy1, put(t, c, "a", "x"), record("big", big))
	if err := backends.Commit(t.Context(), c, m); err != nil {
		t.Fatal(err)
	}
	check := func(class string) {
		t.Helper()
		for _, key := range srv.Keys() {
			want := s3test.Attributes{Class: class, Tags: "host=web1&made%20by=palhm", SSE: "aws:kms", KMSKey: "alias/backup"}
			if strings.Contains(key, "/.palhm/") {
				want.Class = "STANDARD"
			}
			if got := srv.Attributes(key); got != want {
				t.Errorf("%s: got %+v, want %+v", key, got, want)
			}
		}
	}
	check("STANDARD_IA")
	if err := s.Finish(t.Context(), copy1); err != nil {
		t.Fatal(err)
	}
	if srv.Count("CopyObject") != 1 || srv.Count("UploadPartCopy") != 2 {
		t.Errorf("got %d copies and %d of parts, want 1 and 2", srv.Count("CopyObject"), srv.Count("UploadPartCopy"))
	}
	check("GLACIER_IR")
}

// TestFinishLooksAtCopiesAtOnce, and finishes the oldest first.
func TestFinishLooksAtCopiesAtOnce(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	s := finishing(t, srv, 10, nil)
	makeCopy(t, s, copy2)
	both := make(chan struct{})
	var mu sync.Mutex
	var order []string
	listings := 0
	srv.Set(func(q *s3test.Quirks) {
		q.Fault = func(op, key string) s3test.Fault {
			mu.Lock()
			if op == "CopyObject" {
				order = append(order, key)
			}
			if op == "ListObjectsV2" {
				listings++
			}
			n := listings
			mu.Unlock()
			if op != "ListObjectsV2" || n != 2 && n != 3 { // the first finds the copies
				return s3test.None
			}
			if n == 3 {
				close(both)
			}
			select {
			case <-both:
			case <-time.After(10 * time.Second):
				t.Error("the copies are looked at one after the other")
			}
			return s3test.None
		}
	})
	if err := s.Finish(t.Context(), copy2); err != nil {
		t.Error(err)
	}
	if want := []string{objectKey, strings.Replace(objectKey, copy1, copy2, 1)}; !slices.Equal(order, want) {
		t.Errorf("got %q, want %q", order, want)
	}
}
