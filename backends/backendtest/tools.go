package backendtest

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"palhm/backends"
)

// Names of copies, in the order of their times. The two formats take turns.
const (
	copy1 = "2022-05-01T06:59:17+00:00"
	copy2 = "20220501T065918Z"
	copy3 = "2022-05-02T00:00:00+00:00"
	copy4 = "20230101T000000Z"
)

// begin starts a copy.
func begin(t testing.TB, s backends.Store, prefix string) backends.Copy {
	t.Helper()
	c, err := s.Begin(t.Context(), prefix)
	if err != nil {
		t.Fatalf("begin %s: %v", prefix, err)
	}
	return c
}

// put stores content, and returns the record that a manifest has of it.
func put(t testing.TB, c backends.Copy, path, content string) backends.ObjectRecord {
	t.Helper()
	stored, err := backends.Put(t.Context(), c, path, strings.NewReader(content), 0)
	if err != nil {
		t.Fatalf("put: %v", err)
	}
	if stored.Size != int64(len(content)) {
		t.Errorf("put %s: got %d bytes, want %d", path, stored.Size, len(content))
	}
	return backends.ObjectRecord{Path: path, Size: stored.Size, SHA256: stored.SHA256, CRC64NVME: stored.CRC64NVME}
}

// manifest describes a copy of these objects.
func manifest(prefix string, objects ...backends.ObjectRecord) *backends.Manifest {
	at, _, _ := backends.ParsePrefix(prefix)
	return &backends.Manifest{
		Version: backends.ManifestVersion,
		Palhm:   "test",
		Host:    "host",
		Task:    "task",
		Prefix:  prefix,
		Start:   at,
		End:     at.Add(time.Second),
		Objects: objects,
	}
}

func commit(t testing.TB, c backends.Copy, m *backends.Manifest) {
	t.Helper()
	if err := backends.Commit(t.Context(), c, m); err != nil {
		t.Fatalf("%v", err)
	}
}

// makeCopy commits a copy of these objects, given as path, content, path, content.
func makeCopy(t testing.TB, s backends.Store, prefix string, objects ...string) *backends.Manifest {
	t.Helper()
	c := begin(t, s, prefix)
	m := manifest(prefix)
	for i := 0; i < len(objects); i += 2 {
		m.Objects = append(m.Objects, put(t, c, objects[i], objects[i+1]))
	}
	commit(t, c, m)
	return m
}

func list(t testing.TB, s backends.Store) []backends.Info {
	t.Helper()
	infos, err := s.List(t.Context())
	if err != nil {
		t.Fatalf("list: %v", err)
	}
	return infos
}

// wantCopies checks which copies are listed, in that order.
func wantCopies(t testing.TB, s backends.Store, want ...string) {
	t.Helper()
	var got []string
	for _, i := range list(t, s) {
		got = append(got, i.Prefix)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("got copies %q, want %q", got, want)
	}
}

func read(t testing.TB, s backends.Store, prefix, path string) string {
	t.Helper()
	r, err := s.Open(t.Context(), prefix, path)
	if err != nil {
		t.Fatalf("open %s of %s: %v", path, prefix, err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("read %s of %s: %v", path, prefix, err)
	}
	return string(data)
}

// wantObject checks the bytes of a stored object.
func wantObject(t testing.TB, s backends.Store, prefix, path, want string) {
	t.Helper()
	if got := read(t, s, prefix, path); got != want {
		t.Errorf("%s of %s: got %s, want %s", path, prefix, short(got), short(want))
	}
}

// wantMissing checks that an object is not there and that Open says so properly.
func wantMissing(t testing.TB, s backends.Store, prefix, path string) {
	t.Helper()
	r, err := s.Open(t.Context(), prefix, path)
	if err == nil {
		r.Close()
		t.Errorf("open %s of %s: got no error, want one", path, prefix)
	} else if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open %s of %s: got %v, want an error that wraps fs.ErrNotExist", path, prefix, err)
	}
}

// reopen is another process's view of the root.
func (c Config) reopen(t testing.TB, s backends.Store) backends.Store {
	if c.Reopen == nil {
		return s
	}
	return c.Reopen(t, s)
}

func abort(t testing.TB, c backends.Copy) {
	t.Helper()
	if err := c.Abort(context.WithoutCancel(t.Context())); err != nil {
		t.Errorf("abort: %v", err)
	}
}

// random is n bytes that no file system stores as fewer; the same for the same n.
func random(n int) string {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)}).Read(b)
	return string(b)
}

func short(s string) string {
	if len(s) <= 40 {
		return "\"" + s + "\""
	}
	return "\"" + s[:40] + "...\""
}
