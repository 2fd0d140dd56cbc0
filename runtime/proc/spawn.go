package proc

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const pipeSize = 256 << 10 // bytes

// spawn starts the stages from the first to the last. After an error some of them
// may run.
func (p *Pipeline) spawn(ctx context.Context, stdin *os.File) error {
	sealDescriptors()
	restoreSIGPIPE()
	in := int(stdin.Fd())
	for i, s := range p.stages {
		next, err := p.spawnStage(s, in)
		if i > 0 {
			syscall.Close(in)
		}
		if err != nil {
			return s.startError(err)
		}
		in = next
		if ctx.Err() != nil && i < len(p.stages)-1 {
			syscall.Close(in)
			return cancelled(ctx)
		}
	}
	return nil
}

// firstStdin opens what the first stage reads. It is a file of the pipeline's own: the
// caller may close Command.Stdin while the stage is still being started.
func firstStdin(cmds []Command) (*os.File, error) {
	if len(cmds) == 0 || cmds[0].Stdin == nil {
		return os.Open(os.DevNull)
	}
	fd, err := unix.FcntlInt(cmds[0].Stdin.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	runtime.KeepAlive(cmds[0].Stdin)
	if err != nil {
		return nil, fmt.Errorf("use %s as stdin: %w", cmds[0].Stdin.Name(), err)
	}
	return os.NewFile(uintptr(fd), cmds[0].Stdin.Name()), nil
}

// spawnStage starts one stage that reads from in, and returns what the next one
// reads from. The last stage's output becomes p.out.
func (p *Pipeline) spawnStage(s *stage, in int) (next int, err error) {
	last := s.index == s.count-1
	out, err := newPipe(last)
	if err != nil {
		return 0, err
	}
	defer syscall.Close(out[1])
	unix.FcntlInt(uintptr(out[1]), unix.F_SETPIPE_SZ, pipeSize) // a refusal costs speed only
	errs, err := newPipe(true)
	if err != nil {
		syscall.Close(out[0])
		return 0, err
	}
	defer syscall.Close(errs[1])
	if err := s.spawn(in, out[1], errs[1], p.opt.Blocked); err != nil {
		syscall.Close(out[0])
		syscall.Close(errs[0])
		return 0, err
	}
	s.errs = readStderr(os.NewFile(uintptr(errs[0]), "stderr"), s.cmd.Stderr)
	if s.cmd.Timeout > 0 {
		s.timer = time.AfterFunc(s.cmd.Timeout, func() { p.late <- s })
	}
	p.live++
	go func() { p.exits <- s.wait() }()
	if last {
		p.out = os.NewFile(uintptr(out[0]), "stdout")
	}
	return out[0], nil
}

// newPipe makes a pipe that no child inherits. When palhm is the reader its end
// does not block, so that waiting for it takes no thread.
func newPipe(palhmReads bool) (fds [2]int, err error) {
	flags := syscall.O_CLOEXEC
	if palhmReads {
		flags |= syscall.O_NONBLOCK
	}
	if err := syscall.Pipe2(fds[:], flags); err != nil {
		return fds, fmt.Errorf("make a pipe: %w", err)
	}
	if palhmReads {
		unix.FcntlInt(uintptr(fds[1]), unix.F_SETFL, 0) // the stage's end does block
	}
	return fds, nil
}

// sealDescriptors keeps what palhm itself has inherited, such as the lock of a
// wrapper, from the stages: a service that one of them starts would hold it for ever.
// Go opens its own files so that no child gets them.
func sealDescriptors() {
	if err := unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		sealOneByOne() // before Linux 5.11
	}
}

func sealOneByOne() {
	open, _ := os.ReadDir("/proc/self/fd")
	for _, entry := range open {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
}

// restoreSIGPIPE makes children get the default action of SIGPIPE when palhm
// ignores it: ignored signals are inherited, and "yes | head" would not end by it.
// For palhm a channel that nobody reads means the same as ignoring.
func restoreSIGPIPE() {
	if signal.Ignored(syscall.SIGPIPE) {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	}
}
