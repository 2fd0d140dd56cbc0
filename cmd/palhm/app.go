package main

import (
	"io"
	"log/slog"
	"os"

	"golang.org/x/sys/unix"
)

// app is one invocation of palhm: its streams and what the global flags say.
type app struct {
	stdout io.Writer // results
	screen *screen   // standard error: logs, what processes complain, progress
	etc    string    // the directory with the site of this host

	flags globalFlags
	own   taskFlags
	level *slog.LevelVar
	log   *slog.Logger
}

// globalFlags stand before or after the command.
type globalFlags struct {
	site       string
	quiet      bool
	verbose    int
	workers    int
	workersSet bool
	logFormat  string
	noProgress bool
}

func newApp(stdout, stderr io.Writer) *app {
	a := &app{stdout: stdout, screen: newScreen(stderr), etc: "/etc/palhm", level: new(slog.LevelVar)}
	a.log = slog.New(a.handler(logText))
	return a
}

// setUp checks the global flags and chooses the form of the logs.
func (a *app) setUp() error {
	f := &a.flags
	if f.quiet && f.verbose > 0 {
		return usagef("-q and -v contradict each other")
	}
	format := f.logFormat
	switch format {
	case "":
		format = a.screen.logFormat(os.Getenv("JOURNAL_STREAM"))
		f.logFormat = format
	case logText, logJSON, logJournald:
	default:
		return usagef("got --log-format %q, want text, json or journald", format)
	}
	a.level.Set(slogLevel(a.verbosity(defaultVerbosity)))
	a.log = slog.New(a.handler(format))
	return nil
}

// verbosity is the one that is in force for a site that asks for vl.
func (a *app) verbosity(vl int) int {
	if a.flags.quiet {
		return quietVerbosity
	}
	return vl + a.flags.verbose
}

// fileOf returns the file behind a stream, or nil.
func fileOf(w any) *os.File {
	f, _ := w.(*os.File)
	return f
}

// isTerminal reports whether a stream is a terminal.
func isTerminal(w any) bool {
	f := fileOf(w)
	if f == nil {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
