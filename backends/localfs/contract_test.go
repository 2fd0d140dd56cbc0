package localfs_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"palhm/backends"
	"palhm/backends/backendtest"
	"palhm/backends/localfs"
)

// newStore opens a root with default options.
func newStore(t testing.TB, root string) *localfs.Store {
	t.Helper()
	return newStoreWith(t, localfs.Options{Root: root})
}

func newStoreWith(t testing.TB, o localfs.Options) *localfs.Store {
	t.Helper()
	s, err := localfs.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	backendtest.Run(t, backendtest.Config{
		New: func(t testing.TB) backends.Store { return newStore(t, filepath.Join(t.TempDir(), "media", "root")) },
		Reopen: func(t testing.TB, s backends.Store) backends.Store {
			return newStore(t, s.Root())
		},
		Plant: func(t testing.TB, s backends.Store, path, content string) {
			plant(t, filepath.Join(s.Root(), path), content)
		},
		Peek: func(t testing.TB, s backends.Store, path string) (string, bool) {
			data, err := os.ReadFile(filepath.Join(s.Root(), path))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			return string(data), err == nil
		},
	})
}

// plant writes a file and makes the directories above it.
func plant(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
