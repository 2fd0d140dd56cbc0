package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"palhm/runtime/plan"
	"palhm/runtime/words"
)

func (a *app) configCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "config [SITE]",
		Short: "show what a site is made of",
		Long: `Shows where the site is, its settings, its tasks, the modules that it loads, what
it read from this host while it was loaded, and the names of the secrets that its
tasks will read.`,
		Args: atMost(1),
		RunE: func(c *cobra.Command, args []string) error { return a.config(c.Context(), args) },
	}
}

func (a *app) config(ctx context.Context, args []string) error {
	file, err := a.siteArg(args)
	if err != nil {
		return err
	}
	site, err := a.load(ctx, file)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(a.stdout)
	printConfig(w, site)
	return w.Flush()
}

func printConfig(w io.Writer, site *plan.Site) {
	fmt.Fprintf(w, "site     %s\n", site.File)
	if doc := firstLine(site.Doc); doc != "" {
		fmt.Fprintf(w, "         %s\n", doc)
	}
	fmt.Fprintf(w, "digest   sha256:%s\n", site.Digest)
	fmt.Fprintf(w, "host     %s\n", words.Visible(hostName(site)))
	fmt.Fprintf(w, "settings nb_workers = %d, vl = %d\n", site.Settings.Workers, site.Settings.Verbosity)
	section(w, "tasks", site.Tasks, taskLine)
	section(w, "messages", messages(site), messageText)
	section(w, "modules", site.Modules, func(m plan.Module) string { return m.Label })
	section(w, "read from this host", site.Inputs, func(i plan.Input) string { return i.Kind + " " + words.Visible(i.Name) })
	section(w, "secrets", secretUses(site), func(s string) string { return s })
}

func section[T any](w io.Writer, title string, items []T, text func(T) string) {
	if len(items) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", title)
	for _, it := range items {
		fmt.Fprintf(w, "  %s\n", text(it))
	}
}

func taskLine(t *plan.Task) string {
	what := "routine, " + words.Plural(stepCount(t), "step", "steps")
	if t.Backup != nil {
		what = "backup, " + words.Plural(t.Backup.Objects(), "object", "objects")
		for _, b := range t.Backup.Backends {
			what += " to " + strings.TrimSpace(b.Kind+" "+words.Visible(b.Root()))
		}
	}
	line := fmt.Sprintf("%s: %s (%s)", t.Name, what, t.Pos)
	if doc := firstLine(t.Doc); doc != "" {
		line += "\n    " + doc
	}
	return line
}

func stepCount(t *plan.Task) int {
	if t.Routine == nil {
		return 0
	}
	return len(t.Routine.Steps)
}

// secretUses lists the secrets that the tasks read, each once.
func secretUses(site *plan.Site) []string {
	var list []string
	for _, t := range site.Tasks {
		for _, x := range execs(t) {
			uses, secrets := secretsOf(x)
			for i, s := range secrets {
				list = append(list, fmt.Sprintf("%s, as %s of %s", s, uses[i], words.Visible(x.Argv[0])))
			}
		}
	}
	for _, m := range messages(site) {
		if m.mua.SMTP != nil && m.mua.SMTP.Password != nil {
			list = append(list, fmt.Sprintf("%s, as the password of %s", m.mua.SMTP.Password, muaText(m.mua)))
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func firstLine(doc string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(doc), "\n")
	return words.Visible(line)
}
