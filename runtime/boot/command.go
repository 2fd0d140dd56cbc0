package boot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	commandTime = 30 * time.Second // for a program to answer
	maxOutput   = 4 << 20          // bytes that are read of an answer
	maxStderr   = 4 << 10
)

// ask runs a program and returns the first max bytes of what it prints; it is ended
// when it prints more. An exit code that is not 0 is an *exec.ExitError, together with
// the answer. The error has the first line that the program complained.
func ask(ctx context.Context, limit time.Duration, max int64, argv ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, &timeoutError{argv[0], limit})
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "SYSTEMD_COLORS=0", "SYSTEMD_PAGER=")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	stdout, stderr := &head{max: int(max), full: cancel}, &head{max: maxStderr}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	err := cmd.Run()
	switch {
	case len(stdout.kept) == stdout.max:
		return stdout.kept, nil
	case cmd.Process == nil:
		return nil, reason(argv[0], err)
	case ctx.Err() != nil:
		return stdout.kept, context.Cause(ctx)
	case err != nil:
		return stdout.kept, &answerError{argv[0], string(stderr.kept), err}
	}
	return stdout.kept, nil
}

// reason says that a program is missing in fewer words.
func reason(program string, err error) error {
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("there is no %s", program)
	}
	return fmt.Errorf("start %s: %w", program, err)
}

// timeoutError is a program that did not end in time.
type timeoutError struct {
	program string
	limit   time.Duration
}

func (e *timeoutError) Error() string {
	return fmt.Sprintf("%s gave no answer within %v", e.program, e.limit)
}

// answerError is a program that has failed.
type answerError struct {
	program, stderr string
	err             error
}

func (e *answerError) Error() string {
	first, _, _ := strings.Cut(strings.TrimSpace(e.stderr), "\n")
	if first != "" {
		return e.program + ": " + first
	}
	return e.program + ": " + e.err.Error()
}
func (e *answerError) Unwrap() error { return e.err }

// head keeps the beginning of what is written to it.
type head struct {
	kept []byte
	max  int
	full func() // called when there is no room left; may be nil
}

func (h *head) Write(p []byte) (int, error) {
	h.kept = append(h.kept, p[:min(len(p), h.max-len(h.kept))]...)
	if len(h.kept) == h.max && h.full != nil {
		h.full()
	}
	return len(p), nil
}
