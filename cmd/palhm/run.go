package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"palhm/backends/all"
	"palhm/runtime/engine"
	"palhm/runtime/plan"
	"palhm/runtime/report"
	"palhm/runtime/secret"
	"palhm/runtime/words"
)

// runOptions are the options of "palhm run".
type runOptions struct {
	task string
	null bool
	wait time.Duration
}

func (a *app) runCommand() *cobra.Command {
	var o runOptions
	c := &cobra.Command{
		Use:   "run [SITE] [TASK]",
		Short: "run a task",
		Long: `Runs TASK, or the task "default". SITE is $PALHM_SITE or /etc/palhm/site.star when
none is named. A single argument is a site when it has a / or ends in .star, .json
or .jsonc, else a task.

The arguments of a routine are options: --service=nginx or, behind the TASK,
--service nginx. "palhm help SITE" shows those of each task.

Copies are made under the name of this host, which has to stay the same: it is
settings(host = ...), else $PALHM_HOST, else the kernel's.

When copies were made, standard output says where they are. With -q a run that is
well prints nothing: what processes print is held back and shown when their task
fails.

With --log-format json standard output ends with one JSON object that is only ever
extended: "task", "start", "end", "exit" (the exit code), "error" (why it is 1 or
more), "copies" ("task", "root", "prefix", "objects", "bytes", "duration" in
nanoseconds, and "removed" by rotation), "after" (what failed when the copies were
safe) and "skipped" (why there was nothing to do).

A site may ask for a notice by mail with settings(on_failure = ..., on_success = ...):
see "palhm help notice". A rehearsal with --null sends none.

SIGINT, SIGTERM, SIGHUP and SIGQUIT end the run: processes are stopped and the unfinished
copy is removed. A second one no longer waits for the processes, nor for a store that
does not answer, and a third ends palhm at once, for the next run to clean up.
SIGUSR1 prints the progress.`,
		Example: `palhm run
palhm run backup
palhm run ./site.star backup
palhm run restart --service=nginx
palhm -q run --wait 30m backup`,
		Args: atMost(2),
		RunE: func(c *cobra.Command, args []string) error {
			return a.run(c.Context(), args, o)
		},
	}
	c.Flags().StringVarP(&o.task, "task", "t", "", "the `TASK` to run")
	c.Flags().BoolVar(&o.null, "null", false, "rehearse a backup: make every object and keep nothing")
	c.Flags().Var(wait{&o.wait}, "wait", "wait at most `DURATION` (such as 10m) for another run on the same root")
	a.offerTasks(c, isTask)
	return c
}

func (a *app) run(ctx context.Context, args []string, o runOptions) error {
	surviveSIGPIPE()
	site, name, err := a.loadFor(ctx, args, o.task)
	if err != nil {
		return err
	}
	if name == "" {
		name = defaultTask
	}
	task, err := findTask(site, name)
	if err != nil {
		return err
	}
	given, err := a.own.of(task)
	if err != nil {
		return err
	}
	if o.null {
		if task, err = rehearsal(site, task); err != nil {
			return err
		}
	}
	e := a.engine(site)
	e.Wait, e.Args = o.wait, given
	if site.Settings.OnFailure != nil {
		e.Secrets = new(secret.Seen)
	}
	var r *report.Run
	err = a.watched(ctx, e, func(ctx context.Context) (err error) {
		ended := a.remember(ctx, site, task)
		r, err = e.Run(ctx, site, task)
		ended()
		if !o.null {
			a.notify(ctx, e, site, r, err)
		}
		return err
	})
	return a.conclude(r, err)
}

// rehearsal is a backup with its backends replaced by null.
func rehearsal(site *plan.Site, t *plan.Task) (*plan.Task, error) {
	if t.Backup == nil {
		list := strings.Join(taskNames(site, isBackup), ", ")
		if list == "" {
			list = "none"
		}
		return nil, usagef("--null rehearses a backup and task %q is a routine: its steps would really be run; the backups are: %s", t.Name, list)
	}
	task, backup := *t, *t.Backup
	backup.Backends = []plan.Backend{{Kind: "null", Pos: t.Pos, Rehearsal: t.Backup.Backends[0].Kind != "null"}}
	task.Backup = &backup
	return &task, nil
}

