package backendtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"palhm/backends"
)

var errReader = errors.New("the pipeline failed")

// failing are streams that end badly, in every place where they can.
func failing() map[string]func() io.Reader {
	content := random(1<<20 + 1)
	return map[string]func() io.Reader{
		"at the start":       func() io.Reader { return iotest.ErrReader(errReader) },
		"in the middle":      func() io.Reader { return io.MultiReader(strings.NewReader(content), iotest.ErrReader(errReader)) },
		"with the last byte": func() io.Reader { return &withLast{strings.NewReader(content)} },
	}
}

// withLast returns its error together with data, as a reader may.
type withLast struct{ r *strings.Reader }

func (w *withLast) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err == nil && w.r.Len() == 0 {
		err = errReader
	}
	return n, err
}

func putCounts(t testing.TB, c Config) {
	s := c.New(t)
	k := begin(t, s, copy1)
	var objects []backends.ObjectRecord
	for i, size := range []int{0, 1, 4096, 1<<20 + 7} {
		objects = append(objects, put(t, k, fmt.Sprintf("object%d", i), random(size)))
	}
	commit(t, k, manifest(copy1, objects...))
}

// pastEOF notices who reads on after the end.
type pastEOF struct {
	t    testing.TB
	r    io.Reader
	over bool
}

func (p *pastEOF) Read(b []byte) (int, error) {
	if p.over {
		p.t.Errorf("the stream was read again after io.EOF")
	}
	n, err := p.r.Read(b)
	p.over = err == io.EOF
	return n, err
}

func putReadsToEOF(t testing.TB, c Config) {
	k := begin(t, c.New(t), copy1)
	defer abort(t, k)
	r := &pastEOF{t: t, r: strings.NewReader(random(100_000))}
	if _, err := k.Put(t.Context(), "object", r, 0); err != nil {
		t.Fatalf("put: %v", err)
	}
	if !r.over {
		t.Errorf("put returned before io.EOF, so it cannot know that the pipeline succeeded")
	}
}

func putWrapsReaderError(t testing.TB, c Config) {
	k := begin(t, c.New(t), copy1)
	defer abort(t, k)
	for where, r := range failing() {
		// Not through backends.Put: its guard must not be what saves the day.
		if _, err := k.Put(t.Context(), "object", r(), 0); !errors.Is(err, errReader) {
			t.Errorf("put of a stream that fails %s: got error %v, want the stream's", where, err)
		}
	}
}

