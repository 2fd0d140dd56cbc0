package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"palhm/runtime/host"
	"palhm/runtime/plan"
	"palhm/runtime/proc"
)

// graceTime is how long a deferred function has when its run was stopped.
const graceTime = 30 * time.Second

// call is what one function of a site reaches of the world.
type call struct {
	*run
	at     *level
	backup bool // it gives objects, while the backup holds the lock of its root

	mu     sync.Mutex
	dirs   []string // temporary ones
	closed bool     // they have been removed
}

var _ plan.Runtime = (*call)(nil)

// function runs a function step. What it has deferred outlives ctx, but does not make the
// end of ctx unseen.
func (r *run) function(ctx context.Context, f *plan.Call, at *level) error {
	c := &call{run: r, at: at}
	defer c.close(ctx)
	err := f.Func.Run(ctx, c)
	if _, skips := errors.AsType[*plan.Skip](err); (err == nil || skips) && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// close removes the temporary directories. After the end of ctx it has a time limit.
func (c *call) close(ctx context.Context) {
	c.mu.Lock()
	dirs := c.dirs
	c.dirs, c.closed = nil, true
	c.mu.Unlock()
	if len(dirs) == 0 {
		return
	}
	grace, cancel := c.Grace(ctx)
	defer cancel()
	for _, dir := range dirs {
		if err := host.Do(grace, func() error { return c.files().RemoveAll(dir) }); err != nil {
			c.run.Log.Warn(fmt.Sprintf("a temporary directory stays: %s: %v", dir, err), "task", c.at.task.Name)
		}
	}
}

// Run runs a step for a function.
func (c *call) Run(ctx context.Context, s plan.Step, o plan.RunOptions) (*plan.Result, error) {
	ctx, cancel := c.withTimeout(ctx, o.Timeout, "ctx.run of "+s.Text(proc.Quote))
	defer cancel()
	start := c.now()
	var result *plan.Result
	var err error
	switch {
	case ctx.Err() != nil:
		result, err = new(plan.Result), fmt.Errorf("stopped: %w", context.Cause(ctx))
	case s.Task != nil && c.backup:
		result, err = new(plan.Result), errors.New("a task cannot be run while its objects are listed: the backup holds the root")
	case s.Task != nil:
		result, err = c.runTask(ctx, s)
	case s.Pipeline != nil:
		result, err = c.runPipeline(ctx, s.Pipeline, o)
	default:
		result, err = new(plan.Result), c.do(ctx, s, c.at)
		if err != nil && s.DNSSEC != nil {
			result.Stderr = []byte(err.Error() + "\n")
		}
	}
	result.Duration = c.now().Sub(start)
	if err != nil {
		result.Code, result.Signal = blamed(err, result.Stages)
	}
	return result, err
}

// runTask runs a task below the function's own. What it has to report goes to the
// report of the whole run, when it is over: tasks may run at the same time.
func (c *call) runTask(ctx context.Context, s plan.Step) (*plan.Result, error) {
	sub := c.fork()
	err := sub.do(ctx, s, c.at)
	c.merge(sub)
	result := &plan.Result{Warnings: sub.report.After}
	if failed, ok := errors.AsType[*proc.StageError](err); ok {
		result.Stderr = failed.Stderr
	}
	if small, ok := errors.AsType[*SmallError](err); ok {
		for _, r := range small.Stages {
			result.Stderr = append(result.Stderr, r.Stderr...)
		}
	}
	return result, err
}

// TempDir makes a directory that close removes.
func (c *call) TempDir() (string, error) {
	dir, err := c.files().MkdirTemp()
	if err != nil {
		return "", fmt.Errorf("make a temporary directory: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed { // nobody waits for it any more
		return "", errors.Join(errors.New("make a temporary directory: its function has ended"), c.files().RemoveAll(dir))
	}
	c.dirs = append(c.dirs, dir)
	return dir, nil
}

// Sleep waits.
func (c *call) Sleep(ctx context.Context, d time.Duration) error { return c.sleep(ctx, d) }

// Now returns the time in the host's time zone.
func (c *call) Now() time.Time {
	if c.run.Now != nil {
		return c.run.Now()
	}
	return time.Now()
}

// Exists reports whether there is something at path.
func (c *call) Exists(path string) (bool, error) {
	err := c.files().Stat(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return false, nil
	}
	return err == nil, err
}

// maxRead bounds what a function reads of a file, in bytes.
const maxRead = 1 << 20

// ReadFile reads a regular file.
func (c *call) ReadFile(_ context.Context, path string) ([]byte, error) {
	f, mode, err := c.files().Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if !mode.IsRegular() {
		return nil, fmt.Errorf("read %s: %w", path, host.ErrNotPlain)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxRead+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxRead {
		return nil, fmt.Errorf("read %s: it is larger than 1 MiB; a command can read it", filepath.Clean(path))
	}
	return data, nil
}

// Log logs what a function says. Further lines are indented: what a command printed must
// not look like a line of palhm's own.
func (c *call) Log(pos plan.Pos, level plan.LogLevel, msg string) {
	if c.World != nil {
		c.World.Said(level, msg)
	}
	msg = strings.ReplaceAll(strings.TrimRight(msg, "\n"), "\n", "\n  ")
	if level == plan.LogWarn {
		c.run.Log.Warn(msg, "task", c.at.task.Name, "at", pos.String())
		return
	}
	c.run.Log.Info(msg, "task", c.at.task.Name)
}

// Args returns the arguments of the routine.
func (c *call) Args() map[string]any { return c.at.args }

// Sigmask changes the mask of the run.
func (c *call) Sigmask(ctx context.Context, pos plan.Pos, m plan.Sigmask) error {
	return c.do(ctx, plan.Step{Pos: pos, Sigmask: &m}, c.at)
}

// Sequential reports whether a test plays the function.
func (c *call) Sequential() bool { return c.World != nil }

// errHurry is why what was still to be done is cut short.
var errHurry = errors.New("palhm was told twice to stop")

// Grace returns a context that ends 30 seconds after ctx, or at once when the user asks
// twice.
func (c *call) Grace(ctx context.Context) (context.Context, context.CancelFunc) {
	limited, end := c.limit(context.WithoutCancel(ctx), ctx, graceTime, &TimeoutError{What: "a deferred function", After: graceTime})
	grace, cancel := context.WithCancelCause(limited)
	go func() {
		select {
		case <-c.Hurry:
			cancel(errHurry)
		case <-grace.Done():
		}
	}()
	return grace, func() { cancel(nil); end() }
}
