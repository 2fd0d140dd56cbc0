package proc

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"palhm/runtime/host"
)

// sessions are the numbers of sessions, each of which is also the pid of its leader
// and the number of the leader's group. The leaders are children of palhm that
// nobody has reaped, so that the numbers stay theirs.
type sessions []int

// signal sends signals to every process of the sessions. A group is signalled at
// once, so that none of it can escape by a fork; processes that have made a group of
// their own, as timeout(1) and shells do, are found in /proc.
func (ids sessions) signal(sigs ...syscall.Signal) {
	for _, sig := range sigs {
		ids.signalGroups(sig)
	}
	for m := range ids.members {
		if m.Group != m.Session {
			ids.signalProcess(m.PID, sigs)
		}
	}
}

// signalGroups signals the groups of the leaders.
func (ids sessions) signalGroups(sig syscall.Signal) {
	for _, id := range ids {
		syscall.Kill(-id, sig) // ESRCH and EPERM leave nothing to be done
	}
}

// signalProcess signals one process. Its directory in /proc stands for the process
// like a pidfd (pidfd_send_signal(2)), so that it cannot be another's by now.
func (ids sessions) signalProcess(pid int, sigs []syscall.Signal) {
	dir, err := os.Open("/proc/" + strconv.Itoa(pid))
	if err != nil {
		return // it has ended
	}
	defer dir.Close()
	if m, ok := host.FindProcess(pid); !ok || !slices.Contains(ids, m.Session) {
		return
	}
	for _, sig := range sigs {
		err := unix.PidfdSendSignal(int(dir.Fd()), sig, nil, 0)
		if err == unix.ENOSYS { // before Linux 5.1
			syscall.Kill(pid, sig)
		}
	}
}

// alive reports whether a process that has not ended is in one of the sessions.
func (ids sessions) alive() bool {
	for range ids.members {
		return true
	}
	return false
}

// String lists the processes that have not ended.
func (ids sessions) String() string {
	var pids []string
	for m := range ids.members {
		pids = append(pids, strconv.Itoa(m.PID))
	}
	return fmt.Sprintf("pids %s", strings.Join(pids, " "))
}

// members yields the processes of the sessions that have not ended.
func (ids sessions) members(yield func(host.Process) bool) {
	proc, err := os.Open("/proc")
	if err != nil {
		return
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		m, ok := host.FindProcess(pid)
		if ok && m.Alive && slices.Contains(ids, m.Session) && !yield(m) {
			return
		}
	}
}
