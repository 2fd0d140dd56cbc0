package s3_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"palhm/backends"
	"palhm/backends/s3"
	"palhm/backends/s3/s3test"
)

// realPart is the smallest part that S3 takes. The store in memory takes smaller ones, so
// that the tests move little: part has room for several blocks and for what fits in one request.
const (
	realPart = 5 << 20
	part     = 256 << 10
)

// stream is n bytes of chance, and then err.
func stream(n int64, err error) io.Reader {
	end := io.Reader(strings.NewReader(""))
	if err != nil {
		end = iotest.ErrReader(err)
	}
	return io.MultiReader(io.LimitReader(rand.NewChaCha8([32]byte{1}), n), end)
}

func bytesOf(n int64) string {
	b, _ := io.ReadAll(stream(n, nil))
	return string(b)
}

// small are options with small parts, which the server is told to take.
func small(t testing.TB, srv *s3test.Server) s3.Options {
	srv.Set(func(q *s3test.Quirks) { q.MinPart = part })
	o := options(t, srv)
	o.PartSize, o.MinPart = part, part
	return o
}

// TestUploads of every length around the borders of parts arrive as they were sent,
// with the least requests.
func TestUploads(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	s := open(t, small(t, srv))
	c := begin(t, s, copy1)
	var objects []backends.ObjectRecord
	for i, n := range []int64{0, 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, part - 1, part, part + 1, 2 * part, 2*part + 1, 5*part + 7} {
		path := fmt.Sprintf("o%d", i)
		srv.ResetCounts()
		st, err := backends.Put(t.Context(), c, path, stream(n, nil), 0)
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		objects = append(objects, record(path, st))
		if got, _ := srv.Get("web1/daily/" + copy1 + "/" + path); got != bytesOf(n) {
			t.Errorf("%d bytes: something else arrived", n)
		}
		want := 1
		if n > part {
			want = int((n+part-1)/part) + 3 // create, complete, look
		}
		if n == part+1 {
			want++ // the first one: are uploads listed?
		}
		if got := srv.Count(""); got != want {
			t.Errorf("%d bytes: got %d requests, want %d", n, got, want)
		}
	}
	if err := backends.Commit(t.Context(), c, manifest(copy1, objects...)); err != nil {
		t.Fatal(err)
	}
	wantCopies(t, s, copy1)
	if left := srv.Uploads(); len(left) > 0 {
		t.Errorf("open uploads: %q", left)
	}
}

// TestStoresOfOtherMinds: equal parts, few parts, other checksums or none.
func TestStoresOfOtherMinds(t *testing.T) {
	yes := true
	for name, c := range map[string]struct {
		q   s3test.Quirks
		opt func(o *s3.Options)
	}{
		"equal parts":         {s3test.Quirks{EqualParts: true}, func(o *s3.Options) { o.EqualParts = &yes }},
		"few parts":           {s3test.Quirks{MaxParts: 20}, func(o *s3.Options) { o.MaxParts = 20 }},
		"no checksums kept":   {s3test.Quirks{NoChecksums: true}, func(*s3.Options) {}},
		"md5":                 {s3test.Quirks{RefuseChecksums: true}, func(o *s3.Options) { o.Checksum = "md5" }},
		"no checksums at all": {s3test.Quirks{RefuseChecksums: true}, func(o *s3.Options) { o.Checksum = "none" }},
		"404 when repeated":   {s3test.Quirks{RepeatedComplete: 404}, func(*s3.Options) {}},
		"no conditions":       {s3test.Quirks{RefuseConditions: true}, func(*s3.Options) {}},
	} {
		t.Run(name, func(t *testing.T) {
			srv := s3test.New(t, c.q)
			o := small(t, srv)
			c.opt(&o)
			s := open(t, o)
			k := begin(t, s, copy1)
			st, err := backends.Put(t.Context(), k, "big", stream(12*part+1, nil), 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := backends.Commit(t.Context(), k, manifest(copy1, record("big", st), put(t, k, "small", "x"))); err != nil {
				t.Fatal(err)
			}
			r, err := s.Open(t.Context(), copy1, "big")
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			got, err := io.ReadAll(r)
			if err != nil || string(got) != bytesOf(12*part+1) {
				t.Errorf("something else was stored: %v", err)
			}
			if err := s.Remove(t.Context(), copy1); err != nil {
				t.Error(err)
			}
			wantNothing(t, srv, copy1)
		})
	}
}

// TestTooLong: a stream that no longer fits is an error that says what to set, and
// leaves nothing.
func TestTooLong(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{MaxParts: 3, EqualParts: true})
	o, yes := small(t, srv), true
	o.MaxParts, o.EqualParts = 3, &yes
	c := begin(t, open(t, o), copy1)
	if _, err := backends.Put(t.Context(), c, "fits", stream(3*part, nil), 0); err != nil {
		t.Errorf("3 parts: %v", err)
	}
	_, err := backends.Put(t.Context(), c, "big", stream(3*part+1, nil), 0)
	if err == nil || !strings.Contains(err.Error(), "alloc_size") {
		t.Errorf("got %v, want an error that names alloc_size", err)
	}
	if left := srv.Uploads(); len(left) > 0 {
		t.Errorf("open uploads: %q", left)
	}
}

