package proc

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// stage is one process of a pipeline. It leads a session and a group, so its pid is
// their number too.
type stage struct {
	cmd   *Command
	index int
	count int
	path  string // what is executed
	pid   int    // 0 = not started
	pidfd *os.File
	start time.Time
	timer *time.Timer
	errs  *stderr

	// The supervisor's.
	exit     exit
	ended    bool // exit is known; the process is a zombie
	told     bool // its goroutine has told of the end
	killed   bool // it had not ended when the pipeline was stopped
	timedOut bool
}

// exit is how a process ended.
type exit struct {
	stage  *stage
	at     time.Time
	code   int // -1 when a signal killed it
	signal syscall.Signal
}

// spawn starts the process on three open files, with signals blocked.
func (s *stage) spawn(stdin, stdout, stderr int, blocked []syscall.Signal) error {
	pidfd := -1
	attr := &syscall.ProcAttr{
		Dir:   s.cmd.Dir,
		Env:   s.cmd.Env,
		Files: []uintptr{uintptr(stdin), uintptr(stdout), uintptr(stderr)},
		Sys:   &syscall.SysProcAttr{Setsid: true, Credential: s.cmd.Credential, PidFD: &pidfd},
	}
	s.start = time.Now()
	err := masked(blocked, func() (err error) {
		s.pid, err = syscall.ForkExec(s.path, s.cmd.Argv, attr)
		return err
	})
	if err != nil {
		return s.explain(err)
	}
	if pidfd >= 0 { // from Linux 5.2
		syscall.SetNonblock(pidfd, true) // makes the runtime wait for it without a thread
		s.pidfd = os.NewFile(uintptr(pidfd), "pidfd")
	}
	return nil
}

// explain says what is behind an error that prepare could not foresee.
func (s *stage) explain(err error) error {
	hint := ""
	switch {
	case errors.Is(err, unix.ENOENT):
		hint = " (the interpreter or loader that it names is missing)"
	case errors.Is(err, unix.ENOEXEC):
		hint = " (a script needs a first line such as #!/bin/sh)"
	case s.cmd.Credential != nil && errors.Is(err, unix.EPERM):
		hint = fmt.Sprintf(" (as user %d: only root can run a process as another user)", s.cmd.Credential.Uid)
	case s.cmd.Credential != nil:
		hint = fmt.Sprintf(" (as user %d in %s)", s.cmd.Credential.Uid, s.dir())
	}
	return fmt.Errorf("execute %s: %w%s", s.path, err, hint)
}

func (s *stage) dir() string {
	if s.cmd.Dir == "" {
		return "the current directory"
	}
	return s.cmd.Dir
}

// wait blocks until the process has ended, and leaves it a zombie.
func (s *stage) wait() exit {
	if s.pidfd != nil {
		defer s.pidfd.Close()
		if conn, err := s.pidfd.SyscallConn(); err == nil {
			var e exit
			ended := false
			err := conn.Read(func(uintptr) bool {
				e, ended = s.peek(unix.WNOHANG)
				return ended
			})
			if err == nil {
				return e
			}
		}
	}
	e, _ := s.peek(0)
	return e
}

// peek reports how the process has ended, if it has. The zombie stays: only reap
// takes it away.
func (s *stage) peek(flags int) (exit, bool) {
	var info siginfo
	for {
		err := unix.Waitid(unix.P_PID, s.pid, (*unix.Siginfo)(unsafe.Pointer(&info)), unix.WEXITED|unix.WNOWAIT|flags, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil { // ECHILD: something else has reaped it, so nothing is known of it
			return exit{stage: s, at: time.Now(), code: -1}, true
		}
		break
	}
	if info.pid == 0 {
		return exit{stage: s, code: -1}, false
	}
	e := exit{stage: s, at: time.Now(), code: int(info.status)}
	if info.code != cldExited {
		e.code, e.signal = -1, syscall.Signal(info.status)
	}
	return e, true
}

// reap takes the zombie away. From here on the pid may be another process's.
func (s *stage) reap() {
	for {
		if _, err := syscall.Wait4(s.pid, nil, 0, nil); err != syscall.EINTR {
			return
		}
	}
}

// good reports whether the stage ended as it should.
func (s *stage) good() bool {
	switch {
	case s.exit.signal == syscall.SIGPIPE:
		return s.cmd.SIGPIPE
	case s.exit.code < 0:
		return false
	case s.cmd.Good != nil:
		return s.cmd.Good(s.exit.code)
	}
	return s.exit.code == 0
}

// failure is why the stage is not good; nil when it is.
func (s *stage) failure() *StageError {
	if s.ended && !s.timedOut && s.good() {
		return nil
	}
	e := s.newError()
	e.Code, e.Signal, e.Killed = s.exit.code, s.exit.signal, s.killed
	e.survived = !s.ended
	if s.timedOut {
		e.Timeout = s.cmd.Timeout
	}
	return e
}

func (s *stage) newError() *StageError {
	e := &StageError{Index: s.index, Count: s.count, Argv: s.cmd.Argv, Code: -1, Want: s.cmd.Want, Stderr: s.errs.last()}
	if e.Want == "" {
		e.Want = "0"
	}
	return e
}

func (s *stage) startError(err error) *Error {
	e := s.newError()
	e.Start = err
	return &Error{Cause: e}
}

const cldExited = 1 // CLD_EXITED of waitid(2)

// siginfo is siginfo_t as waitid(2) fills it. The union that begins with pid is
// aligned like a pointer.
type siginfo struct {
	_      int32 // si_signo
	_      int32 // si_errno
	code   int32
	_      [0]uintptr
	pid    int32
	_      uint32 // si_uid
	status int32
	_      [104]byte
}
