package history

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// reported is the file below host.StateDir with the id of the boot that was reported last.
const reported = "boot-report"

// LockReport waits until no other process reports a boot, and keeps them waiting until
// release is called or the process ends. The directory is made when it is not there.
// The error is the cause of ctx when that ends.
func LockReport(ctx context.Context, dir string) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, reported+".lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil //nolint:errcheck // nothing was written
		}
		if err != unix.EWOULDBLOCK && err != unix.EINTR {
			f.Close() //nolint:errcheck // the first error counts
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		select {
		case <-ctx.Done():
			f.Close() //nolint:errcheck // nothing was written
			return nil, context.Cause(ctx)
		case <-time.After(poll):
		}
	}
}

// poll is how often LockReport tries.
const poll = 100 * time.Millisecond

// Reported tells whether MarkReported was called with the id of a boot. When that
// cannot be found out, as without a directory, it was not: two reports are better than
// none.
func Reported(dir, bootID string) bool {
	if dir == "" {
		return false
	}
	text, err := os.ReadFile(filepath.Join(dir, reported))
	return err == nil && bootID != "" && strings.TrimSpace(string(text)) == bootID
}

// MarkReported records below a directory that a boot has been reported.
func MarkReported(dir, bootID string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return replace(filepath.Join(dir, reported), []byte(bootID+"\n"))
}