// TestLateFailureLeavesNothing: a stage fails after gigabytes. No object is at its
// path, no upload is left, and the copy's other objects go. The requests are counted.
func TestLateFailureLeavesNothing(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{Discard: true})
	s := open(t, options(t, srv))
	c := begin(t, s, copy1)
	put(t, c, "other", "x")
	srv.ResetCounts()
	cause := errors.New("mysqldump exited with 2")
	size := int64(2 << 30)
	if testing.Short() {
		size = 200 << 20
	}
	if _, err := backends.Put(t.Context(), c, "all-db.sql", &zeros{n: size, err: cause}, 0); !errors.Is(err, cause) {
		t.Fatalf("got %v, want the reader's error", err)
	}
	if n := srv.Count("CompleteMultipartUpload") + srv.Count("PutObject"); n != 0 {
		t.Errorf("got %d requests that make an object, want none", n)
	}
	if n := srv.Count("UploadPart"); n < int(size>>23)-3 {
		t.Errorf("got %d parts, want about %d: the failure came too early to prove anything", n, size>>23)
	}
	if n := srv.Count("AbortMultipartUpload"); n < 1 {
		t.Errorf("the upload was not aborted")
	}
	if left := srv.Uploads(); len(left) > 0 {
		t.Errorf("open uploads: %q", left)
	}
	if err := c.Abort(t.Context()); err != nil {
		t.Error(err)
	}
	wantNothing(t, srv, copy1)
	t.Logf("%d bytes, then a failure: %d requests, of them %d parts and %d aborts", size, srv.Count(""), srv.Count("UploadPart"), srv.Count("AbortMultipartUpload"))
}

// zeros is n bytes, and then err, or io.EOF.
type zeros struct {
	n   int64
	err error
}

func (z *zeros) Read(p []byte) (int, error) {
	if z.n == 0 {
		if z.err != nil {
			return 0, z.err
		}
		return 0, io.EOF
	}
	n := min(int64(len(p)), z.n)
	clear(p[:n])
	z.n -= n
	return int(n), nil
}

// TestMemory: streams wait for the budget and all get through, however many there
// are, and a part that is too large for it goes through a file.
func TestMemory(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{Discard: true})
	for _, budget := range []int64{part, 2 * part, 5 * part} {
		o := small(t, srv)
		o.Memory = s3.NewBudget(budget)
		o.Root = fmt.Sprint("r", budget)
		c := begin(t, open(t, o), copy1)
		errs := make(chan error)
		for i := range 8 {
			go func() {
				_, err := backends.Put(t.Context(), c, fmt.Sprint(i), &zeros{n: 4*part + 1}, 0)
				errs <- err
			}()
		}
		for range 8 {
			if err := <-errs; err != nil {
				t.Errorf("budget %d: %v", budget, err)
			}
		}
		if used := o.Memory.Used(); used != 0 {
			t.Errorf("budget %d: %d bytes were not given back", budget, used)
		}
		if peak := o.Memory.Peak(); peak > budget {
			t.Errorf("budget %d: it was exceeded: %d", budget, peak)
		}
	}
}

