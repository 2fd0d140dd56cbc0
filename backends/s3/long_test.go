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

// TestLongStream sends as many GiB as PALHM_TEST_GIB says to a server that discards
// them: more than the 80 GiB that 10,000 parts of 8 MiB hold.
func TestLongStream(t *testing.T) {
	n, err := strconv.ParseInt(os.Getenv("PALHM_TEST_GIB"), 10, 64)
	if err != nil {
		return // it takes minutes; the schedule is tested without
	}
	srv := s3test.New(t, s3test.Quirks{Discard: true})
	o := options(t, srv)
	o.Memory = s3.NewBudget(s3.DefaultMemory)
	c := begin(t, open(t, o), copy1)
	start := time.Now()
	st, err := backends.Put(t.Context(), c, "long", &zeros{n: n << 30}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := backends.Commit(t.Context(), c, manifest(copy1, record("long", st))); err != nil {
		t.Fatal(err)
	}
	d := time.Since(start)
	t.Logf("%d GiB in %s, %.0f MiB/s, in %d parts; at most %d MiB of parts at a time", n, d.Round(time.Second),
		float64(n<<10)/d.Seconds(), srv.Count("UploadPart"), o.Memory.Peak()>>20)
}
