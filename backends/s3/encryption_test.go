package s3_test

import (
	"errors"
	"testing"

	"palhm/backends"
	"palhm/backends/s3/s3test"
)

// TestUnknownEncryption: a store that does not know the encryption that is asked for
// answers as one that knows no conditions, and is not taken for one.
func TestUnknownEncryption(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{NoKeys: true})
	o := small(t, srv)
	o.SSE = "aws:kms"
	s := open(t, o)
	if _, err := s.Begin(t.Context(), copy1); err == nil || errors.Is(err, backends.ErrPrefixTaken) {
		t.Errorf("begin: got %v", err)
	}
	srv.Set(func(q *s3test.Quirks) { q.NoKeys = false })
	c := begin(t, s, copy1)
	if w := c.(backends.Warner).Warnings(); len(w) > 0 {
		t.Errorf("got warnings %q", w)
	}
}
