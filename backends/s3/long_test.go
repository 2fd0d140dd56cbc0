package s3_test

import (
	"os"
	"strconv"
	"testing"
	"time"

	"palhm/backends"
	"palhm/backends/s3"
	"palhm/backends/s3/s3test"
)

// TestLongStream is longer than as many parts as an upload may have, of the size of the
// first, would hold. 20 parts of 5 MiB stand for 10,000 of 8 MiB; PALHM_TEST_GIB is how
// many GiB are sent as well with those, to a server that discards them: more than 80.
func TestLongStream(t *testing.T) {
	sendLong(t, 150<<20, 20, realPart)
	if n, err := strconv.ParseInt(os.Getenv("PALHM_TEST_GIB"), 10, 64); err == nil {
		sendLong(t, n<<30, 10_000, 8<<20)
	}
}

func sendLong(t *testing.T, n int64, parts int, first int64) {
	t.Helper()
	srv := s3test.New(t, s3test.Quirks{Discard: true, MaxParts: parts})
	o := options(t, srv)
	o.Memory = s3.NewBudget(s3.DefaultMemory)
	o.MaxParts, o.PartSize = parts, first
	c := begin(t, open(t, o), copy1)
	start := time.Now()
	st, err := backends.Put(t.Context(), c, "a", &zeros{n: n}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := backends.Commit(t.Context(), c, manifest(copy1, record("a", st))); err != nil {
		t.Fatal(err)
	}
	if got := srv.Size(objectKey); got != n {
		t.Errorf("stored are %d bytes, want %d", got, n)
	}
	if got := srv.Count("UploadPart"); got > parts || got == int((n+first-1)/first) {
		t.Errorf("sent in %d parts of at most %d: they did not grow", got, parts)
	}
	if peak := o.Memory.Peak(); peak == 0 || peak > s3.DefaultMemory {
		t.Errorf("parts took %d bytes of %d at a time", peak, s3.DefaultMemory)
	}
	d := time.Since(start)
	t.Logf("%d MiB in %s, %.0f MiB/s, in %d parts; at most %d MiB of parts at a time", n>>20, d.Round(time.Second),
		float64(n>>20)/d.Seconds(), srv.Count("UploadPart"), o.Memory.Peak()>>20)
}
