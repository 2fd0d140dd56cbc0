// Package engine runs a plan: it schedules the objects of a backup by their groups,
// drives processes and backends, commits or aborts, rotates, and runs the steps of
// a routine.
package engine

import (
	"context"
	"io"
	"log/slog"
	"time"

	"palhm/backends"
	"palhm/runtime/plan"
	"palhm/runtime/report"
	"palhm/runtime/rotate"
)

// Engine runs tasks. Its fields are set before the first Run and not changed
// afterwards.
type Engine struct {
	Open      func(plan.Backend) (backends.Store, error)
	Log       *slog.Logger
	Stdout    io.Writer       // gets what steps print, as far as Verbosity shows it
	Stderr    io.Writer       // gets what processes complain, as far as Verbosity shows it
	Verbosity int             // a child's stream is shown when this is at least its level
	Quiet     bool            // hold the output of children back until their task fails
	Workers   int             // objects at a time, as plan.Settings.Workers
	Wait      time.Duration   // how long to wait for another process's lock
	Grace     time.Duration   // between SIGTERM and SIGKILL; 0 = proc.DefaultGrace
	Hurry     <-chan struct{} // when closed, grace periods are over
	Environ   []string        // what processes inherit
	Host      string          // name of this host, as manifests record it
	Version   string          // of palhm
	Now       func() time.Time
}

// Progress is an object that is being made.
type Progress struct {
	Task  string
	Path  string
	Bytes int64 // stored so far
	Hint  int64 // expected size, or 0
	Start time.Time
}

// Run runs a task. The report is never nil; after an error it says what had been
// done until then. The error is a *LockedError of backends, or wraps the cause of
// ctx, when it is about those.
func (e *Engine) Run(ctx context.Context, site *plan.Site, task *plan.Task) (*report.Run, error) {
	panic("to be written")
}

// Explain says what rotation of a backup task would do now. It changes nothing.
func (e *Engine) Explain(ctx context.Context, task *plan.Task) (rotate.Result, error) {
	panic("to be written")
}

// Rotate removes what the limits of a backup task ask for now.
func (e *Engine) Rotate(ctx context.Context, task *plan.Task) (rotate.Result, []report.Removed, error) {
	panic("to be written")
}

// Progress returns the objects that are being made now, in the order in which they
// were started. It may be called at any time from any goroutine.
func (e *Engine) Progress() []Progress { panic("to be written") }
