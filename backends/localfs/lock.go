package localfs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"palhm/backends"
)

const (
	lockPoll = 20 * time.Millisecond

	// lockSettle is how long a lock may be held before its file says by whom.
	lockSettle = 2 * time.Second
)

// Lock takes the flock(2) on ROOT/.palhm.lock. It makes ROOT when it is missing.
// The file stays: removing it would let two runs lock two files of one name. What
// is in it is for people and for the error of the next one, and the kernel's lock
// alone counts. The descriptor is not inherited by processes.
func (s *Store) Lock(ctx context.Context, owner backends.Owner, wait time.Duration) (release func() error, err error) {
	root, err := s.makeRoot()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", s.root, err)
	}
	defer root.close()
	f, err := s.takeLock(ctx, root, owner, wait)
	if err != nil {
		if _, ok := errors.AsType[*backends.LockedError](err); ok {
			return nil, err
		}
		return nil, fmt.Errorf("lock %s: %w", s.root, err)
	}
	writeOwner(f, &owner)
	return func() error {
		// A page that is there can be written again when the disk is full, so the
		// file is never cut to nothing.
		writeOwner(f, nil)
		return errors.Join(unix.Flock(int(f.Fd()), unix.LOCK_UN), f.Close())
	}, nil
}

// takeLock tries until it has the lock or waiting is over.
func (s *Store) takeLock(ctx context.Context, root *dir, owner backends.Owner, wait time.Duration) (*os.File, error) {
	start := time.Now()
	for {
		f, err := openLock(root)
		if err != nil {
			return nil, err
		}
		err = retry(func() error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) })
		if err == nil && isCurrent(root, f) {
			return f, nil
		}
		holder := readOwner(f)
		f.Close()
		waited := time.Since(start)
		switch {
		case err == nil: // the file of that name is another one now
			if waited > lockSettle {
				return nil, fmt.Errorf("%s is replaced again and again: see who does that", f.Name())
			}
		case err != unix.EWOULDBLOCK:
			return nil, fmt.Errorf("flock %s: %w", f.Name(), err)
		case givenUp(holder, owner, wait, waited):
			return nil, &backends.LockedError{Root: s.root, Owner: holder}
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(lockPoll):
		}
	}
}

// givenUp decides whether waiting is over. A task of this very process always
// finishes, so it is waited for. A holder who has not written its name yet is
// given the time to do so: it may be this process.
func givenUp(holder, owner backends.Owner, wait, waited time.Duration) bool {
	if owner.SameProcess(holder) {
		return false
	}
	gone := holder.PID == 0 || holder.Host == owner.Host && unix.Kill(holder.PID, 0) == unix.ESRCH
	if gone {
		wait = max(wait, lockSettle)
	}
	return waited >= wait
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

// isCurrent reports whether f is still the file of that name: whoever locks one
// that somebody has deleted locks nothing.
func isCurrent(root *dir, f *os.File) bool {
	var mine unix.Stat_t
	st, err := root.lstat(lockName)
	return err == nil && unix.Fstat(int(f.Fd()), &mine) == nil && mine.Ino == st.Ino && mine.Dev == st.Dev
}

// writeOwner says who holds the lock; nil says nobody. It is only information, so
// that it cannot be written, as on a full disk, does not matter.
func writeOwner(f *os.File, owner *backends.Owner) {
	text := []byte("{}")
	if owner != nil {
		text, _ = json.Marshal(owner)
	}
	text = append(text, '\n')
	if _, err := f.WriteAt(text, 0); err == nil {
		_ = f.Truncate(int64(len(text)))
	}
}

// readOwner returns the zero value when the file does not say.
func readOwner(f *os.File) (owner backends.Owner) {
	text, err := io.ReadAll(io.LimitReader(f, 1<<16))
	if err != nil || json.Unmarshal(text, &owner) != nil {
		return backends.Owner{}
	}
	return owner
}
