package s3_test

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"palhm/backends"
	"palhm/backends/s3"
	"palhm/backends/s3/s3test"
)

// host is a store of another host on the same root.
func host(t testing.TB, srv *s3test.Server, name string, pid int) *s3.Store {
	o := small(t, srv)
	s := open(t, o)
	s.SetHost(name, "boot-"+name, pid)
	return s
}

// blocked is a stream that yields n bytes and then waits until the test is over.
func blocked(t testing.TB, n int64) io.Reader {
	r, w := io.Pipe()
	t.Cleanup(func() { w.CloseWithError(errors.New("the test is over")) })
	return io.MultiReader(stream(n, nil), r)
}

// abandon leaves a copy with an object, an object under way and an upload, as a
// killed process does.
func abandon(t testing.TB, srv *s3test.Server, s *s3.Store, prefix string) {
	t.Helper()
	c := begin(t, s, prefix)
	put(t, c, "done", "x")
	go c.Put(t.Context(), "half", blocked(t, 2*part+1), 0)
	for len(srv.Uploads()) == 0 || srv.Count("UploadPart") < 2 {
		time.Sleep(time.Millisecond)
	}
	s3.Drop(c)
}

// TestKilled: what a killed process leaves is no copy, and the next run on its host
// removes it at once, uploads included.
func TestKilled(t *testing.T) {
	for name, q := range map[string]s3test.Quirks{"AWS": {}, "exact uploads": {ExactUploads: true}, "no markers": {RefuseUploadMarkers: true, Page: 1}} {
		t.Run(name, func(t *testing.T) {
			srv := s3test.New(t, q)
			o := small(t, srv)
			s := open(t, o)
			s.SetHost("a", "boot", 1<<30) // no process has this id
			makeCopy(t, s, copy1)
			abandon(t, srv, s, copy2)
			next := open(t, o)
			next.SetHost("a", "boot", 1<<30+1)
			wantCopies(t, next, copy1)
			if err := next.Recover(t.Context()); err != nil {
				t.Error(err)
			}
			wantNothing(t, srv, copy2)
			wantCopies(t, next, copy1)
		})
	}
}

// TestUploadThatNobodyKnows: the answer that names an upload was lost, and the
// process died. Its key is in the journal.
func TestUploadThatNobodyKnows(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{ExactUploads: true})
	o := small(t, srv)
	s := open(t, o)
	srv.Set(func(q *s3test.Quirks) { q.Fault = times("CreateMultipartUpload", 1, s3test.LoseAnswer) })
	c := begin(t, s, copy1)
	if _, err := backends.Put(t.Context(), c, "big", stream(2*part, nil), 0); err != nil {
		t.Fatal(err)
	}
	if left := srv.Uploads(); len(left) > 0 {
		t.Errorf("open uploads: %q", left)
	}
}

