package s3_test

import (
	"runtime"
	"strings"
	"testing"

	"palhm/backends/s3/s3test"
)

// TestBadManifestTakesLittleMemory: one that anybody with the right to write has planted
// does not take all of the memory of every run on that root.
func TestBadManifestTakesLittleMemory(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	s := open(t, small(t, srv))
	text := `{"version":1,"host":"h","task":"t","prefix":"` + copy1 + `","objects":[` + strings.Repeat("{},", 1<<20) + `{}]}`
	srv.Put(openKey, "{}")
	srv.Put(manifestKey, text)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	infos, err := s.List(t.Context())
	runtime.ReadMemStats(&after)
	if err != nil || len(infos) != 1 || infos[0].Damage == nil {
		t.Errorf("got %+v, %v, want a damaged copy", infos, err)
	}
	if got := (after.TotalAlloc - before.TotalAlloc) / uint64(len(text)); got > 12 {
		t.Errorf("%d times the length of the manifest was allocated", got)
	}
}
