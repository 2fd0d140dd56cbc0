package flock_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"palhm/backends/internal/flock"
)

// TestDir: locks lie in a directory of this user, whoever has made the others, and in the
// same one from run to run.
func TestDir(t *testing.T) {
	own := "palhm-" + strconv.Itoa(os.Geteuid())
	fresh := own
	if os.Geteuid() == 0 {
		fresh = "palhm"
	}
	for name, c := range map[string]struct {
		before func(t *testing.T, system string) // what others have made
		want   string
	}{
		"nothing":         {func(t *testing.T, system string) {}, fresh},
		"mine":            {func(t *testing.T, system string) { makeDir(t, system+"/palhm", 0o700, -1) }, "palhm"},
		"mine, too wide":  {func(t *testing.T, system string) { makeDir(t, system+"/palhm", 0o755, -1) }, "palhm"},
		"open to all":     {func(t *testing.T, system string) { makeDir(t, system+"/palhm", 0o777, -1) }, own},
		"a file":          {func(t *testing.T, system string) { makeFile(t, system+"/palhm") }, own},
		"a link":          {func(t *testing.T, system string) { makeLink(t, system+"/palhm") }, own},
		"somebody else's": {func(t *testing.T, system string) { makeDir(t, system+"/palhm", 0o777, 123) }, own},
		"mine is there":   {func(t *testing.T, system string) { makeDir(t, system+"/"+own, 0o700, -1) }, own},
		"both are taken":  {func(t *testing.T, system string) { makeFile(t, system+"/palhm"); makeLink(t, system+"/"+own) }, "session/palhm"},
		"all of them gone": {func(t *testing.T, system string) {
			makeFile(t, system+"/palhm")
			makeFile(t, system+"/"+own)
			makeFile(t, system+"/session/palhm")
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			system := t.TempDir()
			makeDir(t, system+"/session", 0o700, -1)
			c.before(t, system)
			for range 2 {
				got, err := flock.Dir(system, system+"/session")
				if c.want == "" {
					if err == nil || !strings.Contains(err.Error(), "palhm: it is no directory, or a link\n") || !strings.Contains(err.Error(), "XDG_RUNTIME_DIR") {
						t.Fatalf("got %q, %v, want an error that says what to do", got, err)
					}
					return
				}
				if err != nil || got != filepath.Join(system, c.want) {
					t.Fatalf("got %q, %v, want %s", got, err, c.want)
				}
				if info, err := os.Lstat(got); err != nil || info.Mode() != os.ModeDir|0o700 {
					t.Errorf("got %v, %v, want a directory with the mode 0700", info, err)
				}
			}
		})
	}
}

// TestDirThatComesAndGoes: another user who makes and removes the directory that all share
// does not get two runs to use two directories.
func TestDirThatComesAndGoes(t *testing.T) {
	system := t.TempDir()
	makeFile(t, system+"/palhm")
	first, err := flock.Dir(system, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(system + "/palhm"); err != nil {
		t.Fatal(err)
	}
	if second, err := flock.Dir(system, ""); err != nil || second != first {
		t.Errorf("got %q, %v, want %q again", second, err, first)
	}
}

// makeDir makes a directory, of another user if this one may.
func makeDir(t *testing.T, path string, mode os.FileMode, uid int) {
	t.Helper()
	if err := os.Mkdir(path, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	if uid >= 0 && os.Geteuid() == 0 {
		if err := os.Chown(path, uid, uid); err != nil {
			t.Fatal(err)
		}
	}
}

func makeFile(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func makeLink(t *testing.T, path string) {
	t.Helper()
	if err := os.Symlink(t.TempDir(), path); err != nil {
		t.Fatal(err)
	}
}
