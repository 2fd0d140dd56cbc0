package proc_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"palhm/runtime/host/hosttest"
	"palhm/runtime/proc"
)

// TestHungProgram: a start that the kernel holds up can be left, and what has been
// started by then is stopped.
func TestHungProgram(t *testing.T) {
	hung := hosttest.Hung(t)
	stdin, err := proc.Content([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!"+hung+"/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, cmds := range map[string][]proc.Command{
		"program":     {{Argv: []string{hung + "/tool"}, Stdin: stdin}},
		"PATH":        {{Argv: []string{"tool"}, Env: []string{"PATH=" + hung}}},
		"interpreter": {{Argv: []string{script}}, {Argv: []string{"/bin/cat"}}},
		"directory":   {{Argv: []string{"/bin/true"}, Dir: hung}},
	} {
		stopped := errors.New("told to stop")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(10*time.Millisecond, func() { cancel(stopped) })
		_, err := proc.Start(ctx, cmds, proc.Options{Grace: 10 * time.Millisecond})
		if _, ok := errors.AsType[*proc.Error](err); !ok || !errors.Is(err, stopped) {
			t.Errorf("%s: got %v, want an *Error that wraps the cause", name, err)
		}
	}
	if err := stdin.Close(); err != nil { // it is the caller's whatever happened
		t.Error(err)
	}
}

// TestStopDuringTheStart: a pipeline that is stopped while its stages are being started
// leaves none behind.
func TestStopDuringTheStart(t *testing.T) {
	dir := t.TempDir()
	for i := range 50 {
		started := filepath.Join(dir, "started")
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			for ctx.Err() == nil {
				if _, err := os.Stat(started); err == nil {
					cancel()
				}
			}
		}()
		cmds := []proc.Command{{Argv: []string{"sh", "-c", "echo $$ >pid; mv pid started; exec sleep 1000"}, Dir: dir}}
		for range 20 {
			cmds = append(cmds, proc.Command{Argv: []string{"cat"}})
		}
		p, err := proc.Start(ctx, cmds, proc.Options{})
		if err == nil {
			p.Close()
		}
		cancel()
		pid, err := os.ReadFile(started)
		if err != nil {
			continue // it was stopped before it began
		}
		if stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/stat"); err == nil {
			t.Fatalf("trial %d: a stage runs on: %s", i, stat)
		}
		os.Remove(started)
	}
}
