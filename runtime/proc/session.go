package proc

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
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
		if m.group != m.session {
			ids.signalProcess(m.pid, sigs)
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
	if m, ok := readMember(pid); !ok || !slices.Contains(ids, m.session) {
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
		pids = append(pids, strconv.Itoa(m.pid))
	}
	return fmt.Sprintf("pids %s", strings.Join(pids, " "))
}

// members yields the processes of the sessions that have not ended.
func (ids sessions) members(yield func(member) bool) {
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
		m, ok := readMember(pid)
		if ok && m.alive && slices.Contains(ids, m.session) && !yield(m) {
			return
		}
	}
}

// member is what /proc/PID/stat says of a process.
type member struct {
	pid, group, session int
	alive               bool
}

// readMember reads /proc/PID/stat (proc_pid_stat(5)). The name in it may hold blanks
// and parentheses, so the fields are counted from the last one.
func readMember(pid int) (member, bool) {
	var buf [1024]byte
	fd, err := syscall.Open("/proc/"+strconv.Itoa(pid)+"/stat", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return member{}, false
	}
	n, err := syscall.Read(fd, buf[:])
	syscall.Close(fd)
	if err != nil {
		return member{}, false
	}
	const state, group, session, threads = 0, 2, 3, 17
	fields := bytes.Fields(buf[bytes.LastIndexByte(buf[:n], ')')+1 : n])
	if len(fields) <= threads {
		return member{}, false
	}
	m := member{pid: pid}
	m.group, _ = strconv.Atoi(string(fields[group]))
	m.session, _ = strconv.Atoi(string(fields[session]))
	// The first thread of a process may end before the others: Z, but alive.
	n, _ = strconv.Atoi(string(fields[threads]))
	m.alive = n > 1 || fields[state][0] != 'Z' && fields[state][0] != 'X'
	return m, true
}
