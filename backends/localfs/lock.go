package localfs

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"palhm/backends"
	"palhm/backends/internal/flock"
	"palhm/runtime/host"
)

// Lock takes the flock(2) on ROOT/.palhm.lock. It makes ROOT when it is missing.
func (s *Store) Lock(ctx context.Context, owner backends.Owner, wait time.Duration) (release func() error, err error) {
	lock := func() (func() error, error) { return s.lock(ctx, owner, wait) }
	unlock, err := await(ctx, s.opt.Patience, lock, func(unlock func() error) { unlock() }) //nolint:errcheck // nobody waits
	if err != nil {
		return nil, err
	}
	return func() error {
		// Whoever is done does not wait for a file system that is silent.
		limited, cancel := context.WithTimeoutCause(context.Background(), s.opt.Patience, errLeft)
		defer cancel()
		return host.Do(limited, unlock)
	}, nil
}

func (s *Store) lock(ctx context.Context, owner backends.Owner, wait time.Duration) (release func() error, err error) {
	root, err := s.makeRoot()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", s.root, err)
	}
	defer root.close()
	file := flock.File{
		Root:      s.root,
		Open:      func() (*os.File, error) { return openLock(root) },
		IsCurrent: func(f *os.File) bool { return isCurrent(root, f) },
	}
	return file.Lock(ctx, owner, wait)
}

func openLock(root *dir) (f *os.File, err error) {
	err = root.call("open", lockName, func(fd int) (err error) {
		f, err = flock.Open(fd, lockName, root.at(lockName))
		return err
	})
	return f, err
}

func isCurrent(root *dir, f *os.File) bool {
	var mine unix.Stat_t
	st, err := root.lstat(lockName)
	return err == nil && unix.Fstat(int(f.Fd()), &mine) == nil && mine.Ino == st.Ino && mine.Dev == st.Dev
}
