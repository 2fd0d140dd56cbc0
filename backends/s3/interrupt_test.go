package s3_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"palhm/backends"
	"palhm/backends/s3/s3test"
)

// held is a stream that yields n bytes, and then nothing until it is closed.
func held(n int64) io.Reader {
	r, w := io.Pipe()
	go func() { _, _ = io.Copy(w, stream(n, nil)) }()
	return r
}

// TestFailureWhileTheStreamIsSlow: a part that was refused for good, or a copy that was
// lost, ends a Put although the stream yields nothing, and the error is the store's.
func TestFailureWhileTheStreamIsSlow(t *testing.T) {
	for name, c := range map[string]struct {
		n    int64
		fail func(srv *s3test.Server)
		want string
	}{
		"part": {part + 2, func(srv *s3test.Server) {
			srv.Set(func(q *s3test.Quirks) { q.Deny = func(op, _ string) bool { return op == "UploadPart" } })
		}, "send part 1 of s3://bucket/" + objectKey + ": access denied"},
		"lost, in the first part":  {1, lose, "another host"},
		"lost, in the second part": {part + 2, lose, "another host"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := s3test.New(t, s3test.Quirks{})
			o := small(t, srv)
			o.Heartbeat = 50 * time.Millisecond
			k := begin(t, open(t, o), copy1)
			c.fail(srv)
			within(t, 20*time.Second, func() {
				if _, err := backends.Put(t.Context(), k, "a", held(c.n), 0); err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want an error with %q", err, c.want)
				}
			})
		})
	}
}

func lose(srv *s3test.Server) { srv.Put(openKey, `{"run": "somebody else's"}`) }
