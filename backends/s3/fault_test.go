package s3_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"palhm/backends"
	"palhm/backends/s3"
	"palhm/backends/s3/s3test"
)

// times plays a fault for the first n requests of an operation.
func times(op string, n int, f s3test.Fault) func(string, string) s3test.Fault {
	var mu sync.Mutex
	return func(got, _ string) s3test.Fault {
		mu.Lock()
		defer mu.Unlock()
		if got != op || n == 0 {
			return s3test.None
		}
		n--
		return f
	}
}

// wholeLife makes a copy, reads it and removes it.
func wholeLife(t testing.TB, s *s3.Store) error {
	c, err := s.Begin(t.Context(), copy1)
	if err != nil {
		return err
	}
	defer s3.Drop(c)
	var objects []backends.ObjectRecord
	for path, n := range map[string]int64{"small": 10, "big": 2*part + 9} {
		st, err := backends.Put(t.Context(), c, path, stream(n, nil), 0)
		if err != nil {
			return err
		}
		objects = append(objects, record(path, st))
	}
	if err := backends.Commit(t.Context(), c, manifest(copy1, objects...)); err != nil {
		return err
	}
	infos, err := s.List(t.Context())
	if err != nil || len(infos) != 1 || infos[0].Size != 2*part+19 || infos[0].Damage != nil {
		return fmt.Errorf("listed %+v, %w", infos, err)
	}
	r, err := s.Open(t.Context(), copy1, "big")
	if err != nil {
		return err
	}
	defer r.Close()
	if err := same(r, stream(2*part+9, nil)); err != nil {
		return err
	}
	return s.Remove(t.Context(), copy1)
}

var operations = []string{
	"ListObjectsV2", "PutObject", "GetObject", "HeadObject", "DeleteObject", "DeleteObjects",
	"CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "ListMultipartUploads",
}

// TestFaultsAreSurvived: whatever happens to whichever request, twice in a row, the
// copy is made, read and removed, and nothing is left.
func TestFaultsAreSurvived(t *testing.T) {
	for name, fault := range map[string]s3test.Fault{
		"reset": s3test.Reset, "lost answer": s3test.LoseAnswer, "half answer": s3test.HalfAnswer, "500": s3test.InternalError,
		"503": s3test.Unavailable, "SlowDown": s3test.SlowDown, "stall": s3test.Stall,
		"error in 200": s3test.ErrorIn200, "done, error in 200": s3test.DoneErrorIn200, "409": s3test.Conflict,
		"yes, and nothing done": s3test.FalseYes,
	} {
		for _, op := range operations {
			if fault == s3test.Conflict && op != "PutObject" && op != "CompleteMultipartUpload" {
				continue // only writes have conditions
			}
			if in200 := fault == s3test.ErrorIn200 || fault == s3test.DoneErrorIn200 || fault == s3test.FalseYes; in200 && op != "CompleteMultipartUpload" {
				continue
			}
			t.Run(op+" "+name, func(t *testing.T) {
				for _, repeated := range []int{200, 404, 412} {
					srv := s3test.New(t, s3test.Quirks{Fault: times(op, 2, fault), RepeatedComplete: repeated})
					o := small(t, srv)
					if fault == s3test.Stall {
						o.Stall = 200 * time.Millisecond
					}
					s := open(t, o)
					if err := wholeLife(t, s); err != nil {
						t.Errorf("repeated completions answered with %d: %v", repeated, err)
					}
					if err := s.Recover(t.Context()); err != nil {
						t.Error(err)
					}
					wantNothing(t, srv, copy1)
					if op != "CompleteMultipartUpload" {
						break
					}
				}
			})
		}
	}
}

// same reports what is wrong with a stream that should be like another. To hold both in
// memory takes the race detector longer than all that is tested.
func same(got, want io.Reader) error {
	a, b := make([]byte, 64<<10), make([]byte, 64<<10)
	for at := 0; ; {
		n, err := io.ReadFull(got, a)
		m, wantErr := io.ReadFull(want, b)
		if err != wantErr || !bytes.Equal(a[:n], b[:m]) {
			return fmt.Errorf("read something else after %d bytes, or another end: got %v, want %v", at, err, wantErr)
		}
		if at += n; err != nil {
			return nil
		}
	}
}

// TestFaultsThatStay: after a fault that does not go away there is one sentence, and
// what is left is no copy. The next run, when all is well, leaves nothing.
func TestFaultsThatStay(t *testing.T) {
	for _, op := range []string{"PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"} {
		for name, fault := range map[string]s3test.Fault{
			"reset": s3test.Reset, "lost answer": s3test.LoseAnswer, "SlowDown": s3test.SlowDown, "error in 200": s3test.ErrorIn200,
		} {
			if fault == s3test.ErrorIn200 && op != "CompleteMultipartUpload" || fault == s3test.LoseAnswer && (op == "PutObject" || op == "CompleteMultipartUpload") {
				continue // the last ones are done, which palhm finds out
			}
			t.Run(op+" "+name, func(t *testing.T) {
				srv := s3test.New(t, s3test.Quirks{})
				o := small(t, srv)
				o.Attempts = 4
				s := open(t, o)
				c := begin(t, s, copy1)
				srv.Set(func(q *s3test.Quirks) { q.Fault = times(op, -1, fault) })
				_, err := backends.Put(t.Context(), c, "object", stream(map[bool]int64{true: 10, false: 3 * part}[op == "PutObject"], nil), 0)
				if err == nil {
					t.Fatal("got no error")
				}
				if text := err.Error(); strings.Contains(text, "\n") || strings.Contains(text, "operation error") || len(text) > 300 {
					t.Errorf("got %q, want one sentence", text)
				} else {
					t.Log(text)
				}
				wantCopies(t, s)
				_ = c.Abort(t.Context())
				srv.Set(func(q *s3test.Quirks) { q.Fault = nil })
				again := open(t, o)
				if err := again.Recover(t.Context()); err != nil {
					t.Error(err)
				}
				wantNothing(t, srv, copy1)
			})
		}
	}
}

