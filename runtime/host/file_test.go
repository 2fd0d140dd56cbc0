package host_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"palhm/runtime/fault"
	"palhm/runtime/host"
	"palhm/runtime/host/hosttest"
)

// TestLeave: whoever waits for a file that does not come can leave.
func TestLeave(t *testing.T) {
	t.Run("a pipe without a writer", func(t *testing.T) {
		pipe := filepath.Join(t.TempDir(), "pipe")
		if err := unix.Mkfifo(pipe, 0o600); err != nil {
			t.Fatal(err)
		}
		leave(t, pipe)
		if _, err := host.ReadPlainFile(t.Context(), pipe, 100); !errors.Is(err, host.ErrNotPlain) {
			t.Errorf("read plain: got %v", err)
		}
	})
	t.Run("a silent server", func(t *testing.T) {
		file := filepath.Join(hosttest.Hung(t), "file")
		leave(t, file)
	})
}

func leave(t *testing.T, file string) {
	stopped := errors.New("told to stop")
	for name, do := range map[string]func(ctx context.Context) error{
		"open": func(ctx context.Context) error { _, err := host.Open(ctx, file); return err },
		"read": func(ctx context.Context) error { _, err := host.ReadFile(ctx, file, 100); return err },
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(10*time.Millisecond, func() { cancel(stopped) })
		if err := do(ctx); !errors.Is(err, stopped) || !strings.Contains(err.Error(), "open "+file+": stopped: ") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestLate: what comes too late is let go of.
func TestLate(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	hold, late := make(chan struct{}), make(chan int)
	_, err := host.Await(ctx, func() (int, error) { <-hold; return 1, nil }, func(n int) { late <- n })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(hold)
	if n := <-late; n != 1 {
		t.Errorf("got %d", n)
	}
}

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := host.ReadFile(t.Context(), file, 5); string(data) != "12345" || err != nil {
		t.Errorf("got %q, %v", data, err)
	}
	if data, err := host.ReadFile(t.Context(), file, 4); err == nil {
		t.Errorf("larger than the limit: got %q", data)
	}
	if _, err := host.ReadPlainFile(t.Context(), dir, 4); !errors.Is(err, unix.EISDIR) {
		t.Errorf("a directory: got %v", err)
	}
}

// A mistake on the goroutine that Await may leave does not end palhm.
func TestAwaitCatches(t *testing.T) {
	_, err := host.Await(t.Context(), func() (int, error) { panic("mistake") }, nil)
	if fault.Stack(err) == nil {
		t.Errorf("got %v, want an internal error", err)
	}
}