// engine sets up what runs the tasks of a site.
func (a *app) engine(site *plan.Site) *engine.Engine {
	host := hostName(site)
	e := &engine.Engine{
		Open:      (&all.Opener{Host: host}).Open,
		DNSSEC:    checkDNSSEC,
		Log:       a.log,
		Host:      host,
		Version:   version(),
		Environ:   os.Environ(),
		Stdout:    a.stdout,
		Stderr:    a.screen,
		Verbosity: site.Settings.Verbosity + a.flags.verbose, // with -q, of what is held back
		Quiet:     a.flags.quiet,
		Workers:   site.Settings.Workers,
	}
	if a.flags.workersSet {
		e.Workers = a.flags.workers
	}
	return e
}

// watched calls work under the eyes of the signals and of the progress display.
func (a *app) watched(ctx context.Context, e *engine.Engine, work func(context.Context) error) error {
	signals := watchSignals(ctx, func() { a.printProgress(e) })
	defer signals.stop()
	e.Hurry, e.Mask = signals.hurry, signals
	if !a.flags.quiet && !a.flags.noProgress && a.flags.logFormat == logText && isTerminal(a.screen.out) {
		defer a.showProgress(e)()
	}
	return work(signals.ctx)
}

// conclude prints what a run has made, and returns its error or that of what came
// after it.
func (a *app) conclude(r *report.Run, err error) error {
	if !a.flags.quiet {
		printErr := a.summarise(r, err)
		if err == nil && printErr != nil {
			r.After = append(r.After, fmt.Sprintf("print the summary: %v", printErr))
		}
	}
	if err != nil {
		// What went wrong besides the error itself must not get lost.
		for _, problem := range r.After {
			a.log.Error(problem)
		}
		return err
	}
	if len(r.After) > 0 {
		return &afterError{r.After}
	}
	return nil
}

// summarise prints the copies of a run.
func (a *app) summarise(r *report.Run, err error) error {
	if a.flags.logFormat == logJSON {
		enc := json.NewEncoder(a.stdout)
		enc.SetEscapeHTML(false)
		return enc.Encode(newSummary(r, err))
	}
	var errs []error
	for _, c := range r.Copies {
		_, err := fmt.Fprintln(a.stdout, copyLine(c))
		errs = append(errs, err)
	}
	if len(r.Copies) == 0 && err == nil {
		a.log.Info(fmt.Sprintf("%s: done in %s", r.Task, words.Duration(r.End.Sub(r.Start))))
	}
	return errors.Join(errs...)
}

// summary is a run as JSON tells it: whoever reads it need not have seen the exit code.
type summary struct {
	*report.Run
	Exit  int    `json:"exit"`
	Error string `json:"error,omitempty"`
}

func newSummary(r *report.Run, err error) summary {
	s := summary{Run: r, Exit: exitCode(err)}
	if err != nil {
		s.Error = firstLine(err.Error())
	} else if len(r.After) > 0 {
		s.Exit = exitAfter
	}
	return s
}

// copyLine tells of one copy: "backup: 3 objects, 1.50 MiB in 2.1s: /root/PREFIX".
func copyLine(c report.Copy) string {
	place := "kept nowhere (null)"
	if c.Root != "" {
		place = strings.TrimSuffix(c.Root, "/") + "/" + c.Prefix
	}
	line := fmt.Sprintf("%s: %s, %s in %s: %s", c.Task, words.Plural(c.Objects, "object", "objects"),
		words.Bytes(c.Bytes), words.Duration(c.Duration), place)
	if len(c.Removed) > 0 {
		line += "; removed by rotation: " + removedList(c.Removed)
	}
	return line
}

func removedList(removed []report.Removed) string {
	names := make([]string, len(removed))
	for i, r := range removed {
		names[i] = r.Prefix
	}
	return strings.Join(names, ", ")
}
