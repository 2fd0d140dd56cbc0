package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func (a *app) helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [TOPIC]",
		Short: "explain a command, the exit codes, a name of the language, or a site",
		Long: `Explains TOPIC: a command ("run", "mod list"), "exit" (the exit codes), "language"
(all that a site can use), or a name of the language ("exec", "mysqldump",
"@palhm//core.star"). A TOPIC with a / or at whose end stands .star is a site: its
tasks are listed with their options.`,
		Args: atMost(2),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return helpTopics(root), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error { return a.help(c.Context(), root, args) },
	}
}

func (a *app) help(ctx context.Context, root *cobra.Command, args []string) error {
	name := strings.Join(args, " ")
	if name == "" || name == "palhm" {
		return writeHelp(a.stdout, root)
	}
	if c := findCommand(root, args); c != nil {
		return writeHelp(a.stdout, c)
	}
	if isSiteTopic(args[0]) {
		return a.siteHelp(ctx, args)
	}
	text := exitHelp
	if name != "exit" {
		var ok bool
		if text, ok = languageHelp(name); !ok {
			return usagef("no help on %q%s; see \"palhm help\"", name, didYouMean(name, helpTopics(root)))
		}
	}
	_, err := io.WriteString(a.stdout, text)
	return err
}

// findCommand finds a command by its whole path, or returns nil.
func findCommand(root *cobra.Command, path []string) *cobra.Command {
	c := root
	for _, name := range path {
		var next *cobra.Command
		for _, sub := range c.Commands() {
			if sub.Name() == name || sub.HasAlias(name) {
				next = sub
			}
		}
		if next == nil {
			return nil
		}
		c = next
	}
	return c
}

func helpTopics(root *cobra.Command) []string {
	return append(append(commandNames(root), "exit", "language"), languageNames()...)
}

// writeHelp writes the help on a command: what it is for, how it is called, its
// commands and options.
func writeHelp(w io.Writer, c *cobra.Command) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "%s: %s\n\nusage: %s\n", c.CommandPath(), c.Short, usageOf(c))
	if c.Long != "" {
		fmt.Fprintf(b, "\n%s\n", c.Long)
	}
	if c.Example != "" {
		fmt.Fprintf(b, "\nexamples:\n%s\n", indent(c.Example, "  "))
	}
	if subs := visibleCommands(c); len(subs) > 0 {
		fmt.Fprint(b, "\ncommands:\n")
		t := tabwriter.NewWriter(b, 0, 8, 2, ' ', 0)
		for _, s := range subs {
			fmt.Fprintf(t, "  %s\t%s\n", s.Use, s.Short)
		}
		t.Flush() //nolint:errcheck // b keeps the error
	}
	writeOptions(b, "options", c.LocalNonPersistentFlags())
	writeOptions(b, "global options, before or after the command", c.Root().PersistentFlags())
	if !c.HasParent() {
		fmt.Fprint(b, "\n\"palhm help TOPIC\" says more on a command, on the exit codes (\"exit\"), on what a site\ncan use (\"language\"), and on each name of that (\"exec\").\n")
	}
	return b.Flush()
}

func usageOf(c *cobra.Command) string {
	switch {
	case !c.HasParent():
		return "palhm [global options] COMMAND"
	case c.HasAvailableSubCommands():
		return c.CommandPath() + " COMMAND"
	}
	return usageLine(c)
}

func visibleCommands(c *cobra.Command) []*cobra.Command {
	var list []*cobra.Command
	for _, s := range c.Commands() {
		if !s.Hidden {
			list = append(list, s)
		}
	}
	return list
}

func writeOptions(w io.Writer, title string, fs *pflag.FlagSet) {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	n := 0
	visitOptions(fs, func(option, usage string) {
		if n++; n == 1 {
			fmt.Fprintf(w, "\n%s:\n", title)
		}
		fmt.Fprintf(t, "  %s\t%s\n", option, usage)
	})
	t.Flush() //nolint:errcheck // the caller's writer keeps the error
}

// visitOptions calls f with each option as it is written, and with what it does.
func visitOptions(fs *pflag.FlagSet, f func(option, usage string)) {
	fs.VisitAll(func(fl *pflag.Flag) {
		if fl.Hidden || fl.Name == "help" {
			return
		}
		value, usage := pflag.UnquoteUsage(fl)
		option := "    --" + fl.Name
		if fl.Shorthand != "" {
			option = "-" + fl.Shorthand + ", --" + fl.Name
		}
		if value != "" && fl.NoOptDefVal == "" {
			option += " " + value
		}
		f(option, usage)
	})
}

func indent(text, by string) string {
	return by + strings.ReplaceAll(text, "\n", "\n"+by)
}
