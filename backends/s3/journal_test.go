package s3_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"palhm/backends"
	"palhm/backends/s3"
	"palhm/backends/s3/s3test"
)

// journal is the one in a directory of state, and what is in it; "" = there is none.
func journal(t *testing.T, dir string) (path, text string) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(dir, "s3-uploads-*"))
	if len(files) == 0 {
		return "", ""
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	return files[0], string(data)
}

// TestCutJournal: a line that was cut takes nothing from the next one.
func TestCutJournal(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{ExactUploads: true})
	o := small(t, srv)
	dead := open(t, o)
	dead.SetHost("a", "boot", 1<<30) // no process has this id
	abandon(t, srv, dead, copy1)
	path, text := journal(t, o.StateDir)
	if err := os.Truncate(path, int64(len(text)-4)); err != nil {
		t.Fatal(err)
	}
	srv.DropUploads()
	srv.ResetCounts()
	abandon(t, srv, dead, copy2)
	next := open(t, o)
	next.SetHost("a", "boot", 1<<30+1)
	if err := next.Recover(t.Context()); err != nil {
		t.Error(err)
	}
	wantNothing(t, srv, copy2)
}

// TestJournalInAList: systemd sets STATE_DIRECTORY to a list when a unit names several.
func TestJournalInAList(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	o := small(t, srv)
	first := t.TempDir()
	t.Setenv("STATE_DIRECTORY", first+":"+t.TempDir())
	o.StateDir = ""
	abandon(t, srv, open(t, o), copy1)
	if path, _ := journal(t, first); path == "" {
		t.Errorf("there is no journal in %s", first)
	}
}

// TestJournalIsKept while what it says was not dealt with, also when the run that could
// not do that makes a copy of its own.
func TestJournalIsKept(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	o := small(t, srv)
	o.Attempts = 2
	dead := open(t, o)
	dead.SetHost("a", "boot", 1<<30) // no process has this id
	c := begin(t, dead, copy1)
	if _, err := backends.Put(t.Context(), c, "a", stream(2*part, nil), 0); err != nil {
		t.Fatal(err)
	}
	s3.Drop(c)
	next := open(t, o)
	next.SetHost("a", "boot", 1<<30+1)
	srv.Set(func(q *s3test.Quirks) {
		q.Fault = times("ListMultipartUploads", -1, s3test.Reset)
	})
	if err := next.Recover(t.Context()); err == nil {
		t.Error("recover: got no error")
	}
	makeCopy(t, next, copy2)
	if _, text := journal(t, o.StateDir); !strings.Contains(text, objectKey) {
		t.Errorf("the journal is %q", text)
	}
	srv.Set(func(q *s3test.Quirks) { q.Fault = nil })
	if err := next.Recover(t.Context()); err != nil {
		t.Error(err)
	}
	if path, _ := journal(t, o.StateDir); path != "" {
		t.Error("the journal is left")
	}
	wantNothing(t, srv, copy1)
}
