package proc

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Who is not root learns why another user is refused.
func TestExplainUser(t *testing.T) {
	s := &stage{cmd: &Command{Credential: &syscall.Credential{Uid: 7}}, path: "/bin/true"}
	for err, want := range map[error]string{
		unix.EPERM:  "only root can run a process as another user",
		unix.EACCES: "(as user 7 in the current directory)",
	} {
		if got := s.explain(err).Error(); !strings.Contains(got, want) {
			t.Errorf("%v: got %q, want %q", err, got, want)
		}
	}
}

// Kernels before 5.2 give no pidfd.
func TestWaitWithoutPidfd(t *testing.T) {
	for _, c := range []struct {
		script string
		code   int
		signal syscall.Signal
	}{
		{"sleep 0.1; exit 7", 7, 0},
		{"kill -KILL $$", -1, syscall.SIGKILL},
	} {
		s := &stage{cmd: &Command{Argv: []string{"sh", "-c", c.script}, Env: os.Environ()}, path: "/bin/sh"}
		null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		fd := int(null.Fd())
		if err := s.spawn(fd, fd, fd, nil); err != nil {
			t.Fatal(err)
		}
		null.Close()
		if s.pidfd != nil {
			s.pidfd.Close()
			s.pidfd = nil
		}
		if e := s.wait(); e.code != c.code || e.signal != c.signal || e.stage != s {
			t.Errorf("%s: got %+v", c.script, e)
		}
		if _, ended := s.peek(syscall.WNOHANG); !ended {
			t.Error("the zombie is gone after wait")
		}
		s.reap()
		if err := syscall.Kill(s.pid, 0); err != syscall.ESRCH {
			t.Errorf("after reap: got %v, want no such process", err)
		}
	}
}

// Kernels before 5.11 cannot mark a range of descriptors.
func TestSealDescriptorsOneByOne(t *testing.T) {
	fd, err := syscall.Open(os.DevNull, syscall.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	sealOneByOne()
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("got flags %x, %v, want FD_CLOEXEC", flags, err)
	}
}

// Of several stages that failed on their own before palhm could stop any, the first to
// end is to blame.
func TestCauseIsTheFirstToEnd(t *testing.T) {
	begin := time.Now()
	failed := func(after time.Duration, code int, signal syscall.Signal) *stage {
		return &stage{cmd: &Command{}, ended: true, exit: exit{at: begin.Add(after), code: code, signal: signal}}
	}
	killed := failed(0, -1, syscall.SIGTERM)
	killed.killed = true
	late, early := failed(3, 5, 0), failed(2, 6, 0)
	broken := failed(1, -1, syscall.SIGPIPE)
	for _, stages := range [][]*stage{{late, early}, {early, late}, {broken, late, killed, early}} {
		if got := (&Pipeline{stages: stages}).cause(); got != early {
			t.Errorf("got %+v, want the one that ended first", got)
		}
	}
}