func putStopsWhenCancelled(t testing.TB, c Config) {
	k := begin(t, c.New(t), copy1)
	defer abort(t, k)
	cause := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	endless := readerFunc(func(p []byte) (int, error) { cancel(cause); return len(p), nil })
	if _, err := k.Put(ctx, "object", io.LimitReader(endless, 64<<20), 0); !errors.Is(err, cause) {
		t.Errorf("put under a cancelled context: got %v, want its cause", err)
	}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// hostile are paths that no backend may ever see.
var hostile = []string{
	"", ".", "..", "/", "/etc/passwd", "../escaped", "a/../../escaped", "a/..", "./a", "a//b", "a/", "a/./b",
	"a\x00b", "a\nb", `a\b`, "a\x7f", "a\u0085b", "\xff", ".palhm", ".palhm/manifest.json", ".palhm/x/y",
	strings.Repeat("a", 256), strings.Repeat("a/", 600) + "a",
}

func putRefusesHostilePaths(t testing.TB, c Config) {
	k := begin(t, c.New(t), copy1)
	defer abort(t, k)
	for _, path := range hostile {
		r := readerFunc(func([]byte) (int, error) {
			t.Errorf("put at %q read the stream", path)
			return 0, io.EOF
		})
		if _, err := backends.Put(t.Context(), k, path, r, 0); err == nil {
			t.Errorf("put at %q: got no error, want one", path)
		}
	}
}

func roundTrip(t testing.TB, c Config) {
	s := c.New(t)
	objects := []string{
		"empty", "",
		"-", "a name that programs mistake for a stream",
		"all-db.sql.zst.pgp", random(300_000),
		"a/b/c/d", "deep", "a/b/e", "beside", "a-b", "not below a",
		" blank and ünïcode * ", "x", "..dots", "x", ".palhm2", "x",
		strings.Repeat("n", 255), "longest name",
	}
	m := makeCopy(t, s, copy1, objects...)
	s = c.reopen(t, s)
	for i := 0; i < len(objects); i += 2 {
		wantObject(t, s, copy1, objects[i], objects[i+1])
	}
	for _, path := range []string{"missing", "a", "a/b", "a/missing", "empty/below"} {
		wantMissing(t, s, copy1, path)
	}
	infos := list(t, s)
	if len(infos) != 1 {
		t.Fatalf("got %d copies, want 1", len(infos))
	}
	got := infos[0]
	want := backends.Info{Prefix: copy1, Time: m.Start, Size: m.Size(), Objects: len(m.Objects), Host: "host", Task: "task"}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func ownFiles(t testing.TB, c Config) {
	s := c.New(t)
	m := makeCopy(t, s, copy1, "a", "1", "b/c", "2")
	wantManifest, wantSums, err := m.Encode()
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	s = c.reopen(t, s)
	wantObject(t, s, copy1, backends.ManifestPath, string(wantManifest))
	wantObject(t, s, copy1, backends.SumsPath, string(wantSums))
	if _, err := backends.ReadManifest(strings.NewReader(read(t, s, copy1, backends.ManifestPath)), copy1); err != nil {
		t.Errorf("%v", err)
	}
}

func oddReaders(t testing.TB, c Config) {
	s := c.New(t)
	k := begin(t, s, copy1)
	content := random(70_001)
	var objects []backends.ObjectRecord
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"one": iotest.OneByteReader, "half": iotest.HalfReader, "with-eof": iotest.DataErrReader,
	} {
		stored, err := backends.Put(t.Context(), k, name, wrap(strings.NewReader(content)), 0)
		if err != nil {
			t.Fatalf("put: %v", err)
		}
		objects = append(objects, backends.ObjectRecord{Path: name, Size: stored.Size, SHA256: stored.SHA256})
	}
	commit(t, k, manifest(copy1, objects...))
	for _, o := range objects {
		wantObject(t, s, copy1, o.Path, content)
	}
}

// hints: a wrong hint costs speed and nothing else.
func hints(t testing.TB, c Config) {
	s := c.New(t)
	k := begin(t, s, copy1)
	content := random(50_000)
	var objects []backends.ObjectRecord
	for i, hint := range []int64{-1, 1, 50_000, 50_001, 1 << 20, 1 << 60} {
		path := fmt.Sprintf("object%d", i)
		stored, err := backends.Put(t.Context(), k, path, strings.NewReader(content), hint)
		if err != nil {
			t.Fatalf("put with hint %d: %v", hint, err)
		}
		objects = append(objects, backends.ObjectRecord{Path: path, Size: stored.Size, SHA256: stored.SHA256})
	}
	commit(t, k, manifest(copy1, objects...))
	for _, o := range objects {
		wantObject(t, s, copy1, o.Path, content)
	}
	if w, ok := k.(backends.Warner); ok {
		for _, text := range w.Warnings() {
			if text == "" {
				t.Errorf("a warning is empty")
			}
		}
	}
}

func failedPutLeavesNothing(t testing.TB, c Config) {
	for where, r := range failing() {
		s := c.New(t)
		k := begin(t, s, copy1)
		if _, err := k.Put(t.Context(), "d/object", r(), 0); err == nil {
			t.Errorf("put of a stream that fails %s: got no error", where)
		}
		commit(t, k, manifest(copy1, put(t, k, "other", "x")))
		wantMissing(t, s, copy1, "d/object")
		wantObject(t, s, copy1, "other", "x")
	}
}

func putRepeated(t testing.TB, c Config) {
	for where, r := range failing() {
		s := c.New(t)
		k := begin(t, s, copy1)
		for range 2 {
			if _, err := k.Put(t.Context(), "d/object", r(), 1<<20); err == nil {
				t.Errorf("put of a stream that fails %s: got no error", where)
			}
		}
		commit(t, k, manifest(copy1, put(t, k, "d/object", "shorter")))
		wantObject(t, s, copy1, "d/object", "shorter")
	}
}

// putTwice: a path that has its object keeps it.
func putTwice(t testing.TB, c Config) {
	s := c.New(t)
	k := begin(t, s, copy1)
	first := put(t, k, "object", "first")
	if _, err := k.Put(t.Context(), "object", strings.NewReader("second"), 0); err == nil {
		t.Errorf("put at a path that is taken: got no error")
	}
	commit(t, k, manifest(copy1, first))
	wantObject(t, s, copy1, "object", "first")
}

func concurrentPuts(t testing.TB, c Config) {
	s := c.New(t)
	k := begin(t, s, copy1)
	const n = 16
	objects := make([]backends.ObjectRecord, n)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			path := fmt.Sprintf("shared/d%d/o%d", i%3, i)
			stored, err := backends.Put(t.Context(), k, path, iotest.HalfReader(strings.NewReader(random(200_000+i))), int64(i))
			objects[i] = backends.ObjectRecord{Path: path, Size: stored.Size, SHA256: stored.SHA256}
			errs[i] = err
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatalf("%v", err)
	}
	commit(t, k, manifest(copy1, objects...))
	for i, o := range objects {
		wantObject(t, s, copy1, o.Path, random(200_000+i))
	}
}

func manyObjects(t testing.TB, c Config) {
	n := c.Objects
	if n == 0 {
		n = 500
	}
	s := c.New(t)
	k := begin(t, s, copy1)
	objects := make([]backends.ObjectRecord, n)
	for i := range objects {
		objects[i] = put(t, k, fmt.Sprintf("d%d/%d", i%7, i), fmt.Sprint(i))
	}
	commit(t, k, manifest(copy1, objects...))
	if infos := list(t, s); len(infos) != 1 || infos[0].Objects != n {
		t.Fatalf("got %+v, want one copy of %d objects", infos, n)
	}
	for i := 0; i < n; i += max(1, n/50) {
		wantObject(t, s, copy1, objects[i].Path, fmt.Sprint(i))
	}
	if err := s.Remove(t.Context(), copy1); err != nil {
		t.Errorf("remove: %v", err)
	}
	wantCopies(t, s)
}
