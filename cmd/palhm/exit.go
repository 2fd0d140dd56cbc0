package main

import (
	"errors"
	"fmt"
	"syscall"

	"palhm/backends"
	"palhm/runtime/fault"
	"palhm/runtime/proc"
	"palhm/runtime/report"
)

// The exit codes, which a notice puts into words.
const (
	exitOK     = report.ExitOK
	exitFailed = report.ExitFailed
	exitUsage  = report.ExitUsage
	exitSite   = report.ExitSite
	exitAfter  = report.ExitAfter
	exitLocked = report.ExitLocked
	exitSignal = report.ExitSignal
)

const exitHelp = `The exit codes of palhm:

  0      all is well
  1      a task failed, or a test of a site; earlier copies are untouched
  2      wrong usage: an unknown command, option or task, or too many arguments.
         Nothing was run
  3      the site cannot be loaded. Nothing was run
  4      the main work is safe, and something after it failed: an old copy could
         not be removed, the storage class of a copy not be changed, the newest copy
         alone is above the size limit, a notice could not be sent, or the summary not
         be printed
  5      another run holds the lock of the root; see "palhm help run", --wait
  128+n  signal n ended the run: 129 SIGHUP, 130 SIGINT, 131 SIGQUIT, 143 SIGTERM.
         What was not finished was removed; a copy that had been committed is safe

An internal error of palhm is 1 as well, and -v shows where it happened. What Go
cannot survive, such as a lack of memory, ends palhm with 2 and a text that begins
with "fatal error:" or "panic:". The next run cleans up after that.

Standard error says why. With -q a run that exits with 0 prints nothing.
`

// exitCode maps what a command returned to the exit code of the process.
func exitCode(err error) int {
	var (
		sig    signalError
		locked *backends.LockedError
		usage  *usageError
		site   *siteError
		after  *afterError
	)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &sig):
		return exitSignal + int(sig.signal)
	case errors.As(err, &locked):
		return exitLocked
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &site) && fault.Stack(err) == nil:
		return exitSite
	case errors.As(err, &after):
		return exitAfter
	}
	return exitFailed
}

// usageError is a command line that palhm cannot follow.
type usageError struct{ msg string }

func (e *usageError) Error() string { return e.msg }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// siteError is a site that cannot be loaded.
type siteError struct{ err error }

func (e *siteError) Error() string { return e.err.Error() }
func (e *siteError) Unwrap() error { return e.err }

// afterError says that the main work is safe and what followed it was not well.
type afterError struct{ problems []string }

func (e *afterError) Error() string {
	return fmt.Sprintf("the main work is safe, but not all is well (%d)", len(e.problems))
}

// signalError is the cause of a run that a signal ended.
type signalError struct{ signal syscall.Signal }

func (e signalError) Error() string { return e.name() + " received" }
func (e signalError) name() string  { return proc.SignalName(e.signal) }
