// Package engine runs a plan: it schedules the objects of a backup by their groups,
// drives processes and backends, commits or aborts, rotates, and runs the steps of
// a routine.
package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"sync"
	"time"

	"palhm/backends"
	"palhm/runtime/fault"
	"palhm/runtime/host"
	"palhm/runtime/plan"
	"palhm/runtime/report"
	"palhm/runtime/secret"
)

// Engine runs tasks. Its fields are set before the first Run and not changed
// afterwards; then its methods may be called concurrently. It holds no state of a
// task: a task that is run twice runs twice.
type Engine struct {
	Open    func(plan.Backend) (backends.Store, error)
	Log     *slog.Logger
	Host    string   // name of this host, as manifests record it; satisfies host.CheckName
	Version string   // of palhm, as manifests record it
	Environ []string // what processes inherit, "NAME=value"

	Secrets *secret.Seen // remembers what was read; nil = nobody does

	Stdout    io.Writer // gets what steps print
	Stderr    io.Writer // gets what processes complain
	Verbosity int       // a child's stream is shown when this is at least its level
	Quiet     bool      // hold back what Verbosity would show, until its task fails

	Workers int             // objects at a time, as plan.Settings.Workers
	Wait    time.Duration   // how long to wait for another process's lock
	Grace   time.Duration   // between SIGTERM and SIGKILL; 0 = proc.DefaultGrace
	Hurry   <-chan struct{} // when closed, grace periods are over, and stores that are silent; nil = never
	Args    map[string]any  // of the routine that Run is given, as plan.Routine.ArgValues takes them
	Mask    Mask            // defers signals for a task that blocks them; nil = only processes have them blocked

	// DNSSEC makes a check, and says in a line until when all is well. nil = no such
	// step can be run.
	DNSSEC func(context.Context, *plan.DNSSECCheck) (string, error)

	// Now, Sleep and Limit are the clock. The zero value is the real one. Limit returns a
	// child of ctx that ends with a cause when d has passed since the end of from; nil = since
	// now.
	Now   func() time.Time
	Sleep func(context.Context, time.Duration) error
	Limit func(ctx, from context.Context, d time.Duration, cause error) (context.Context, context.CancelFunc)

	World World // stands in for this host in a test; nil = tasks act on this host

	progress progress
}

// cleanupTime bounds what is done after a run was cancelled: removing a partial
// copy must end, and it must not be given up at once.
const cleanupTime = 10 * time.Minute

// Run runs a task. The report is never nil; after an error it says what had been
// done until then. The error is an *Error; it wraps a *backends.LockedError when
// another run has the root, and the cause of ctx when that ended the run.
func (e *Engine) Run(ctx context.Context, site *plan.Site, task *plan.Task) (*report.Run, error) {
	ctx = backends.WithHurry(ctx, e.Hurry)
	start := e.now()
	r := &run{Engine: e, site: site, mask: new(mask), report: &report.Run{Task: task.Name, Start: start.UTC()}}
	defer r.unmask()
	err := e.checkHost(task)
	if err == nil {
		err = r.caught(ctx, task)
	}
	r.report.End = e.endOf(start).UTC()
	return r.report, err
}

// caught runs a task. An internal error fails it, and the run still has a report.
func (r *run) caught(ctx context.Context, t *plan.Task) (err error) {
	defer func() {
		if _, ok := errors.AsType[*Error](err); err != nil && !ok {
			err = &Error{Task: t.Name, Pos: t.Pos, Err: err}
		}
	}()
	defer fault.Catch(&err)
	return r.task(ctx, t, nil)
}

// CheckHost reports why no task is run on a host of that name: each run would take its own
// copies for another host's.
func CheckHost(name string) error {
	if err := host.CheckName(name); err != nil {
		return fmt.Errorf(`%w, and a copy could not keep it: no task is run; give the host a name with settings(host = "web1") or $PALHM_HOST`, err)
	}
	return nil
}

func (e *Engine) checkHost(t *plan.Task) error {
	if err := CheckHost(e.Host); err != nil && e.World == nil {
		return &Error{Task: t.Name, Pos: t.Pos, Err: err}
	}
	return nil
}

// run is one Run, or a task that a function runs in it.
type run struct {
	*Engine
	site   *plan.Site
	report *report.Run
	mask   *mask
	mu     sync.Mutex // for merge
}

// fork returns a run for a task below, with a report of its own.
func (r *run) fork() *run {
	return &run{Engine: r.Engine, site: r.site, mask: r.mask, report: new(report.Run)}
}

// merge adds the report of a task below to the whole one.
func (r *run) merge(below *run) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Copies = append(r.report.Copies, below.report.Copies...)
	r.report.After = append(r.report.After, below.report.After...)
}

// task runs one task: the one that was asked for, or one below at.
func (r *run) task(ctx context.Context, t *plan.Task, at *level) error {
	limited, cancel := r.withTimeout(ctx, t.Timeout, "task "+t.Name)
	defer cancel()
	here, err := r.enter(t, at)
	if err != nil {
		return &Error{Task: t.Name, Pos: t.Pos, Err: err}
	}
	r.Log.Debug("task begins", "task", t.Name)
	if t.Backup != nil {
		err = r.backup(ctx, limited, t, here)
	} else {
		err = r.routine(limited, t, here)
	}
	if err != nil {
		here.out.release()
		return err
	}
	r.Log.Debug("task is done", "task", t.Name)
	return nil
}

// after records what failed once the main work was safe.
func (r *run) after(t *plan.Task, msg string) {
	r.report.After = append(r.report.After, t.Name+": "+msg)
}

// now keeps the monotonic reading of the real clock, which UTC would drop: a clock that is
// set while a task runs changes no duration. What is recorded is converted there.
func (e *Engine) now() time.Time {
	if e.Now != nil {
		return e.Now()
	}
	return time.Now()
}

// endOf is the time when what began at start has ended. It is no earlier, also when the
// clock was set back meanwhile.
func (e *Engine) endOf(start time.Time) time.Time { return start.Add(e.now().Sub(start)) }

func (e *Engine) sleep(ctx context.Context, d time.Duration) error {
	if e.Sleep != nil {
		return e.Sleep(ctx, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// withTimeout is context.WithTimeout with an error that says whose time was up.
func (e *Engine) withTimeout(ctx context.Context, d time.Duration, what string) (context.Context, context.CancelFunc) {
	if d <= 0 {
		return context.WithCancel(ctx)
	}
	return e.limit(ctx, nil, d, &TimeoutError{What: what, After: d})
}

func (e *Engine) limit(ctx, from context.Context, d time.Duration, cause error) (context.Context, context.CancelFunc) {
	switch {
	case e.Limit != nil:
		return e.Limit(ctx, from, d, cause)
	case from == nil:
		return context.WithTimeoutCause(ctx, d, cause)
	}
	limited, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-from.Done():
		case <-limited.Done():
			return
		}
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel(cause)
		case <-limited.Done():
		}
	}()
	return limited, func() { cancel(nil) }
}

// workers returns how many objects may be made at the same time.
func (e *Engine) workers(cpus int) int {
	switch {
	case e.World != nil:
		return 1
	case e.Workers < 0:
		return math.MaxInt
	case e.Workers == 0:
		return cpus
	}
	return e.Workers
}
