package proc

import (
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// masked calls fork on a thread that blocks signals. A mask belongs to a thread, and
// a process begins with that of the thread that forked it (sigprocmask(2)); Go puts
// it back in the child after having blocked everything around the fork.
func masked(signals []syscall.Signal, fork func() error) error {
	if len(signals) == 0 {
		return fork()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	set, before := sigset(signals), unix.Sigset_t{}
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &set, &before); err != nil {
		return fmt.Errorf("block signals: %w", err)
	}
	defer unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil) //nolint:errcheck // it is the mask that was there
	return fork()
}

// sigset makes the set that the kernel wants: a bit a signal, from that of signal 1.
func sigset(signals []syscall.Signal) (set unix.Sigset_t) {
	const word = int(unsafe.Sizeof(set.Val[0])) * 8
	for _, s := range signals {
		n := int(s) - 1
		set.Val[n/word] |= 1 << (n % word)
	}
	return set
}
