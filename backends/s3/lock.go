package s3

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"palhm/backends"
	"palhm/backends/internal/flock"
)

// systemLocks is where a lock file lies when this user may write there.
const systemLocks = "/run/lock/palhm"

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
	err := os.MkdirAll(systemLocks, 0o700)
	if err == nil && unix.Access(systemLocks, unix.W_OK) == nil {
		return systemLocks, nil
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		dir = filepath.Join(dir, "palhm")
		return dir, os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = errors.New("no write permission")
	}
	return "", fmt.Errorf("make %s: %w; set XDG_RUNTIME_DIR to a directory of this user", systemLocks, err)
}

func openLock(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
}

func isCurrent(path string, f *os.File) bool {
	mine, err := f.Stat()
	theirs, err2 := os.Lstat(path)
	return err == nil && err2 == nil && os.SameFile(mine, theirs)
}
