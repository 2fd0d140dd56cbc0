package main

import (
	"errors"
	"log/slog"
	"strings"

	"palhm/runtime/words"
	"palhm/starlib"
)

// report tells what made a command fail. Mistakes of the command line and of a
// site are printed as they are, so that an editor finds FILE:LINE:COL; whatever
// went wrong in a run is a log record, which every verbosity shows: an exit code
// alone would say nothing.
func (a *app) report(err error) {
	a.level.Set(min(a.level.Level(), slog.LevelError))
	var usage *usageError
	var site *siteError
	var after *afterError
	var tests *testError
	plain := a.flags.logFormat != logJSON && a.flags.logFormat != logJournald
	switch {
	case errors.As(err, &after):
		for _, p := range after.problems {
			a.log.Error(p)
		}
	case errors.As(err, &site) && plain:
		a.print(siteText(site))
	case errors.As(err, &usage) && plain:
		a.print("palhm: " + usage.Error())
	case errors.As(err, &tests) && plain:
		a.print("palhm: " + tests.Error())
	default:
		first, _, _ := strings.Cut(err.Error(), "\n")
		a.log.Error(first, slog.Any("failure", newFailure(err)))
	}
}

// siteText gives the mistakes in a site, or why it could not be read.
func siteText(err error) string {
	var mistakes starlib.Errors
	if errors.As(err, &mistakes) {
		return mistakes.Error()
	}
	return "palhm: " + err.Error()
}

// print writes text to standard error, line by line safe for a terminal.
func (a *app) print(text string) {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, l := range lines {
		lines[i] = words.Visible(l)
	}
	a.screen.Write([]byte(strings.Join(lines, "\n") + "\n")) //nolint:errcheck // there is nobody left to tell
}