// TestCommitOfUnknownOutcome: a commit that has failed is not listed, even when the
// manifest had arrived and every answer was lost.
func TestCommitOfUnknownOutcome(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	o := small(t, srv)
	o.Attempts = 2
	s := open(t, o)
	c := begin(t, s, copy1)
	m := manifest(copy1, put(t, c, "a", "x"))
	srv.Set(func(q *s3test.Quirks) {
		q.Fault = func(op, key string) s3test.Fault {
			if strings.HasSuffix(key, "manifest.json") && op != "DeleteObject" {
				return map[string]s3test.Fault{"PutObject": s3test.LoseAnswer}[op] | map[string]s3test.Fault{"HeadObject": s3test.Reset}[op]
			}
			return s3test.None
		}
	})
	if err := backends.Commit(t.Context(), c, m); err == nil {
		t.Fatal("commit: got no error")
	}
	srv.Set(func(q *s3test.Quirks) { q.Fault = nil })
	wantCopies(t, s)
	if err := c.Abort(t.Context()); err != nil {
		t.Error(err)
	}
	wantNothing(t, srv, copy1)
}

// TestStaleListings: a listing that lags behind holds up neither commit nor removal.
func TestStaleListings(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	s := open(t, small(t, srv))
	c := begin(t, s, copy1)
	m := manifest(copy1, put(t, c, "a", "x"), put(t, c, "b", "x"))
	srv.Set(func(q *s3test.Quirks) { q.StaleLists = 3 })
	if err := backends.Commit(t.Context(), c, m); err != nil {
		t.Fatal(err)
	}
	srv.Set(func(q *s3test.Quirks) { q.StaleLists = 0 })
	wantCopies(t, s, copy1)
}

// TestChangedBehindOurBack: an object that somebody has replaced is not committed.
func TestChangedBehindOurBack(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	s := open(t, small(t, srv))
	c := begin(t, s, copy1)
	m := manifest(copy1, put(t, c, "a", "whole"))
	srv.Put("web1/daily/"+copy1+"/a", "cut")
	if err := backends.Commit(t.Context(), c, m); err == nil {
		t.Error("commit: got no error")
	}
	wantCopies(t, s)
}

// TestBucketsThatCannotBeUsed are one clear sentence, within seconds.
func TestBucketsThatCannotBeUsed(t *testing.T) {
	always := func(f s3test.Fault) s3test.Quirks {
		return s3test.Quirks{Fault: func(string, string) s3test.Fault { return f }}
	}
	denied := func(denied string) s3test.Quirks {
		return s3test.Quirks{Deny: func(op, _ string) bool { return op == denied }}
	}
	for name, c := range map[string]struct {
		q      s3test.Quirks
		change func(o *s3.Options)
		want   string
	}{
		"missing bucket": {change: func(o *s3.Options) { o.Bucket = "missing" }, want: "there is no such bucket"},
		"wrong region":   {q: always(s3test.Moved), change: func(o *s3.Options) { o.Region = "us-west-2" }, want: `set region = "eu-west-1"`},
		"clock":          {q: always(s3test.Skewed), want: "clock"},
		"may not list":   {q: denied("ListObjectsV2"), want: "may not list"},
		"may not write":  {q: denied("PutObject"), want: "iam-policy"},
		"nobody there":   {change: func(o *s3.Options) { o.Endpoint = "http://127.0.0.1:1" }, want: "connection refused"},
		"no such host":   {change: func(o *s3.Options) { o.Endpoint = "http://s3.invalid" }, want: "s3.invalid"},
		"no credentials": {change: func(*s3.Options) { _ = os.Unsetenv("AWS_ACCESS_KEY_ID") }, want: "there are no credentials"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := s3test.New(t, c.q)
			o := options(t, srv)
			if c.change != nil {
				c.change(&o)
			}
			start := time.Now()
			_, err := open(t, o).Begin(t.Context(), copy1)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") || len(err.Error()) > 300 {
				t.Errorf("got %v, want one sentence with %q", err, c.want)
			} else {
				t.Log(err)
			}
			if d := time.Since(start); d > 10*time.Second {
				t.Errorf("it took %s", d)
			}
		})
	}
}

// TestRegionIsFound when the site names none.
func TestRegionIsFound(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{Fault: func(string, string) s3test.Fault { return s3test.Moved }})
	o := options(t, srv)
	t.Setenv("AWS_REGION", "")
	makeCopy(t, open(t, o), copy1)
}

// TestReadGoesOn after connections that break, from where it was.
func TestReadGoesOn(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	o := small(t, srv)
	s := open(t, o)
	c := begin(t, s, copy1)
	st, err := backends.Put(t.Context(), c, "big", stream(2*part, nil), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := backends.Commit(t.Context(), c, manifest(copy1, record("big", st))); err != nil {
		t.Fatal(err)
	}
	srv.ResetCounts()
	srv.Set(func(q *s3test.Quirks) { q.Fault = times("GetObject", 5, s3test.HalfAnswer) })
	r, err := s.Open(t.Context(), copy1, "big")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || string(got) != bytesOf(2*part) {
		t.Errorf("read something else: %v", err)
	}
	if n := srv.Count("GetObject"); n != 6 {
		t.Errorf("got %d requests, want 6", n)
	}
}
