package s3_test

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"palhm/backends"
	"palhm/backends/s3"
	"palhm/backends/s3/s3test"
)

// tmpdir makes TMPDIR a file system of so many bytes.
func tmpdir(t *testing.T, size string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir := t.TempDir()
	if err := unix.Mount("palhm", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skip("needs to mount a tmpfs: ", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("something in TMPDIR is in use: %v", err)
		}
	})
	t.Setenv("TMPDIR", dir)
}

// spooled sends a stream with parts and a budget of so many bytes.
func spooled(t *testing.T, budget int64) (*s3test.Server, error) {
	t.Helper()
	srv := s3test.New(t, s3test.Quirks{})
	o := small(t, srv)
	o.Memory = s3.NewBudget(budget)
	c := begin(t, open(t, o), copy1)
	_, err := backends.Put(t.Context(), c, "a", stream(4*part+1, nil), 0)
	if used := o.Memory.Used(); used != 0 {
		t.Errorf("%d bytes were not given back", used)
	}
	return srv, err
}

// TestTMPDIR that is full, or has room for one part only, costs speed and no copy as
// long as a part fits in memory.
func TestTMPDIR(t *testing.T) {
	for size, budget := range map[string]int64{"64k": part, "320k": part - 1, "1m": part - 1} {
		t.Run(size, func(t *testing.T) {
			tmpdir(t, size)
			srv, err := spooled(t, budget)
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := srv.Get(objectKey); got != bytesOf(4*part+1) {
				t.Error("something else arrived")
			}
		})
	}
}

// TestTMPDIRIsNamed when it is what keeps a stream from being sent.
func TestTMPDIRIsNamed(t *testing.T) {
	for name, set := range map[string]func(t *testing.T){
		"full":    func(t *testing.T) { tmpdir(t, "64k") },
		"missing": func(t *testing.T) { t.TempDir(); t.Setenv("TMPDIR", "/nonexistent") },
	} {
		t.Run(name, func(t *testing.T) {
			set(t)
			srv, err := spooled(t, part-1)
			if err == nil || !strings.Contains(err.Error(), "set TMPDIR") || !strings.Contains(err.Error(), os.Getenv("TMPDIR")) {
				t.Errorf("got %v, want an error that names TMPDIR", err)
			}
			if len(srv.Uploads()) > 0 {
				t.Errorf("open uploads: %q", srv.Uploads())
			}
		})
	}
}