// TestOtherHost: a run of another host is left alone for an hour after its last sign
// of life, and for another hour after it was taken over: then it is garbage.
func TestOtherHost(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	abandon(t, srv, host(t, srv, "a", 1), copy1)
	b := host(t, srv, "b", 1)
	srv.Advance(59 * time.Minute)
	if err := b.Recover(t.Context()); err != nil {
		t.Error(err)
	}
	if len(srv.Uploads()) != 1 || !slices.Contains(srv.Keys(), "web1/daily/"+copy1+"/done") {
		t.Errorf("a run that may be alive was robbed: left are %q and %q", srv.Keys(), srv.Uploads())
	}
	srv.Advance(2 * time.Minute)
	for range 2 {
		if err := b.Recover(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if len(srv.Uploads()) != 1 || !slices.Contains(srv.Keys(), "web1/daily/"+copy1+"/done") {
		t.Errorf("a run that was just taken over was robbed: left are %q and %q", srv.Keys(), srv.Uploads())
	}
	recoverLater(t, srv, b)
	wantNothing(t, srv, copy1)
	wantGone(t, srv, b, copy1)
}

// TestSlowRunNotices that it was taken for dead, and commits nothing.
func TestSlowRunNotices(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	a, b := host(t, srv, "a", 1), host(t, srv, "b", 1)
	c := begin(t, a, copy1)
	o := put(t, c, "a", "x")
	srv.Advance(2 * time.Hour)
	if err := b.Recover(t.Context()); err != nil {
		t.Error(err)
	}
	late := put(t, c, "late", "y") // it has not noticed yet
	if err := backends.Commit(t.Context(), c, manifest(copy1, o, late)); err == nil {
		t.Error("commit: got no error")
	}
	if err := c.Abort(t.Context()); err != nil {
		t.Error(err)
	}
	wantCopies(t, a)
	wantGone(t, srv, b, copy1)
}

// TestTakenDuringCommit: a copy that is lost while it is being committed is not made.
func TestTakenDuringCommit(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	s := open(t, small(t, srv))
	c := begin(t, s, copy1)
	m := manifest(copy1, put(t, c, "a", "x"))
	srv.Set(func(q *s3test.Quirks) {
		q.Fault = func(_, key string) s3test.Fault {
			if strings.HasSuffix(key, "SHA256SUMS") {
				srv.Put("web1/daily/"+copy1+"/.palhm/open.json", `{"run": "somebody else's"}`)
			}
			return s3test.None
		}
	})
	if err := backends.Commit(t.Context(), c, m); err == nil || !strings.Contains(err.Error(), "another host") {
		t.Errorf("commit: got %v", err)
	}
	wantCopies(t, s)
}

// TestHeartbeat: a run that gives signs of life is alive after any time, and one that
// was taken for dead stops in the middle of an object.
func TestHeartbeat(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	o := small(t, srv)
	o.Heartbeat = 5 * time.Millisecond
	a := open(t, o)
	a.SetHost("a", "boot", 1)
	b := host(t, srv, "b", 1)
	c := begin(t, a, copy1)
	srv.Advance(2 * time.Hour)
	for n := srv.Count("PutObject"); srv.Count("PutObject") < n+2; {
		time.Sleep(time.Millisecond)
	}
	if err := b.Recover(t.Context()); err != nil {
		t.Error(err)
	}
	if !slices.Contains(srv.Keys(), "web1/daily/"+copy1+"/.palhm/open.json") {
		t.Fatal("a living run was robbed")
	}
	srv.Put("web1/daily/"+copy1+"/.palhm/open.json", `{"run": "somebody else's"}`)
	endless := io.MultiReader(&zeros{n: 1 << 50})
	if _, err := c.Put(t.Context(), "endless", endless, 0); err == nil || !strings.Contains(err.Error(), "another host") {
		t.Errorf("put after the copy was lost: got %v", err)
	}
}

// TestTwoHosts on one root by mistake, in the same second: one of them is refused, and
// its failure takes nothing from the other.
func TestTwoHosts(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	a, b := host(t, srv, "a", 1), host(t, srv, "b", 1)
	c := begin(t, a, copy1)
	o := put(t, c, "a", "x")
	if _, err := b.Begin(t.Context(), copy1); !errors.Is(err, backends.ErrPrefixTaken) {
		t.Errorf("got %v, want ErrPrefixTaken", err)
	}
	d := begin(t, b, copy2)
	if err := host(t, srv, "c", 1).Recover(t.Context()); err != nil {
		t.Error(err)
	}
	if err := backends.Commit(t.Context(), d, manifest(copy2, put(t, d, "a", "y"))); err != nil {
		t.Error(err)
	}
	if err := backends.Commit(t.Context(), c, manifest(copy1, o)); err != nil {
		t.Error(err)
	}
	wantCopies(t, b, copy1, copy2)
}

// TestCutRemoval: a removal that was cut at any request leaves no copy and nothing
// that is taken for one, and the next run ends it.
func TestCutRemoval(t *testing.T) {
	const pythons = 1001 // more than one request can delete
	for cut := 1; ; cut++ {
		srv := s3test.New(t, s3test.Quirks{})
		o := small(t, srv)
		o.Attempts = 1
		s := open(t, o)
		prefix, python := copy1, "web1/daily/"+copy2
		makeCopy(t, s, prefix)
		for i := range pythons {
			srv.Put(fmt.Sprintf("%s/o%d", python, i), "x")
		}
		left := cut
		srv.Set(func(q *s3test.Quirks) {
			q.Fault = func(string, string) s3test.Fault {
				if left--; left < 0 {
					return s3test.Reset
				}
				return s3test.None
			}
		})
		err := errors.Join(s.Remove(t.Context(), prefix), s.Remove(t.Context(), copy2))
		srv.Set(func(q *s3test.Quirks) { q.Fault = nil })
		next := open(t, o)
		if e := next.Recover(t.Context()); e != nil {
			t.Error(e)
		}
		infos, e := next.List(t.Context())
		if e != nil {
			t.Error(e)
		}
		for _, i := range infos {
			if i.Damage != nil || i.Prefix == copy2 && i.Objects != pythons || i.Prefix == copy1 && i.Objects != 1 {
				t.Errorf("cut at request %d: listed %+v", cut, i)
			}
		}
		if err == nil {
			wantNothing(t, srv, "20")
			return
		}
	}
}

// TestRemoveHundredThousand objects with at most 110 requests that delete, and in
// bounded memory.
func TestRemoveHundredThousand(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	s := open(t, small(t, srv))
	makeCopy(t, s, copy1)
	for i := range 100_000 {
		srv.Put(fmt.Sprintf("web1/daily/%s/d%03d/object-%06d", copy1, i%1000, i), "")
	}
	srv.ResetCounts()
	first := ""
	srv.Set(func(q *s3test.Quirks) {
		q.Fault = func(op, key string) s3test.Fault {
			if first == "" && strings.HasPrefix(op, "DeleteObject") {
				first = op + " " + key
			}
			return s3test.None
		}
	})
	if err := s.Remove(t.Context(), copy1); err != nil {
		t.Fatal(err)
	}
	if want := "DeleteObject web1/daily/" + copy1 + "/.palhm/manifest.json"; first != want {
		t.Errorf("the first to go was %q, want %q", first, want)
	}
	n := srv.Count("DeleteObjects") + srv.Count("DeleteObject")
	if n > 110 {
		t.Errorf("got %d delete requests, want at most 110", n)
	}
	t.Logf("%d requests, of them %d delete", srv.Count(""), n)
	wantNothing(t, srv, copy1)
}

// TestTenThousandObjects cost about one request each, and no memory but for their names
// and sizes: a buffer each, of the 64 KiB that a short object is read into, would be
// 640 MiB.
func TestTenThousandObjects(t *testing.T) {
	const most = 64 << 20
	srv := s3test.New(t, s3test.Quirks{})
	o := small(t, srv)
	o.Memory = s3.NewBudget(s3.DefaultMemory)
	s := open(t, o)
	c := begin(t, s, copy1)
	srv.ResetCounts()
	m := manifest(copy1)
	heap, routines := liveHeap(), runtime.NumGoroutine()
	for i := range 10_000 {
		m.Objects = append(m.Objects, put(t, c, fmt.Sprintf("d%d/%d", i%97, i), fmt.Sprint(i)))
	}
	stored := liveHeap() - heap
	if err := backends.Commit(t.Context(), c, m); err != nil {
		t.Fatal(err)
	}
	if n := srv.Count(""); n > 10_020 {
		t.Errorf("got %d requests for 10,000 objects", n)
	}
	committed := liveHeap() - heap
	if stored > most || committed > most || o.Memory.Peak() > 0 {
		t.Errorf("the heap grew by %d bytes until the commit and by %d after it, want at most %d; parts took %d", stored, committed, most, o.Memory.Peak())
	}
	if n := runtime.NumGoroutine() - routines; n > 50 {
		t.Errorf("%d goroutines are left", n)
	}
	t.Logf("%d MiB of heap, of them the store's: all that it holds", committed>>20)
	wantCopies(t, s, copy1)
}

// liveHeap is how many bytes of the heap are in use.
func liveHeap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestForeignUploads: more open uploads than a page shows, of other tools and of dead
// runs. Only the latter go.
func TestForeignUploads(t *testing.T) {
	for name, q := range map[string]s3test.Quirks{"AWS": {Page: 3}, "no markers": {Page: 30, RefuseUploadMarkers: true}} {
		t.Run(name, func(t *testing.T) {
			srv := s3test.New(t, q)
			s := open(t, small(t, srv))
			makeCopy(t, s, copy1)
			others := []string{"elsewhere/x", "web1/daily/", "web1/daily/notes", "web1/daily/1999/x", "web1/daily/" + copy2 + "/python", "web1/dailyx/" + copy1 + "/x"}
			for _, key := range others {
				srv.Begin(key)
			}
			for i := range 40 {
				srv.Begin(fmt.Sprintf("web1/daily/%s/stray%d", copy1, i))
				srv.Begin("web1/daily/" + copy1 + "/again and again")
			}
			if err := s.Recover(t.Context()); err != nil {
				t.Error(err)
			}
			slices.Sort(others)
			if got := srv.Uploads(); !slices.Equal(got, others) {
				t.Errorf("got open uploads %q, want %q", got, others)
			}
		})
	}
}

// TestNoDelete: with an identity that may neither delete nor overwrite, a failing
// backup leaves nothing that is listed, recovery is no problem, and a removal is
// refused and loses nothing. A host that may delete cleans up.
func TestNoDelete(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	deny := func(op, _ string) bool { return strings.HasPrefix(op, "DeleteObject") }
	srv.Set(func(q *s3test.Quirks) { q.Deny = deny })
	o := small(t, srv)
	s := open(t, o)
	makeCopy(t, s, copy1)
	c := begin(t, s, copy2)
	put(t, c, "a", "x")
	if err := c.Abort(t.Context()); err == nil {
		t.Error("abort: got no error")
	}
	wantCopies(t, s, copy1)
	again := open(t, o)
	if err := again.Recover(t.Context()); err != nil {
		t.Errorf("recover: %v", err)
	}
	if err := s.Remove(t.Context(), copy1); err == nil {
		t.Error("remove: got no error")
	}
	wantCopies(t, s, copy1)
	srv.Set(func(q *s3test.Quirks) { q.Deny = nil })
	if err := host(t, srv, "b", 1).Recover(t.Context()); err != nil {
		t.Error(err)
	}
	wantNothing(t, srv, copy2)
	wantCopies(t, s, copy1)
}

// TestWriteOnly: an identity that may read nothing but what is below .palhm, where
// asking for an object counts as reading it. Answers get lost as well.
func TestWriteOnly(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{Deny: func(op, key string) bool {
		reads := op == "HeadObject" || op == "GetObject"
		return strings.HasPrefix(op, "DeleteObject") || reads && !strings.Contains(key, "/.palhm/")
	}})
	s := open(t, small(t, srv))
	c := begin(t, s, copy1)
	var objects []backends.ObjectRecord
	for i, op := range []string{"CompleteMultipartUpload", "PutObject", ""} {
		srv.Set(func(q *s3test.Quirks) { q.Fault = times(op, 1, s3test.LoseAnswer) })
		for _, n := range []int64{10, 2 * part} {
			path := fmt.Sprintf("o%d-%d", i, n)
			st, err := backends.Put(t.Context(), c, path, stream(n, nil), 0)
			if err != nil {
				t.Fatal(err)
			}
			objects = append(objects, record(path, st))
		}
	}
	if err := backends.Commit(t.Context(), c, manifest(copy1, objects...)); err != nil {
		t.Fatal(err)
	}
	wantCopies(t, s, copy1)
}

// TestPartlyDenied: a request that deletes succeeds as a whole and fails for a key.
func TestPartlyDenied(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{Deny: func(op, key string) bool { return op == "DeleteObject" && strings.HasSuffix(key, "/a") }})
	s := open(t, small(t, srv))
	makeCopy(t, s, copy1)
	if err := s.Remove(t.Context(), copy1); err == nil || !strings.Contains(err.Error(), copy1+"/a: AccessDenied") {
		t.Errorf("got %v, want an error that names the key", err)
	}
	wantCopies(t, s)
}

