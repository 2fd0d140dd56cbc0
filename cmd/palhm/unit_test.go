package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"palhm/backends"
	"palhm/runtime/fault"
	"palhm/runtime/plan"
)

func TestExitCode(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("x"), 1},
		{usagef("x"), 2},
		{&siteError{errors.New("x")}, 3},
		{&siteError{&fault.Error{Value: "x", Stack: []byte("main.go:1")}}, 1},
		{&afterError{[]string{"x"}}, 4},
		{fmt.Errorf("task: %w", &backends.LockedError{Root: "/r"}), 5},
		{fmt.Errorf("task: %w", signalError{syscall.SIGHUP}), 129},
		{fmt.Errorf("task: %w", signalError{syscall.SIGINT}), 130},
		{errors.Join(errors.New("x"), signalError{syscall.SIGTERM}), 143},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%v: got %d, want %d", c.err, got, c.want)
		}
	}
	for _, code := range []string{"  0 ", "  1 ", "  2 ", "  3 ", "  4 ", "  5 ", "  128+n "} {
		if !strings.Contains(exitHelp, "\n"+code) {
			t.Errorf("help exit does not explain %s", code)
		}
	}
}

func TestSlogLevelFollowsTheScale(t *testing.T) {
	want := []slog.Level{levelCritical, slog.LevelError, slog.LevelWarn, slog.LevelInfo, slog.LevelDebug, slog.LevelDebug}
	for vl, level := range want {
		if got := slogLevel(vl); got != level {
			t.Errorf("vl %d: got %v, want %v", vl, got, level)
		}
	}
}

func TestHostSite(t *testing.T) {
	a := &app{etc: t.TempDir()}
	if _, err := a.hostSite(); err == nil || !strings.Contains(err.Error(), "$PALHM_SITE") {
		t.Errorf("no site at all: got %v, want the ways to name one", err)
	}
	for _, name := range []string{"palhm.conf", "palhm.jsonc"} {
		write(t, filepath.Join(a.etc, name))
		if _, err := a.hostSite(); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "cannot convert") {
			t.Errorf("%s: got %v, want that it cannot be converted", name, err)
		}
	}
	write(t, filepath.Join(a.etc, "site.star"))
	if got, err := a.hostSite(); err != nil || got != filepath.Join(a.etc, "site.star") {
		t.Errorf("got %q %v, want site.star before PALHM's files", got, err)
	}
}

func write(t *testing.T, file string) {
	t.Helper()
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestSiteAndTask(t *testing.T) {
	for _, c := range []struct{ args, flag, site, task string }{
		{"", "", "", ""},
		{"backup", "", "", "backup"},
		{"x.star", "", "x.star", ""},
		{"x.json", "", "x.json", ""},
		{"dir/site", "", "dir/site", ""},
		{"./x.star backup", "", "./x.star", "backup"},
		{"backup", "f.star", "f.star", "backup"},
		{"", "f.star", "f.star", ""},
	} {
		a := &app{flags: globalFlags{site: c.flag}}
		site, task, err := a.siteAndTask(strings.Fields(c.args), "")
		if err != nil || site != c.site || task != c.task {
			t.Errorf("%q -f %q: got %q %q %v, want %q %q", c.args, c.flag, site, task, err, c.site, c.task)
		}
	}
}

func TestRunOrder(t *testing.T) {
	groups := []*plan.Group{
		{Name: "sql", Depends: []int{2, 3}},
		{Name: "ldap", Depends: []int{0, 2}},
		{Name: "root"},
		{Name: "http"},
	}
	if got := runOrder(groups); !slices.Equal(got, []int{2, 3, 0, 1}) {
		t.Errorf("got %v, want root and http, then sql, then ldap", got)
	}
}

func TestClock(t *testing.T) {
	if got := clock(3725 * time.Second); got != "1:02:05" {
		t.Errorf("clock: got %q, want 1:02:05", got)
	}
}

func TestDidYouMean(t *testing.T) {
	names := []string{"run", "rotate", "check"}
	for in, want := range map[string]string{"rnu": "run", "rotat": "rotate", "chekc": "check", "xyzzy": ""} {
		got := didYouMean(in, names)
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
}
