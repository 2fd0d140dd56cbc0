package proc

import (
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"palhm/runtime/shell"
)

// Error is why a pipeline failed.
type Error struct {
	// Reason is why palhm stopped the pipeline when no stage gave cause: it wraps
	// context.Cause, ErrClosed or ErrHeld. nil = a stage is to blame.
	Reason error

	// Cause is the failed stage that ended first of those killed neither by SIGPIPE
	// nor by palhm, else the most downstream one killed by SIGPIPE. nil = none.
	Cause *StageError

	Others []*StageError // the other stages that ended badly, in their order
}

// Error names the reason or the cause in one line.
func (e *Error) Error() string {
	switch {
	case e.Reason == nil:
		return e.Cause.Error()
	case e.Cause == nil:
		return e.Reason.Error()
	}
	return e.Reason.Error() + "; " + e.Cause.Error()
}

// Unwrap returns the reason and the cause, as far as there are any.
func (e *Error) Unwrap() []error {
	var errs []error
	if e.Reason != nil {
		errs = append(errs, e.Reason)
	}
	if e.Cause != nil {
		errs = append(errs, e.Cause)
	}
	return errs
}

// StageError is why a stage is not good.
type StageError struct {
	Index    int // from 0
	Count    int // stages of the pipeline
	Argv     []string
	Code     int            // exit code; -1 when Signal or Start is set, or when it did not end
	Want     string         // the exit codes that are good
	Signal   syscall.Signal // that killed it; 0 = none
	Timeout  time.Duration  // that it has outlived; 0 = none
	Killed   bool           // it still ran when palhm stopped the pipeline
	Start    error          // why it could not be started; nil = it was
	Stderr   []byte         // the last of its stderr, at most 64 KiB, in whole lines
	survived bool           // SIGKILL did not end it
}

// Error is one line: "stage 2 of 3 (gpg -e): exit code 2, want 0".
func (e *StageError) Error() string {
	return StageName(e.Argv, e.Index, e.Count) + ": " + e.what()
}

// StageName names a stage, which index counts from 0: "stage 2 of 3 (gpg -e)". The
// stage of a pipeline of one goes without its number: "gpg -e".
func StageName(argv []string, index, count int) string {
	if count == 1 {
		return Quote(argv)
	}
	return fmt.Sprintf("stage %d of %d (%s)", index+1, count, Quote(argv))
}

// Unwrap returns Start.
func (e *StageError) Unwrap() error { return e.Start }

func (e *StageError) what() string {
	switch {
	case e.Start != nil:
		return e.Start.Error()
	case e.Timeout != 0:
		return fmt.Sprintf("timed out after %s", e.Timeout)
	case e.survived:
		return "stopped by palhm, but it did not end after SIGKILL"
	case e.Killed && e.Signal != 0:
		return fmt.Sprintf("stopped by palhm (%s)", SignalName(e.Signal))
	case e.Killed:
		return fmt.Sprintf("stopped by palhm, exit code %d", e.Code)
	case e.Signal == syscall.SIGPIPE:
		return "killed by SIGPIPE: its reader stopped early"
	case e.Signal != 0:
		return "killed by " + SignalName(e.Signal)
	case e.Code < 0:
		return "how it ended is not known: something else has waited for it"
	}
	return fmt.Sprintf("exit code %d, want %s", e.Code, e.Want)
}

// SignalName names a signal: "SIGTERM". One without a name of its own is "signal 34".
func SignalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", int(s))
}

// Quote gives a command as errors do: see shell.Brief.
func Quote(argv []string) string { return shell.Brief(argv) }
