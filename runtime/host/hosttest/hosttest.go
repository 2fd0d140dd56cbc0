// Package hosttest makes hosts ill, for tests.
package hosttest

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

// Hung mounts a file system whose server is silent, as of a network that is down, and
// returns its directory: whatever goes there waits until the test ends. Without the right
// to mount it skips the test.
func Hung(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err == nil {
		err = unix.Mount("palhm-hung", dir, "fuse", 0, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", fd))
	}
	if err != nil {
		t.Skipf("needs root and FUSE, to mount: %v", err)
	}
	t.Cleanup(func() {
		// By force everything that waits fails. To close fd is not enough: a child that
		// waits in execve(2) still has it open.
		if err := unix.Unmount(dir, unix.MNT_FORCE|unix.MNT_DETACH); err != nil {
			t.Errorf("unmount the hung file system: %v", err)
		}
		unix.Close(fd)
	})
	return dir
}
