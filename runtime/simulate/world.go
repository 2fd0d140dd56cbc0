package simulate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"syscall"
	"time"

	"palhm/runtime/plan"
	"palhm/runtime/shell"
)

// world is what a function reaches while it is played.
type world struct {
	*player
	args map[string]any
}

var _ plan.Runtime = (*world)(nil)

// Sequential makes the order of events the same each time.
func (*world) Sequential() bool { return true }

// Run plays a pipeline or a task.
func (w *world) Run(ctx context.Context, s plan.Step, o plan.RunOptions) (*plan.Result, error) {
	ctx, release := w.limit(ctx, o.Timeout, "ctx.run of "+s.Text(shell.Brief))
	defer release()
	switch {
	case ctx.Err() != nil:
		return &plan.Result{Code: -1}, fmt.Errorf("stopped: %w", context.Cause(ctx))
	case s.DNSSEC != nil:
		return verdict(w.dnssec(ctx, s.DNSSEC))
	case s.Sigmask != nil:
		return verdict(w.Sigmask(ctx, s.Pos, *s.Sigmask))
	case s.Task == nil:
		r, err := w.pipeline(ctx, s.Pipeline)
		if tooMuch := capture(r, o.Capture); tooMuch != nil && err == nil {
			err = fmt.Errorf("%s: %w", s.Text(shell.Brief), tooMuch)
		}
		return r, err
	}
	begun := w.Now()
	warnings, err := w.below(ctx, s.Task)
	r := &plan.Result{Warnings: warnings, Duration: w.Now().Sub(begun)}
	if err != nil {
		r.Code = -1
		if failed, ok := errors.AsType[*stageError](err); ok {
			r.Code, r.Signal = failed.result.Code, failed.result.Signal
		}
	}
	return r, err
}

// verdict is the result of what is no command and no task.
func verdict(err error) (*plan.Result, error) {
	if err != nil {
		return &plan.Result{Code: -1, Stderr: []byte(err.Error() + "\n")}, err
	}
	return &plan.Result{}, nil
}

// Sigmask records what is blocked.
func (w *world) Sigmask(_ context.Context, _ plan.Pos, m plan.Sigmask) error {
	w.sigmask(m)
	return nil
}

// Sleep lets the simulated time pass.
func (w *world) Sleep(ctx context.Context, d time.Duration) error {
	w.pass(d)
	return context.Cause(ctx)
}

// Now returns the simulated time.
func (w *world) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// TempDir gives a path. There is nothing at it.
func (w *world) TempDir() (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dirs++
	return fmt.Sprintf("/tmp/palhm-simulated-%d", w.dirs), nil
}

// Exists reports whether path is one of the files of the test, or a directory above one.
func (w *world) Exists(path string) (bool, error) {
	if _, ok := w.setup.Files[path]; ok {
		return true, nil
	}
	below := strings.TrimSuffix(path, "/") + "/"
	return slices.ContainsFunc(slices.Collect(maps.Keys(w.setup.Files)), func(f string) bool { return strings.HasPrefix(f, below) }), nil
}

// maxRead bounds what a function reads of a file, in bytes.
const maxRead = 1 << 20

// ReadFile gives the text that the test has for a file.
func (w *world) ReadFile(_ context.Context, path string) ([]byte, error) {
	text, ok := w.setup.Files[path]
	switch {
	case !ok:
		return nil, &fs.PathError{Op: "open", Path: path, Err: syscall.ENOENT}
	case len(text) > maxRead:
		return nil, fmt.Errorf("read %s: it is larger than 1 MiB; a command can read it", path)
	}
	return []byte(text), nil
}

// Log keeps a message.
func (w *world) Log(_ plan.Pos, level plan.LogLevel, msg string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if level == plan.LogWarn {
		w.out.Warnings = append(w.out.Warnings, msg)
	} else {
		w.out.Log = append(w.out.Log, msg)
	}
}

// Args returns the arguments of the routine.
func (w *world) Args() map[string]any { return w.args }

// Grace returns a context that does not end with ctx, but with the simulation.
func (w *world) Grace(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithCancel(context.WithoutCancel(ctx))
}
