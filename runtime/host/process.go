// Package host reads what several parts of palhm have to know of this host: the boot,
// processes, programs, files that may block, and the directories that palhm may use. It
// starts nothing and knows nothing of tasks and copies.
package host

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// BootID returns the kernel's id of this boot (random(4)). root stands before the
// path, for a host that is described in files; "" is this host.
func BootID(root string) (string, error) {
	file := root + "/proc/sys/kernel/random/boot_id"
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	if id := strings.TrimSpace(string(text)); id != "" {
		return id, nil
	}
	return "", fmt.Errorf("%s is empty", file)
}

// Process is what the kernel says of a process.
type Process struct {
	PID     int
	Group   int
	Session int
	Start   uint64 // clock ticks after the boot; 0 = not known
	Alive   bool   // at least one of its threads has not ended
}

// FindProcess reads /proc/PID/stat (proc_pid_stat(5)). It reports false when there is
// no such process, or /proc hides it from this user (hidepid, ProtectProc=).
func FindProcess(pid int) (Process, bool) {
	var buf [1024]byte
	fd, err := syscall.Open("/proc/"+strconv.Itoa(pid)+"/stat", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return Process{}, false
	}
	n, err := syscall.Read(fd, buf[:])
	syscall.Close(fd)
	if err != nil {
		return Process{}, false
	}
	return parseStat(pid, buf[:n])
}

// parseStat counts the fields from the end of the second, the name in parentheses: it
// may hold blanks and parentheses.
func parseStat(pid int, stat []byte) (Process, bool) {
	const state, group, session, threads, start = 0, 2, 3, 17, 19
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) <= start {
		return Process{}, false
	}
	p := Process{PID: pid}
	p.Group, _ = strconv.Atoi(string(fields[group]))
	p.Session, _ = strconv.Atoi(string(fields[session]))
	p.Start, _ = strconv.ParseUint(string(fields[start]), 10, 64)
	// The first thread of a process may end before the others: Z, but alive.
	n, _ := strconv.Atoi(string(fields[threads]))
	p.Alive = n > 1 || fields[state][0] != 'Z' && fields[state][0] != 'X'
	return p, true
}

// ProcessStart returns when a process was started, in clock ticks after the boot. It is
// 0 when that is not known.
func ProcessStart(pid int) uint64 {
	p, _ := FindProcess(pid)
	return p.Start
}

// IsGone reports whether the process of that number which began at start, as
// ProcessStart gives it, has certainly ended. By now the number may be another's.
func IsGone(pid int, start uint64) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	now := ProcessStart(pid)
	return now != 0 && start != 0 && now != start
}
