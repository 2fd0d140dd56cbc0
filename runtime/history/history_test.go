package history_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"palhm/runtime/history"
	"palhm/runtime/host"
)

var start = time.Date(2026, 5, 1, 3, 0, 0, 0, time.UTC)

func begin(t *testing.T, dir string, r history.Run) *history.Record {
	t.Helper()
	rec, err := history.Begin(dir, r)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func runs(t *testing.T, dir string) []history.Run {
	t.Helper()
	list, _, err := history.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestRunIsKnownAtEachMoment(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	if got := runs(t, dir); len(got) != 0 {
		t.Fatalf("got %v before the first run", got)
	}
	want := history.Run{BootID: "b1", Task: "default", Site: "/s.star", PID: os.Getpid(), Start: start}
	rec := begin(t, dir, want)
	check := func(when string) {
		t.Helper()
		if got := runs(t, dir); len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %+v, want %+v", when, got, want)
		}
	}
	check("at the start")
	want.Signal, want.SignalAt = "SIGTERM", start.Add(time.Minute)
	if err := rec.Signalled("SIGTERM", want.SignalAt); err != nil {
		t.Fatal(err)
	}
	check("after a signal")
	if err := rec.Signalled("SIGINT", start.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	check("after a second signal")
	want.End = start.Add(2 * time.Minute)
	if err := rec.End(want.End); err != nil {
		t.Fatal(err)
	}
	check("at the end")
}

func TestOnlyTheLastAreKept(t *testing.T) {
	dir := t.TempDir()
	for i := range 70 {
		begin(t, dir, history.Run{BootID: "b1", Task: fmt.Sprint(i), PID: os.Getpid(), Start: start.Add(time.Duration(i) * time.Second)})
	}
	got := runs(t, dir)
	if len(got) != 64 || got[0].Task != "6" || got[63].Task != "69" {
		t.Errorf("got %d runs from %s to %s", len(got), got[0].Task, got[len(got)-1].Task)
	}
}

func TestDeadRunOfThisBootIsLost(t *testing.T) {
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	dir, gone := t.TempDir(), dead.Process.Pid
	begin(t, dir, history.Run{BootID: "b1", Task: "earlier boot", PID: gone, Start: start})
	begin(t, dir, history.Run{BootID: "b2", Task: "killed", PID: gone, Start: start.Add(time.Second)})
	begin(t, dir, history.Run{BootID: "b2", Task: "alive", PID: os.Getpid(), Start: start.Add(2 * time.Second)})
	begun := host.ProcessStart(os.Getpid())
	begin(t, dir, history.Run{BootID: "b2", Task: "alive, and known", PID: os.Getpid(), PIDStart: begun, Start: start.Add(3 * time.Second)})
	begin(t, dir, history.Run{BootID: "b2", Task: "killed, and its number is another's", PID: os.Getpid(), PIDStart: begun + 1, Start: start.Add(4 * time.Second)})
	begin(t, dir, history.Run{BootID: "b2", Task: "new", PID: os.Getpid(), Start: start.Add(5 * time.Second)})
	for _, r := range runs(t, dir) {
		if r.Lost != strings.HasPrefix(r.Task, "killed") {
			t.Errorf("%s: got lost = %v", r.Task, r.Lost)
		}
	}
}

func TestDamagedFilesArePassedOver(t *testing.T) {
	state := t.TempDir()
	dir := filepath.Join(state, "routines")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"1.json": "", "2.json": "{", "3.json": "[]", "x": "y", "4.json": string(make([]byte, 70<<10))} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	left := filepath.Join(dir, ".run-1")
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	long := start.Add(-2 * time.Hour)
	if err := os.Chtimes(left, long, long); err != nil {
		t.Fatal(err)
	}
	begin(t, state, history.Run{Task: "new", Start: start})
	if got := runs(t, state); len(got) != 1 || got[0].Task != "new" {
		t.Errorf("got %+v, want the new run alone", got)
	}
	if _, err := os.Stat(left); err == nil {
		t.Error("what a killed run left is still there")
	}
}

func TestReportedIsForOneBoot(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	if history.Reported(dir, "b1") || history.Reported(dir, "") {
		t.Error("a boot is reported that never was")
	}
	if err := history.MarkReported(dir, "b1"); err != nil {
		t.Fatal(err)
	}
	if !history.Reported(dir, "b1") || history.Reported(dir, "b2") {
		t.Error("want b1 and nothing else reported")
	}
}

// What lies in the working directory says nothing.
func TestNothingIsReportedWithoutADirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := history.MarkReported(".", "b1"); err != nil {
		t.Fatal(err)
	}
	if history.Reported("", "b1") {
		t.Error("a boot is reported in no directory at all")
	}
}

func TestOneReportsAtATime(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	release, err := history.LockReport(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	stop := errors.New("told to stop")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, stop)
	defer cancel()
	if _, err := history.LockReport(ctx, dir); !errors.Is(err, stop) {
		t.Errorf("while another has the lock: got %v, want the cause", err)
	}
	time.AfterFunc(50*time.Millisecond, release)
	release, err = history.LockReport(t.Context(), dir)
	if err != nil {
		t.Fatalf("when another has given the lock back: %v", err)
	}
	release()
}
