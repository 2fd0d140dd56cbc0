package main

import (
	"context"
	"errors"
	"os"
	"time"

	"palhm/runtime/history"
	"palhm/runtime/host"
	"palhm/runtime/plan"
)

// stateDir is where palhm keeps what outlives a run.
func stateDir() (string, error) { return host.StateDir(os.LookupEnv, os.Geteuid() == 0) }

// remember records that a routine begins, for the boot report, and returns what
// records its end. A backup leaves no trace: it restarts no host. The record is worth
// less than the run, which goes on when it cannot be written.
func (a *app) remember(ctx context.Context, site *plan.Site, t *plan.Task) (ended func()) {
	if t.Routine == nil {
		return func() {}
	}
	try := func(err error) {
		if err != nil {
			a.log.Debug("the boot report will not know of this run", "error", err)
		}
	}
	dir, err := stateDir()
	if err != nil {
		try(err)
		return func() {}
	}
	bootID, _ := host.BootID("") // without one the run is found by its time
	run := history.Run{
		BootID: bootID, Task: t.Name, Site: site.File,
		PID: os.Getpid(), PIDStart: host.ProcessStart(os.Getpid()), Start: time.Now(),
	}
	limited, cancel := context.WithTimeout(ctx, recordTime)
	defer cancel()
	rec, err := host.Await(limited, func() (*history.Record, error) { return history.Begin(dir, run) }, nil)
	try(err)
	if err != nil {
		return func() {}
	}
	signalled := func() {
		var s signalError
		if errors.As(context.Cause(ctx), &s) {
			try(rec.Signalled(s.name(), time.Now()))
		}
	}
	stop := context.AfterFunc(ctx, signalled)
	return func() {
		stop()
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
		defer cancel()
		try(host.Do(limited, func() error {
			if ctx.Err() != nil {
				signalled() // it may not have come to it
			}
			return rec.End(time.Now())
		}))
	}
}

// recordTime is how long the disk may take to record the beginning or the end of a run.
const recordTime = 20 * time.Second
