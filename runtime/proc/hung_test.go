package proc_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
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
		_, err := proc.Start(ctx, cmds, proc.Options{})
		if _, ok := errors.AsType[*proc.Error](err); !ok || !errors.Is(err, stopped) {
			t.Errorf("%s: got %v, want an *Error that wraps the cause", name, err)
		}
	}
	if err := stdin.Close(); err != nil { // it is the caller's whatever happened
		t.Error(err)
	}
}
