package backends_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"palhm/backends"
)

// fake is a copy whose Put and Commit are functions.
type fake struct {
	put    func(r io.Reader, hint int64) (int64, error)
	commit func(m *backends.Manifest) error
}

func (f fake) Put(_ context.Context, _ string, r io.Reader, hint int64) (int64, error) {
	return f.put(r, hint)
}
func (f fake) Commit(_ context.Context, m *backends.Manifest) error { return f.commit(m) }
func (f fake) Abort(context.Context) error                          { return nil }

func honest(r io.Reader, _ int64) (int64, error) { return io.Copy(io.Discard, r) }

func TestPutSums(t *testing.T) {
	// The check value of CRC-64/NVME for "123456789" is ae8b14860a799888 (NVM
	// Express NVM Command Set specification), here in base64, as S3 gives it.
	got, err := backends.Put(t.Context(), fake{put: honest}, "a", iotest.OneByteReader(strings.NewReader("123456789")), 0)
	want := backends.Stored{Size: 9, SHA256: sum("123456789"), CRC64NVME: "rosUhgp5mIg="}
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	got, err = backends.Put(t.Context(), fake{put: honest}, "a", strings.NewReader(""), 0)
	want = backends.Stored{SHA256: sum(""), CRC64NVME: "AAAAAAAAAAA="}
	if err != nil || got != want {
		t.Errorf("empty: got %+v, %v, want %+v", got, err, want)
	}
}

// TestPutGuards against a backend that says "stored" of something else than the
// whole stream.
func TestPutGuards(t *testing.T) {
	failed := errors.New("the pipeline failed")
	full := errors.New("disk full")
	for what, k := range map[string]struct {
		r    io.Reader
		put  func(r io.Reader, hint int64) (int64, error)
		want error // nil = any
	}{
		"swallows the reader's error": {iotest.ErrReader(failed), func(r io.Reader, _ int64) (int64, error) {
			n, _ := io.Copy(io.Discard, r)
			return n, nil
		}, failed},
		"stops early":       {strings.NewReader("hello"), func(r io.Reader, _ int64) (int64, error) { return io.CopyN(io.Discard, r, 3) }, nil},
		"does not read":     {strings.NewReader("hello"), func(io.Reader, int64) (int64, error) { return 0, nil }, nil},
		"does not read EOF": {strings.NewReader("hello"), func(r io.Reader, _ int64) (int64, error) { return io.CopyN(io.Discard, r, 5) }, nil},
		"counts wrongly": {strings.NewReader("hello"), func(r io.Reader, _ int64) (int64, error) {
			n, err := honest(r, 0)
			return n - 1, err
		}, nil},
		"fails": {strings.NewReader("hello"), func(io.Reader, int64) (int64, error) { return 0, full }, full},
	} {
		got, err := backends.Put(t.Context(), fake{put: k.put}, "d/a", k.r, 0)
		if err == nil || k.want != nil && !errors.Is(err, k.want) {
			t.Errorf("a backend that %s: got error %v", what, err)
		} else if k.want == failed && err != failed {
			t.Errorf("a backend that %s: got error %q, want the reader's as it is", what, err)
		} else if k.want != failed && !strings.HasPrefix(err.Error(), "store: ") {
			t.Errorf("a backend that %s: error %q does not say that storing failed", what, err)
		}
		if got != (backends.Stored{}) {
			t.Errorf("a backend that %s: got %+v with an error", what, got)
		}
	}
}

func TestPutChecksBeforehand(t *testing.T) {
	for _, path := range []string{"", "../a", "/a", ".palhm/manifest.json", "a//b"} {
		_, err := backends.Put(t.Context(), fake{put: func(io.Reader, int64) (int64, error) {
			t.Errorf("%q reached the backend", path)
			return 0, nil
		}}, path, strings.NewReader(""), 0)
		if err == nil {
			t.Errorf("%q: got no error", path)
		}
	}
	_, err := backends.Put(t.Context(), fake{put: func(r io.Reader, hint int64) (int64, error) {
		if hint != 0 {
			t.Errorf("got hint %d, want 0", hint)
		}
		return honest(r, 0)
	}}, "a", strings.NewReader(""), -5)
	if err != nil {
		t.Error(err)
	}
}

func TestCommitChecksTheManifest(t *testing.T) {
	reached := 0
	c := fake{commit: func(*backends.Manifest) error { reached++; return nil }}
	bad := full()
	bad.Objects = append(bad.Objects, bad.Objects[0])
	if err := backends.Commit(t.Context(), c, bad); err == nil || reached > 0 {
		t.Errorf("a manifest with an object twice: got %v", err)
	}
	if err := backends.Commit(t.Context(), c, full()); err != nil || reached != 1 {
		t.Errorf("got %v", err)
	}
	lost := errors.New("lost")
	err := backends.Commit(t.Context(), fake{commit: func(*backends.Manifest) error { return lost }}, full())
	if !errors.Is(err, lost) || !strings.Contains(err.Error(), copy1) {
		t.Errorf("got %v, want the backend's error with the copy's name", err)
	}
}

func TestLockedErrorNamesTheHolder(t *testing.T) {
	err := &backends.LockedError{Root: "/media/backup", Owner: backends.Owner{PID: 42, Host: "web1", Task: "nightly"}}
	for _, word := range []string{"/media/backup", "42", "web1", "nightly"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("got %q, want it to name %s", err, word)
		}
	}
	if got := (&backends.LockedError{Root: "/r"}).Error(); strings.Contains(got, "0001") || !strings.Contains(got, "/r") {
		t.Errorf("got %q", got)
	}
}
