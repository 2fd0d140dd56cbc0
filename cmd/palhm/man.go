package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// manCommand is for packagers, and hidden.
func (a *app) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "write the manual pages into a directory",
		Hidden: true,
		Args:   atMost(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("name the directory to write the manual pages to; usage: %s", usageLine(c))
			}
			return writeManPages(c.Root(), args[0])
		},
	}
}

// writeManPages writes a page for palhm and one for each command.
func writeManPages(root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the directory for the manual pages: %w", err)
	}
	pages := append([]*cobra.Command{root}, visibleCommands(root)...)
	for _, c := range pages {
		for _, sub := range append([]*cobra.Command{c}, visibleCommands(c)...) {
			if sub != c && c == root {
				continue // it has a page of its own
			}
			file := filepath.Join(dir, manName(sub)+".8")
			if err := os.WriteFile(file, manPage(sub), 0o644); err != nil {
				return fmt.Errorf("write a manual page: %w", err)
			}
		}
	}
	return nil
}

func manName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// manPage writes the help on a command in the man(7) macros.
func manPage(c *cobra.Command) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, ".TH %s 8 \"\" \"palhm %s\"\n", strings.ToUpper(manName(c)), roff(version()))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(manName(c)), roff(c.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roff(usageOf(c)))
	if c.Long != "" {
		fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n", strings.ReplaceAll(roff(c.Long), "\n\n", "\n.PP\n"))
	}
	if subs := visibleCommands(c); len(subs) > 0 {
		b.WriteString(".SH COMMANDS\n")
		for _, s := range subs {
			fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(s.Use), roff(s.Short))
		}
	}
	b.WriteString(".SH OPTIONS\n")
	option := func(option, usage string) {
		fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(strings.TrimSpace(option)), roff(usage))
	}
	visitOptions(c.LocalNonPersistentFlags(), option)
	visitOptions(c.Root().PersistentFlags(), option)
	if c.Example != "" {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roff(c.Example))
	}
	if !c.HasParent() {
		fmt.Fprintf(&b, ".SH EXIT STATUS\n.nf\n%s.fi\n", roff(exitHelp))
	}
	return b.Bytes()
}

// roff protects what the formatter would take for its own: backslashes, hyphens
// that are meant as such, and a control character at the beginning of a line.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}
