package main

import (
	"bufio"
	"context"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/pflag"

	"palhm/runtime/plan"
	"palhm/runtime/words"
)

// siteHelp lists the tasks of a site, or describes one of them, with their options.
func (a *app) siteHelp(ctx context.Context, args []string) error {
	site, name, err := a.loadFor(ctx, args, "")
	if err != nil {
		return err
	}
	tasks := site.Tasks
	if name != "" {
		task, err := findTask(site, name)
		if err != nil {
			return err
		}
		tasks = []*plan.Task{task}
	}
	b := bufio.NewWriter(a.stdout)
	fmt.Fprintf(b, "%s", words.Visible(site.File))
	if doc := firstLine(site.Doc); doc != "" {
		fmt.Fprintf(b, ": %s", doc)
	}
	fmt.Fprint(b, "\n\ntasks:\n")
	if len(tasks) == 0 {
		fmt.Fprint(b, "  none\n")
	}
	for _, t := range tasks {
		writeTaskHelp(b, t)
	}
	return b.Flush()
}

// writeTaskHelp writes a line on a task, and one on each of its options.
func writeTaskHelp(b *bufio.Writer, t *plan.Task) {
	about := firstLine(t.Doc)
	if about == "" {
		about = "a routine"
		if t.Backup != nil {
			about = "a backup"
		}
	}
	fmt.Fprintf(b, "  %s: %s\n", t.Name, about)
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	fs.SortFlags = false
	addTaskFlags(fs, t, nil)
	w := tabwriter.NewWriter(b, 0, 8, 2, ' ', 0)
	visitOptions(fs, func(option, usage string) { fmt.Fprintf(w, "  %s\t%s\n", option, usage) })
	w.Flush() //nolint:errcheck // b keeps the error
}

// isSiteTopic tells a site from a standard module, whose label has a slash too.
func isSiteTopic(arg string) bool {
	return !strings.HasPrefix(arg, "@") && looksLikeSite(arg)
}

func defaultText(v any) string {
	if s, ok := v.(string); ok {
		return strconv.Quote(s)
	}
	return fmt.Sprint(v)
}
