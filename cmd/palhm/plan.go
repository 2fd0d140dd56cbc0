package main

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/spf13/cobra"

	"palhm/runtime/plan"
)

type planOptions struct {
	task string
	json bool
}

func (a *app) planCommand() *cobra.Command {
	var o planOptions
	c := &cobra.Command{
		Use:   "plan [SITE] [TASK]",
		Short: "show what would be run",
		Long: `Shows what TASK, or every task, would run, in order. Nothing is run and no backend
is touched. Secrets are shown by name, variables without their values.

With --json the plan is one JSON object that is only ever extended: "file",
"digest", "settings", "tasks", "inputs" (what was read from the host while the site
was loaded) and "modules". The tasks are TASK and those that its steps name, or all.
Time spans are in nanoseconds, sizes in bytes, limits are strings; "depends" of a
group holds indices into the "groups" of its backup.`,
		Args: atMost(2),
		RunE: func(c *cobra.Command, args []string) error {
			return a.plan(c.Context(), args, o)
		},
	}
	c.Flags().StringVarP(&o.task, "task", "t", "", "the `TASK` to show")
	c.Flags().BoolVar(&o.json, "json", false, "print JSON")
	a.offerTasks(c, isTask)
	return c
}

func (a *app) plan(ctx context.Context, args []string, o planOptions) error {
	site, name, err := a.loadFor(ctx, args, o.task)
	if err != nil {
		return err
	}
	if name != "" {
		task, err := findTask(site, name)
		if err != nil {
			return err
		}
		narrowed := *site
		narrowed.Tasks = withSubtasks(site, task)
		narrowed.BootReport = nil // of no task
		site = &narrowed
	}
	if o.json {
		enc := json.NewEncoder(a.stdout)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(site)
	}
	return printPlan(a.stdout, site)
}

// withSubtasks returns a task and those that its steps run, in declaration order.
func withSubtasks(site *plan.Site, t *plan.Task) []*plan.Task {
	wanted := map[*plan.Task]bool{}
	var mark func(*plan.Task)
	mark = func(t *plan.Task) {
		if wanted[t] {
			return
		}
		wanted[t] = true
		if t.Routine != nil {
			for _, s := range slices.Concat(t.Routine.Steps, t.Routine.Uses) {
				if s.Task != nil {
					mark(s.Task)
				}
			}
		}
	}
	mark(t)
	return slices.DeleteFunc(slices.Clone(site.Tasks), func(t *plan.Task) bool { return !wanted[t] })
}
