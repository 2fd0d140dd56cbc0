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
	"unicode"
	"unicode/utf8"

	"palhm/backends"
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

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"plain ünïcödé\ttab":        "plain ünïcödé\ttab",
		"\x1b[31mred\x1b[0m":        `\x1b[31mred\x1b[0m`,
		"bad \xff\xfe utf-8":        `bad \xff\xfe utf-8`,
		"c1 \u009b and bidi \u202e": `c1 \u009b and bidi \u202e`,
		"cr\rbell\a":                `cr\rbell\a`,
		"real \ufffd":               "real \ufffd",
	} {
		if got := visible(in); got != want {
			t.Errorf("visible(%q): got %q, want %q", in, got, want)
		}
	}
}

func TestUnits(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "0.98 KiB", 1024: "1.00 KiB", 10 << 20: "10.0 MiB",
		999 << 20: "999 MiB", 1000 << 20: "0.98 GiB", 1536 << 30: "1.50 TiB", 1<<63 - 1: "8.00 EiB",
	} {
		if got := humanBytes(n); got != want {
			t.Errorf("humanBytes(%d): got %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		1234567 * time.Nanosecond: "1ms", 12345 * time.Millisecond: "12.3s", 3725 * time.Second: "1h2m5s",
	} {
		if got := humanDuration(d); got != want {
			t.Errorf("humanDuration(%v): got %q, want %q", d, got, want)
		}
	}
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

// Whatever a process prints, nothing in it reaches the terminal as a command.
func FuzzVisible(f *testing.F) {
	for _, s := range []string{"plain", "\x1b[2J", "\xff", "\u009b1m", "\u202e", "a\nb", "\ufffd"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := visible(s)
		if !utf8.ValidString(got) {
			t.Errorf("visible(%q) is %q, which is not UTF-8", s, got)
		}
		if i := strings.IndexFunc(got, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }); i >= 0 {
			t.Errorf("visible(%q) is %q, with a control character at %d", s, got, i)
		}
	})
}
