package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"palhm/runtime/plan"
	"palhm/runtime/report"
	"palhm/runtime/rotate"
	"palhm/runtime/words"
)

type rotateOptions struct {
	task    string
	explain bool
	wait    time.Duration
}

func (a *app) rotateCommand() *cobra.Command {
	var o rotateOptions
	c := &cobra.Command{
		Use:   "rotate [SITE] [TASK]",
		Short: "remove the copies that the limits no longer allow",
		Long: `Removes old copies of the backup TASK until its limits hold, as "palhm run" does
after each copy. Without TASK it is the task "default", or the only backup of the
site. With --explain nothing is changed: a table says what would become of each
copy and why, and until when object lock keeps it. A directory that is not there is
not made, and is a failure: its disk may not be mounted.`,
		Args: atMost(2),
		RunE: func(c *cobra.Command, args []string) error {
			return a.rotate(c.Context(), args, o)
		},
	}
	c.Flags().StringVarP(&o.task, "task", "t", "", "the `TASK` to rotate")
	c.Flags().BoolVar(&o.explain, "explain", false, "only say which copies would go, and why")
	c.Flags().Var(wait{&o.wait}, "wait", "wait at most `DURATION` for another run on the same root")
	a.offerTasks(c, isBackup)
	return c
}

func (a *app) rotate(ctx context.Context, args []string, o rotateOptions) error {
	if !o.explain {
		surviveSIGPIPE()
	}
	site, name, err := a.loadFor(ctx, args, o.task)
	if err != nil {
		return err
	}
	task, err := backupTask(site, name)
	if err != nil {
		return err
	}
	e := a.engine(site)
	e.Wait = o.wait
	if o.explain {
		result, err := e.Explain(ctx, task)
		if err != nil {
			return err
		}
		return printVerdicts(a.stdout, task.Backup.Backends[0], result)
	}
	var gone []report.Removed
	var problems []string
	err = a.watched(ctx, e, func(ctx context.Context) (err error) {
		gone, problems, err = e.Rotate(ctx, task)
		return err
	})
	return a.concludeRotation(gone, problems, err)
}

func (a *app) concludeRotation(gone []report.Removed, problems []string, err error) error {
	if !a.flags.quiet {
		for _, g := range gone {
			fmt.Fprintf(a.stdout, "removed %s, %s: %s\n", g.Prefix, words.Bytes(g.Bytes), g.Reason)
		}
	}
	if err != nil {
		for _, p := range problems {
			a.log.Error(p)
		}
		return err
	}
	if len(problems) > 0 {
		return &afterError{problems}
	}
	return nil
}

// backupTask finds the backup that is meant by name, "" being the default task, or
// the only backup there is.
func backupTask(site *plan.Site, name string) (*plan.Task, error) {
	backups := taskNames(site, isBackup)
	if name == "" {
		if t := site.Task(defaultTask); t != nil && isBackup(t) {
			return t, nil
		}
		if len(backups) == 1 {
			return site.Task(backups[0]), nil
		}
		if len(backups) == 0 {
			return nil, usagef("%s has no backup, and only a backup has copies", site.File)
		}
		return nil, usagef("name the backup: %s", strings.Join(backups, ", "))
	}
	t, err := findTask(site, name)
	if err != nil {
		return nil, err
	}
	if !isBackup(t) {
		return nil, usagef("task %q is a routine, and only a backup has copies; the backups are: %s", name, strings.Join(backups, ", "))
	}
	return t, nil
}

// printVerdicts prints what would become of each copy.
func printVerdicts(w io.Writer, b plan.Backend, result rotate.Result) error {
	if len(result.Decisions) == 0 {
		_, err := fmt.Fprintln(w, strings.TrimSpace("there are no copies in "+b.Kind+" "+words.Visible(b.Root())))
		return err
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "COPY\tTIME\tSIZE\tVERDICT\tREASON")
	for _, d := range result.Decisions {
		size := words.Bytes(d.Copy.Size)
		if d.Copy.Damage != nil {
			size = "?"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", d.Copy.Prefix, d.Copy.Time.UTC().Format(time.DateTime), size, d.Verdict, words.Visible(d.Reason))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, n := range result.Notices {
		if _, err := fmt.Fprintln(w, words.Visible(n)); err != nil {
			return err
		}
	}
	return nil
}