// TestStalledStreamHoldsUpNoOther: a stream whose source stalls keeps only the part that it
// fills.
func TestStalledStreamHoldsUpNoOther(t *testing.T) {
	for name, sent := range map[string]int64{"in a part": 2*part + 1, "between two parts": 2 * part} {
		held := make(chan struct{})
		srv := s3test.New(t, s3test.Quirks{Fault: func(op, _ string) s3test.Fault {
			if op == "UploadPart" {
				<-held // until the third part is begun
			}
			return s3test.None
		}})
		o := small(t, srv)
		o.Memory = s3.NewBudget(3 * part)
		c := begin(t, open(t, o), copy1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		r, w := io.Pipe()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = c.Put(ctx, "stalls", io.MultiReader(stream(sent, nil), r), 0)
		}()
		for srv.Count("UploadPart") < 2 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(50 * time.Millisecond) // by then it has taken all that it wants
		close(held)
		time.Sleep(50 * time.Millisecond) // and has got it back
		for _, path := range []string{"a", "b"} {
			if _, err := backends.Put(ctx, c, path, stream(2*part, nil), 0); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		w.CloseWithError(errors.New("exit code 1"))
		<-ended
		if used := o.Memory.Used(); used != 0 {
			t.Errorf("%s: %d bytes were not given back", name, used)
		}
		cancel()
	}
}

// failing is a stream whose pipeline fails while nobody reads it.
type failing struct {
	io.Reader
	failed chan struct{}
	err    error
}

func (f *failing) Failed() <-chan struct{} { return f.failed }

func (f *failing) Read(p []byte) (int, error) {
	select {
	case <-f.failed:
		return 0, f.err
	default:
		return f.Reader.Read(p)
	}
}

// TestFailureWhileWaitingForMemory is told at once.
func TestFailureWhileWaitingForMemory(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	o := small(t, srv)
	o.Memory = s3.NewBudget(2 * part)
	c := begin(t, open(t, o), copy1)
	o.Memory.Fill()
	f := &failing{Reader: stream(2*part, nil), failed: make(chan struct{}), err: errors.New("exit code 1")}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	time.AfterFunc(20*time.Millisecond, func() { close(f.failed) })
	if _, err := backends.Put(ctx, c, "a", f, 0); !errors.Is(err, f.err) {
		t.Errorf("got %v, want the failure of the stream", err)
	}
}

// TestCancelWhileWaitingForMemory gives the place in the line back.
func TestCancelWhileWaitingForMemory(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	o := small(t, srv)
	o.Memory = s3.NewBudget(2 * part)
	c := begin(t, open(t, o), copy1)
	r, w := io.Pipe()
	done := make(chan error)
	go func() { _, err := backends.Put(t.Context(), c, "slow", r, 0); done <- err }()
	if _, err := w.Write(make([]byte, part/2)); err != nil { // it has its memory now
		t.Fatal(err)
	}
	o.Memory.Fill()
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("stop")
	time.AfterFunc(50*time.Millisecond, func() { cancel(cause) })
	if _, err := backends.Put(ctx, c, "waits", stream(2*part, nil), 0); !errors.Is(err, cause) {
		t.Errorf("got %v, want the cause", err)
	}
	w.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestBandwidth: no more is sent than is allowed.
func TestBandwidth(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	o := options(t, srv)
	o.Bandwidth = 4 << 20
	c := begin(t, open(t, o), copy1)
	start := time.Now()
	if _, err := backends.Put(t.Context(), c, "a", stream(2<<20, nil), 0); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(start); d < 400*time.Millisecond {
		t.Errorf("2 MiB at 4 MiB a second took %s", d)
	}
}