// TestClasses: the objects of a committed copy get another class, small ones and
// large ones, and those of a copy whose change was cut get it by the next one.
func TestClasses(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	o := small(t, srv)
	o.SinkClass, o.RotClass = "STANDARD_IA", "GLACIER_IR"
	s := open(t, o)
	makeCopy(t, s, copy1)
	if got := srv.Class("web1/daily/" + copy1 + "/a"); got != "STANDARD_IA" {
		t.Errorf("written in class %q", got)
	}
	srv.Set(func(q *s3test.Quirks) { q.NoClasses = true })
	if err := s.Finish(t.Context(), copy1); err == nil {
		t.Error("finish on a store without classes: got no error")
	}
	wantCopies(t, s, copy1)
	srv.Set(func(q *s3test.Quirks) { q.NoClasses = false })
	makeCopy(t, s, copy2)
	if err := s.Finish(t.Context(), copy2); err != nil {
		t.Error(err)
	}
	for _, prefix := range []string{copy1, copy2} {
		if got := srv.Class("web1/daily/" + prefix + "/a"); got != "GLACIER_IR" {
			t.Errorf("%s: got class %q", prefix, got)
		}
	}
	if got := srv.Class("web1/daily/" + copy1 + "/.palhm/manifest.json"); got != "STANDARD" {
		t.Errorf("the manifest is in class %q", got)
	}
	srv.ResetCounts()
	if err := s.Finish(t.Context(), copy2); err != nil || srv.Count("CopyObject") > 0 {
		t.Errorf("finish again: got %v and %d copies", err, srv.Count("CopyObject"))
	}
}

