package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) modCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "mod",
		Aliases: []string{"mods"},
		Short:   "show the modules of a site",
		Args:    atMost(1),
		RunE: func(c *cobra.Command, args []string) error {
			if c.CalledAs() == "mods" {
				return a.modList(c.Context(), args)
			}
			if len(args) == 0 {
				return usagef("mod needs a command of its own; try \"palhm mod list\"")
			}
			return usagef("unknown command \"mod %s\"%s; see \"palhm help mod\"", args[0], didYouMean(args[0], commandNames(c)))
		},
	}
	list := &cobra.Command{
		Use:   "list [SITE]",
		Short: "list the files that a site is made of",
		Long: `Lists the files that take part in SITE, the site first: the SHA-256 of each and the
label under which it is loaded. "palhm mods" is the same.`,
		Args: atMost(1),
		RunE: func(c *cobra.Command, args []string) error { return a.modList(c.Context(), args) },
	}
	c.AddCommand(list)
	return c
}

func (a *app) modList(ctx context.Context, args []string) error {
	file, err := a.siteArg(args)
	if err != nil {
		return err
	}
	site, err := a.load(ctx, file)
	if err != nil {
		return err
	}
	for _, m := range site.Modules {
		if _, err := fmt.Fprintf(a.stdout, "%s  %s\n", m.SHA256, m.Label); err != nil {
			return err
		}
	}
	return nil
}
