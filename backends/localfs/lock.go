package localfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"palhm/backends"
	"palhm/backends/internal/flock"
)

// Lock takes the flock(2) on ROOT/.palhm.lock. It makes ROOT when it is missing.
func (s *Store) Lock(ctx context.Context, owner backends.Owner, wait time.Duration) (release func() error, err error) {
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

func openLock(root *dir) (*os.File, error) {
	var f *os.File
	err := root.call("open", lockName, func(fd int) error {
		got, err := unix.Openat(fd, lockName, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o600)
		if err == nil {
			f = os.NewFile(uintptr(got), root.at(lockName))
		}
		return err
	})
	if errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("%s is a symbolic link, want a plain file: remove it", root.at(lockName))
	}
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, fmt.Errorf("%s is not a plain file: remove it", root.at(lockName))
	}
	return f, nil
}

func isCurrent(root *dir, f *os.File) bool {
	var mine unix.Stat_t
	st, err := root.lstat(lockName)
	return err == nil && unix.Fstat(int(f.Fd()), &mine) == nil && mine.Ino == st.Ino && mine.Dev == st.Dev
}
