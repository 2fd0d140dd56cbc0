package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

const scriptsDir = "../../scripts"

// requires skips a test for want of a program.
func requires(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skip("needs " + program)
	}
}

// units copies the units to a directory, for a palhm that is there, and gives the
// templates an instance.
func units(t *testing.T, instance string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(scriptsDir, "systemd"))); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.IsDir() {
			continue
		}
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		unit := strings.ReplaceAll(string(text), "/usr/local/bin/palhm", "/bin/true")
		if unit == string(text) && strings.HasSuffix(f, ".service") {
			t.Errorf("%s does not start /usr/local/bin/palhm", f)
		}
		if err := os.WriteFile(strings.Replace(f, "@.", "@"+instance+".", 1), []byte(unit), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestUnitsAreWhatSystemdUnderstands(t *testing.T) {
	requires(t, "systemd-analyze")
	for _, unit := range []string{"palhm-boot-report.service", "palhm@backup.service", "palhm@default.service", "palhm@backup.timer", "palhm@default.timer"} {
		instance := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(unit), "palhm@"), filepath.Ext(unit))
		out, err := exec.Command("systemd-analyze", "verify", "--man=no", filepath.Join(units(t, instance), unit)).CombinedOutput()
		if err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", unit, err, out)
		}
	}
}

