package s3

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"palhm/backends"
	"palhm/backends/internal/flock"
)

// Lock takes the flock(2) on a file of this host that is named after the endpoint,
// the bucket and ROOT.
func (s *Store) Lock(ctx context.Context, owner backends.Owner, wait time.Duration) (release func() error, err error) {
	dir, err := s.lockDir()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", s.Root(), err)
	}
	cfg, err := s.config(ctx)
	if err != nil {
		return nil, fmt.Errorf("use %s: %w", s.Root(), err)
	}
	path := filepath.Join(dir, "s3-"+s.fileName(s.endpointOf(cfg)))
	file := flock.File{
		Root:      s.Root(),
		Open:      func() (*os.File, error) { return openLock(path) },
		IsCurrent: func(f *os.File) bool { return isCurrent(path, f) },
	}
	return file.Lock(ctx, owner, wait)
}

// lockDir makes the directory when it is missing.
func (s *Store) lockDir() (string, error) {
	if s.opt.LockDir != "" {
		return s.opt.LockDir, os.MkdirAll(s.opt.LockDir, 0o700)
	}
	return flock.Dir("/run/lock", os.Getenv("XDG_RUNTIME_DIR"))
}

func openLock(path string) (*os.File, error) {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	f, err := flock.Open(int(dir.Fd()), filepath.Base(path), path)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return f, nil
}

func isCurrent(path string, f *os.File) bool {
	mine, err := f.Stat()
	theirs, err2 := os.Lstat(path)
	return err == nil && err2 == nil && os.SameFile(mine, theirs)
}
