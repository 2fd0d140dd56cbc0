package main

import (
	"context"

	"github.com/spf13/cobra"

	"palhm/runtime/engine"
	"palhm/runtime/plan"
)

func (a *app) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check [SITE]",
		Short: "load a site and say what is wrong with it",
		Long: `Loads SITE, and says everything that is wrong with it, or nothing. Nothing is run
and nothing is changed.

Functions that a task calls are read, as far as their text shows what they do. What
only looks like a mistake is a warning. So is what this host lacks, because it
may be there when the task runs: programs that are not in PATH, users, files and
secrets. So is a stage of an object that writes to a file and not to stdout, as far as
its arguments show it.`,
		Args: atMost(1),
		RunE: func(c *cobra.Command, args []string) error { return a.check(c.Context(), args) },
	}
}

func (a *app) check(ctx context.Context, args []string) error {
	file, err := a.siteArg(args)
	if err != nil {
		return err
	}
	site, found, err := a.loadAndCheck(ctx, file)
	if err != nil {
		return err
	}
	if err := unusable(site); err != nil {
		return err
	}
	for _, w := range found.Warnings {
		a.log.Warn(w.Error())
	}
	if err := engine.CheckHost(hostName(site)); err != nil {
		a.log.Warn(err.Error())
	}
	for _, w := range lacking(ctx, a.engine(site), site, found.Execs) {
		a.log.Warn(w)
	}
	return nil
}

// lacking says what the execs and buckets of a site need and this host does not have.
// An exec that is used many times is looked at once. What functions run is in inside.
func lacking(ctx context.Context, e *engine.Engine, site *plan.Site, inside []*plan.Exec) []string {
	seen := map[string]bool{}
	var found []string
	add := func(pos plan.Pos, problems ...error) {
		for _, problem := range problems {
			if text := problem.Error(); !seen[text] {
				seen[text] = true
				found = append(found, pos.String()+": "+text)
			}
		}
	}
	for _, t := range site.Tasks {
		if t.Backup != nil {
			for _, b := range t.Backup.Backends {
				add(b.Pos, bucketDoubts(ctx, b)...)
			}
			diverted(t, add)
		}
		for pos, x := range execs(t) {
			add(pos, e.Lacks(ctx, x)...)
		}
	}
	for _, m := range messages(site) {
		if err := lacksMUA(ctx, m.mua, e.Environ); err != nil {
			add(m.pos, err)
		}
	}
	for _, x := range inside {
		add(x.Pos, e.Lacks(ctx, x)...)
	}
	return found
}