var exposure = regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`)

// What systemd thinks of the units, from 0 for a closed one to 10. A routine updates
// the host, and little can be closed for it.
func TestUnitsAreClosed(t *testing.T) {
	requires(t, "systemd-analyze")
	for unit, most := range map[string]float64{"palhm-boot-report.service": 3.5, "palhm@backup.service": 3.5, "palhm@default.service": 9.6} {
		instance := strings.TrimSuffix(strings.TrimPrefix(unit, "palhm@"), ".service")
		out, err := exec.Command("systemd-analyze", "security", "--offline=yes", "--no-pager", filepath.Join(units(t, instance), unit)).CombinedOutput()
		m := exposure.FindSubmatch(out)
		if err != nil || m == nil {
			t.Fatalf("%s: %v\n%s", unit, err, out)
		}
		if got, err := strconv.ParseFloat(string(m[1]), 64); err != nil || got > most {
			t.Errorf("%s: got an exposure of %s, want at most %v", unit, m[1], most)
		}
	}
}

// boot_wait waits until no start is under way: that of a oneshot would be its own.
func TestBootReportDoesNotWaitForItself(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(scriptsDir, "systemd/palhm-boot-report.service"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "\nType=exec\n") {
		t.Error("palhm-boot-report.service is not of Type=exec")
	}
}

func TestCrontab(t *testing.T) {
	file := filepath.Join(scriptsDir, "crontab")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`^(#.*||[A-Z]+=\S+|@reboot palhm -q [^%]+|(\S+ ){5}palhm -q [^%]+)$`)
	for l := range strings.Lines(string(text)) {
		if !line.MatchString(strings.TrimSuffix(l, "\n")) {
			t.Errorf("this is no line of a crontab: %q", l)
		}
	}
	requires(t, "crontab")
	out, err := exec.Command("crontab", "-n", file).CombinedOutput()
	if strings.Contains(string(out), "invalid option") {
		t.Skip("needs a crontab that knows -n")
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// initScript runs the script of the boot report with a palhm and a logger that only
// write down what they get.
func initScript(t *testing.T, dir, program string, args ...string) (code int, out string) {
	t.Helper()
	script, err := filepath.Abs(filepath.Join(scriptsDir, "rc.d/palhm-boot-report"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", append([]string{script}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "PALHM="+program, "PALHM_SITE=/etc/s.star")
	text, _ := cmd.CombinedOutput()
	return cmd.ProcessState.ExitCode(), string(text)
}

func TestInitScript(t *testing.T) {
	if text, err := exec.Command("sh", "-n", filepath.Join(scriptsDir, "rc.d/palhm-boot-report")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"palhm-fake": "echo \"$* $PALHM_SITE\"; echo complaint >&2; exit 1",
		"logger":     "echo \"logger $*\" >log.new; cat >>log.new; mv log.new log",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if code, out := initScript(t, dir, "palhm-fake", "start"); code != 0 || out != "" {
		t.Errorf("start: got exit code %d and %q", code, out)
	}
	want := "logger -t palhm-boot-report\n-q boot-report --once /etc/s.star\ncomplaint\n"
	if got := awaitFile(t, filepath.Join(dir, "log")); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, action := range []string{"stop", "restart", "reload", "force-reload", "status"} {
		if code, out := initScript(t, dir, "palhm-fake", action); code != 0 || out != "" {
			t.Errorf("%s: got exit code %d and %q", action, code, out)
		}
	}
	if code, out := initScript(t, dir, "palhm-fake", "begin"); code != 2 || !strings.HasPrefix(out, "usage: ") {
		t.Errorf("a wrong action: got exit code %d and %q", code, out)
	}
	if code, out := initScript(t, dir, "palhm-fake"); code != 2 || !strings.HasPrefix(out, "usage: ") {
		t.Errorf("no action: got exit code %d and %q", code, out)
	}
	if code, out := initScript(t, dir, "no-palhm", "start"); code != 5 || out != "palhm-boot-report: there is no no-palhm\n" {
		t.Errorf("no palhm: got exit code %d and %q", code, out)
	}
}

// awaitFile waits for a file that another process makes.
func awaitFile(t *testing.T, file string) string {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if text, err := os.ReadFile(file); err == nil {
			return string(text)
		}
	}
	t.Fatalf("%s has not come", file)
	return ""
}

// Times of the day that are shipped: a calendar of systemd, a line of a crontab, and a
// local time in an example.
var (
	calendar  = regexp.MustCompile(`(?m)^OnCalendar=.*?(\d{1,2}):(\d{2})(?::\d{2})?$`)
	cronEntry = regexp.MustCompile(`(?m)^#?\s*(\d{1,2}) (\d{1,2}) \S+ \S+ \S+ .*palhm`)
	localTime = regexp.MustCompile(`\d{4}-\d{2}-\d{2}[T ](\d{2}):(\d{2}):\d{2}[+-](?:0[1-9]|1\d):\d{2}`)
	delay     = regexp.MustCompile(`(?m)^RandomizedDelaySec=(\S+)$`)
)

// From 01:00 to 03:30 an hour is missing, or comes twice, in the nights in which the
// clocks change: what is to run then does not, or runs twice.
func TestShippedTimesExistEveryNight(t *testing.T) {
	found := 0
	check := func(file, what string, hour, minute string, late time.Duration) {
		found++
		h, _ := strconv.Atoi(hour)
		m, _ := strconv.Atoi(minute)
		from := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute
		if from+late >= time.Hour && from <= 3*time.Hour+30*time.Minute {
			t.Errorf("%s: %q lies between 01:00 and 03:30 (it may begin %v late)", file, what, late)
		}
	}
	for _, file := range shippedTexts(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var late time.Duration
		if m := delay.FindSubmatch(text); m != nil {
			if late, err = time.ParseDuration(string(m[1])); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
		calendars := calendar.FindAllSubmatch(text, -1)
		if n := strings.Count("\n"+string(text), "\nOnCalendar="); n != len(calendars) {
			t.Errorf("%s: of %d lines of OnCalendar= the test can read %d", file, n, len(calendars))
		}
		for _, m := range calendars {
			check(file, string(m[0]), string(m[1]), string(m[2]), late)
		}
		for _, m := range cronEntry.FindAllSubmatch(text, -1) {
			check(file, string(m[0]), string(m[2]), string(m[1]), 0)
		}
		if strings.HasSuffix(file, ".md") {
			for _, m := range localTime.FindAllSubmatch(text, -1) {
				check(file, string(m[0]), string(m[1]), string(m[2]), 0)
			}
		}
	}
	if found < 3 {
		t.Errorf("got %d times, want those of the timer, the crontab and README.md", found)
	}
}

// shippedTexts are the scripts, the units and the documents, and not the tests.
func shippedTexts(t *testing.T) (files []string) {
	t.Helper()
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == ".git"):
			return fs.SkipDir
		case d.Type().IsRegular() && (strings.HasPrefix(path, scriptsDir) || strings.HasSuffix(path, ".md") || strings.HasSuffix(path, ".star")):
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// systemd itself says that the timer elapses on every day around a change of the clocks.
func TestTimerElapsesWhenTheClocksChange(t *testing.T) {
	requires(t, "systemd-analyze")
	text, err := os.ReadFile(filepath.Join(scriptsDir, "systemd/palhm@.timer"))
	if err != nil {
		t.Fatal(err)
	}
	when := regexp.MustCompile(`(?m)^OnCalendar=(.*)$`).FindSubmatch(text)
	next := regexp.MustCompile(`(?:Next elapse|Iter\. #\d+): \w+ (\S+)`)
	for _, zone := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe"} {
		for month, days := range map[string]int{"2026-03": 31, "2026-04": 30, "2026-10": 31, "2026-11": 30} {
			cmd := exec.Command("systemd-analyze", "calendar", "--iterations="+strconv.Itoa(days), "--base-time="+month+"-01", string(when[1]))
			cmd.Env = append(os.Environ(), "TZ="+zone, "LC_ALL=C")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			seen := next.FindAllSubmatch(out, -1)
			if len(seen) != days {
				t.Errorf("%s, %s: got %d times, want %d:\n%s", zone, month, len(seen), days, out)
				continue
			}
			for i, m := range seen {
				if want := fmt.Sprintf("%s-%02d", month, i+1); string(m[1]) != want {
					t.Errorf("%s: got %s, want it on %s", zone, m[1], want)
					break
				}
			}
		}
	}
}
