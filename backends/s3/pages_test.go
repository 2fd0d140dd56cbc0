package s3_test

import (
	"fmt"
	"slices"
	"testing"

	"palhm/backends/s3/s3test"
)

// TestFirstPageOfOthers: a store that shows one page of open uploads, all of them other
// programs', keeps no run from its work, and what was left in a copy is found.
func TestFirstPageOfOthers(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{RefuseUploadMarkers: true, Page: 3})
	s := open(t, small(t, srv))
	makeCopy(t, s, copy1)
	var others []string
	for i := range 7 {
		others = append(others, fmt.Sprintf("web1/daily/19%d", i))
		srv.Begin(others[i])
		srv.Begin(objectKey)
	}
	if err := s.Recover(t.Context()); err != nil {
		t.Error(err)
	}
	if got := srv.Uploads(); !slices.Equal(got, others) {
		t.Errorf("got open uploads %q, want %q", got, others)
	}
}
