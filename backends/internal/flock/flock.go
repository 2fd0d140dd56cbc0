// Package flock keeps a second run away from a root with flock(2) on a plain file.
// The file stays: removing it would let two runs lock two files of one name. What is
// in it is for people and for the error of the next one, and the kernel's lock alone
// counts.
package flock

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
	poll = 20 * time.Millisecond

	// settle is how long a lock may be held before its file says by whom.
	settle = 2 * time.Second
)

// File is a lock that can be taken.
type File struct {
	Root string // that it locks, for the error

	// Open opens the file, and makes it when it is missing. The descriptor must not
	// be inherited by processes.
	Open func() (*os.File, error)

	// IsCurrent reports whether f is still the file that Open would open: whoever
	// locks one that somebody has deleted locks nothing.
	IsCurrent func(f *os.File) bool
}

// Lock takes the lock, waiting up to wait when another process has it, and as long as
// ctx allows when this process has. The error is a *backends.LockedError when somebody
// else has it.
func (l File) Lock(ctx context.Context, owner backends.Owner, wait time.Duration) (release func() error, err error) {
	f, err := l.take(ctx, owner, wait)
	if err != nil {
		if _, ok := errors.AsType[*backends.LockedError](err); ok {
			return nil, err
		}
		return nil, fmt.Errorf("lock %s: %w", l.Root, err)
	}
	writeOwner(f, &owner)
	return func() error {
		// A page that is there can be written again when the disk is full, so the
		// file is never cut to nothing.
		writeOwner(f, nil)
		return errors.Join(unix.Flock(int(f.Fd()), unix.LOCK_UN), f.Close())
	}, nil
}

// take tries until it has the lock or waiting is over.
func (l File) take(ctx context.Context, owner backends.Owner, wait time.Duration) (*os.File, error) {
	start := time.Now()
	for {
		f, err := l.Open()
		if err != nil {
			return nil, err
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil && l.IsCurrent(f) {
			return f, nil
		}
		holder := readOwner(f)
		f.Close()
		waited := time.Since(start)
		switch {
		case err == nil: // the file of that name is another one now
			if waited > settle {
				return nil, fmt.Errorf("%s is replaced again and again: see who does that", f.Name())
			}
		case err == unix.EINTR:
		case err != unix.EWOULDBLOCK:
			return nil, fmt.Errorf("flock %s: %w", f.Name(), err)
		case givenUp(holder, owner, wait, waited):
			return nil, &backends.LockedError{Root: l.Root, Owner: holder}
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(poll):
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
		wait = max(wait, settle)
	}
	return waited >= wait
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
