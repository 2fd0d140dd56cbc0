package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"

	"palhm/runtime/engine"
	"palhm/runtime/plan"
	"palhm/runtime/proc"
)

func someFailure() error {
	return &engine.Error{
		Task: "backup", Object: "db.sql", Pos: plan.Pos{File: "site.star", Line: 3, Col: 5}, Note: "the partial copy was removed",
		Err: fmt.Errorf("store db.sql: %w", &proc.Error{
			Cause:  &proc.StageError{Index: 1, Count: 2, Argv: []string{"gpg", "-e"}, Code: 2, Want: "0", Stderr: []byte("first\nno \x1b[2Jkey\r\n\n")},
			Others: []*proc.StageError{{Index: 0, Count: 2, Argv: []string{"mysqldump"}, Code: -1, Signal: syscall.SIGPIPE}},
		}),
		Others: []*engine.Error{{Task: "backup", Object: "other", Err: errors.New("disk is full")}},
	}
}

func logged(format string, vl int, log func(*app)) string {
	var out bytes.Buffer
	a := newApp(&out, &out)
	a.flags.logFormat = format
	a.level.Set(slogLevel(vl))
	a.log = slog.New(a.handler(format))
	log(a)
	return out.String()
}

func TestFailureForPeople(t *testing.T) {
	got := logged(logText, 1, func(a *app) { a.report(someFailure()) })
	_, got, _ = strings.Cut(got, " ") // the time
	want := `palhm: error: task backup: object db.sql: store db.sql: stage 2 of 2 (gpg -e): exit code 2, want 0
  | first
  | no \x1b[2Jkey
  also stage 1 of 2 (mysqldump): killed by SIGPIPE: its reader stopped early
  also task backup: object other: disk is full
  declared at site.star:3:5
  the partial copy was removed
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// When the time was up each stage that still ran is named; after a signal none needs to be.
func TestFailureOfTime(t *testing.T) {
	stopped := func(cause error) string {
		return logged(logText, 1, func(a *app) {
			a.report(&engine.Error{Task: "backup", Object: "db.sql", Err: &proc.Error{
				Reason: fmt.Errorf("stopped: %w", cause),
				Others: []*proc.StageError{{Index: 0, Count: 2, Argv: []string{"mysqldump"}, Code: -1, Signal: syscall.SIGTERM, Killed: true, Stderr: []byte("waiting\n")}},
			}})
		})
	}
	_, got, _ := strings.Cut(stopped(&engine.TimeoutError{What: "object db.sql", After: time.Second}), " ")
	want := `palhm: error: task backup: object db.sql: stopped: object db.sql timed out after 1s
  stage 1 of 2 (mysqldump): stopped by palhm (SIGTERM)
  | waiting
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if got := stopped(signalError{syscall.SIGTERM}); strings.Contains(got, "stage") {
		t.Errorf("after a signal: got:\n%s\nwant no stage", got)
	}
}

func TestFailureInTheJournal(t *testing.T) {
	got := logged(logJournald, 1, func(a *app) { a.report(someFailure()) })
	for line := range strings.Lines(got) {
		if !strings.HasPrefix(line, "<3>") {
			t.Errorf("got line %q, want it to begin with its priority", line)
		}
	}
}

func TestFailureInJSON(t *testing.T) {
	got := logged(logJSON, 1, func(a *app) { a.report(someFailure()) })
	for _, want := range []string{
		`"object":"db.sql"`, `"stage":2`, `"argv":["gpg","-e"]`, `"exit":2`, `"signal":"SIGPIPE"`,
		`"stderr":["first","no \\x1b[2Jkey"]`, `"others":[{"error":`, `"note":"the partial copy was removed"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want %s in it", got, want)
		}
	}
	if strings.Count(got, "\n") != 1 {
		t.Errorf("got %q, want one line", got)
	}
}

func TestLevels(t *testing.T) {
	all := func(a *app) {
		a.log.Log(t.Context(), levelCritical, "m0")
		a.log.Error("m1")
		a.log.Warn("m2")
		a.log.Info("m3", "path", "a b", "n", 1)
		a.log.Debug("m4")
	}
	lines := []string{
		"<2>palhm: critical: m0\n", "<3>palhm: error: m1\n", "<4>palhm: warning: m2\n",
		"<6>palhm: m3 path=\"a b\" n=1\n", "<7>palhm: debug: m4\n",
	}
	for vl := range lines {
		want := strings.Join(lines[:vl+1], "")
		if got := logged(logJournald, vl, all); got != want {
			t.Errorf("vl %d: got %q, want %q", vl, got, want)
		}
	}
}

func TestLogHidesControlCharacters(t *testing.T) {
	got := logged(logJournald, 3, func(a *app) { a.log.With("w", "x\x1b").Info("a\x1b[2J\nb\rc", "k", "\x1b") })
	if want := "<6>palhm: a\\x1b[2J w=x\\x1b k=\\x1b\n<6>b\\rc\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