// TestClassOfLargeObject is changed in parts, which the fake server only counts.
func TestClassOfLargeObject(t *testing.T) {
	if testing.Short() {
		t.Skip("needs six gigabytes through the loopback: not with -short")
	}
	srv := s3test.New(t, s3test.Quirks{Discard: true})
	o := options(t, srv)
	o.RotClass = "GLACIER"
	s := open(t, o)
	c := begin(t, s, copy1)
	const size = 5<<30 + 1
	st, err := backends.Put(t.Context(), c, "huge", &zeros{n: size}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := backends.Commit(t.Context(), c, manifest(copy1, record("huge", st))); err != nil {
		t.Fatal(err)
	}
	if err := s.Finish(t.Context(), copy1); err != nil {
		t.Fatal(err)
	}
	key := "web1/daily/" + copy1 + "/huge"
	if srv.Class(key) != "GLACIER" || srv.Size(key) != size || len(srv.Uploads()) > 0 {
		t.Errorf("got class %s, %d bytes, open uploads %q", srv.Class(key), srv.Size(key), srv.Uploads())
	}
}

// TestWholeBucketAsRoot: a root of nothing lists, removes and recovers like any other.
func TestWholeBucketAsRoot(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	o := small(t, srv)
	o.Root = ""
	s := open(t, o)
	s.SetHost("a", "boot", 1<<30)
	srv.Put("notes.txt", "x")
	makeCopy(t, s, copy1)
	if _, there := srv.Get(copy1 + "/a"); !there {
		t.Errorf("got keys %q, want them to begin with the copy's name", srv.Keys())
	}
	abandon(t, srv, s, copy2)
	next := open(t, o)
	next.SetHost("a", "boot", 1<<30+1)
	if err := errors.Join(next.Recover(t.Context()), next.Remove(t.Context(), copy1)); err != nil {
		t.Error(err)
	}
	wantGone(t, srv, next, copy1, copy2)
	if keys := srv.Keys(); !slices.Equal(keys, []string{"notes.txt"}) || len(srv.Uploads()) > 0 {
		t.Errorf("left: %q, %q", keys, srv.Uploads())
	}
}

// TestNextCopyKnowsTheSize of a large object, so that it begins with larger parts.
func TestNextCopyKnowsTheSize(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	o := options(t, srv)
	m := manifest(copy1, backends.ObjectRecord{Path: "big", Size: 40 << 30, SHA256: strings.Repeat("0", 64)})
	data, _, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	srv.Put("web1/daily/"+copy1+"/.palhm/manifest.json", string(data))
	s := open(t, o)
	wantCopies(t, s, copy1)
	c := begin(t, s, copy2)
	srv.ResetCounts()
	if _, err := backends.Put(t.Context(), c, "big", &zeros{n: 30 << 20}, 0); err != nil {
		t.Fatal(err)
	}
	if n := srv.Count("UploadPart"); n != 2 { // of 16 MiB, not of 8
		t.Errorf("got %d parts, want 2", n)
	}
}

// Whoever looks at a copy that is being made sees the name that its host goes by.
func TestOpenNamesTheHost(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	o := small(t, srv)
	o.Host = "blue"
	begin(t, open(t, o), copy1)
	if got, _ := srv.Get("web1/daily/" + copy1 + "/.palhm/open.json"); !strings.Contains(got, `"host":"blue"`) {
		t.Errorf("got %s, want the host blue", got)
	}
}
