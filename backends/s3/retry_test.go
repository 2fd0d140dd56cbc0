package s3_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"palhm/backends/s3"
	"palhm/backends/s3/s3test"
)

// refusing refuses the first n requests of every operation; negative = all.
func refusing(n int, no s3test.Refusal) func(string, string) *s3test.Refusal {
	var mu sync.Mutex
	refused := map[string]int{}
	return func(op, _ string) *s3test.Refusal {
		if op == "HeadObject" && no.Status == 400 {
			return nil // the answer has no body that says why
		}
		mu.Lock()
		defer mu.Unlock()
		if refused[op]++; n >= 0 && refused[op] > n {
			return nil
		}
		return &no
	}
}

// TestPassingRefusals: what a store says when it has no time, or has not got all that was
// sent, is no reason to give a copy up.
func TestPassingRefusals(t *testing.T) {
	for _, no := range []s3test.Refusal{
		{Status: 429, Code: "TooManyRequests"}, {Status: 429}, {Status: 520}, {Status: 502}, {Status: 503}, {Status: 504}, {Status: 522, Code: "Timeout"},
		{Status: 507, Code: "XMinioStorageFull"}, {Status: 408, Code: "Timeout"},
		{Status: 400, Code: "BadDigest"}, {Status: 400, Code: "IncompleteBody"}, {Status: 400, Code: "RequestTimeout"},
		{Status: 400, Code: "XAmzContentSHA256Mismatch"}, {Status: 403, Code: "SlowDown"},
	} {
		t.Run(fmt.Sprint(no.Status, " ", no.Code), func(t *testing.T) {
			srv := s3test.New(t, s3test.Quirks{Refuse: refusing(2, no)})
			if err := wholeLife(t, open(t, small(t, srv))); err != nil {
				t.Error(err)
			}
			wantNothing(t, srv, copy1)
		})
	}
}

// TestRefusalsThatStay: what will not pass is said at once.
func TestRefusalsThatStay(t *testing.T) {
	for _, no := range []s3test.Refusal{
		{Status: 501, Code: "NotImplemented"}, {Status: 400, Code: "InvalidArgument"}, {Status: 403, Code: "AccessDenied"}, {Status: 405, Code: "MethodNotAllowed"},
	} {
		srv := s3test.New(t, s3test.Quirks{Refuse: refusing(-1, no)})
		_, err := open(t, small(t, srv)).Begin(t.Context(), copy1)
		wantSentence(t, err)
		if n := srv.Count(""); n != 1 {
			t.Errorf("%s: got %d requests, want 1", no.Code, n)
		}
	}
}

// TestPreflightWaits: a store that answers, if only that it has no time, is waited for as
// long as by any other request.
func TestPreflightWaits(t *testing.T) {
	for _, no := range []s3test.Refusal{{Status: 503, Code: "SlowDown"}, {Status: 429}, {Status: 503}} {
		srv := s3test.New(t, s3test.Quirks{Refuse: refusing(10, no)})
		if _, err := open(t, small(t, srv)).List(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestRetryAfter is a lower bound of the pause, and has an upper one itself.
func TestRetryAfter(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	s := open(t, small(t, srv))
	if _, err := s.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	for op, do := range map[string]func(ctx context.Context) error{
		"ListObjectsV2":           func(ctx context.Context) error { _, err := s.List(ctx); return err },
		"CompleteMultipartUpload": func(context.Context) error { return inParts(t, s) },
	} {
		srv.Set(func(q *s3test.Quirks) {
			once := refusing(1, s3test.Refusal{Status: 503, Code: "SlowDown", RetryAfter: "1"})
			q.Refuse = func(got, key string) *s3test.Refusal {
				if got != op {
					return nil
				}
				return once(got, key)
			}
		})
		start := time.Now()
		if err := do(t.Context()); err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d < time.Second {
			t.Errorf("%s: it was sent again after %s, want a second", op, d)
		}
	}
	srv.Set(func(q *s3test.Quirks) {
		q.Refuse = refusing(-1, s3test.Refusal{Status: 503, Code: "SlowDown", RetryAfter: "86400"})
	})
	cause := errors.New("enough")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, cause)
	defer cancel()
	if _, err := s.List(ctx); !errors.Is(err, cause) {
		t.Errorf("got %v, want the pause to be cut", err)
	}
	for after, want := range map[string]time.Duration{
		"7": 7 * time.Second, "86400": time.Minute, "-1": 0, "soon": 0, "": 0,
		"Sun, 06 Nov 1994 08:49:37 GMT": 0, "Fri, 06 Nov 2994 08:49:37 GMT": time.Minute,
	} {
		if got := s3.RetryAfter(after); got != want {
			t.Errorf("Retry-After: %s: got %s, want %s", after, got, want)
		}
	}
}

// inParts makes a copy of one object in parts.
func inParts(t testing.TB, s *s3.Store) error {
	c := begin(t, s, copy1)
	_, err := c.Put(t.Context(), "a", stream(2*part, nil), 0)
	return errors.Join(err, c.Abort(t.Context()))
}

// TestStoreWithoutListOfUploads: some stores answer with an error while there are none,
// and some have no such list. What a dead run left is removed all the same.
func TestStoreWithoutListOfUploads(t *testing.T) {
	for _, no := range []s3test.Refusal{{Status: 404, Code: "NoSuchUpload"}, {Status: 405, Code: "MethodNotAllowed"}, {Status: 501, Code: "NotImplemented"}} {
		srv := s3test.New(t, s3test.Quirks{Refuse: func(op, _ string) *s3test.Refusal {
			if op == "ListMultipartUploads" {
				return &no
			}
			return nil
		}})
		a, b := host(t, srv, "a", 1), host(t, srv, "b", 1)
		c := begin(t, a, copy1)
		put(t, c, "a", "x")
		s3.Drop(c)
		recoverLater(t, srv, b)
		recoverLater(t, srv, b)
		wantNothing(t, srv, copy1)
	}
}
