package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"palhm/runtime/plan"
)

func (a *app) completionCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "completion SHELL",
		Short: "print a completion script for bash, zsh or fish",
		Example: `palhm completion bash > /etc/bash_completion.d/palhm
palhm completion zsh > /usr/local/share/zsh/site-functions/_palhm
palhm completion fish > ~/.config/fish/completions/palhm.fish`,
		Args:      atMost(1),
		ValidArgs: []string{"bash", "zsh", "fish"},
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		root := c.Root()
		switch strings.Join(args, "") {
		case "bash":
			return root.GenBashCompletionV2(a.stdout, true)
		case "zsh":
			return root.GenZshCompletion(a.stdout)
		case "fish":
			return root.GenFishCompletion(a.stdout, true)
		case "":
			return usagef("name a shell: bash, zsh or fish")
		}
		return usagef("got shell %q, want bash, zsh or fish", args[0])
	}
	return c
}

// offerTasks completes the arguments [SITE] [TASK] of a command and its option -t with
// the tasks that it can take.
func (a *app) offerTasks(c *cobra.Command, wanted func(*plan.Task) bool) {
	c.ValidArgsFunction = func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		return a.completeTask(c.Context(), args, wanted)
	}
	err := c.RegisterFlagCompletionFunc("task", func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		offers, _ := a.completeTask(c.Context(), args, wanted)
		return offers, cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(err) // the command has no such option
	}
}

// completeTask offers the tasks of the site, besides files.
func (a *app) completeTask(ctx context.Context, args []string, wanted func(*plan.Task) bool) ([]string, cobra.ShellCompDirective) {
	file, task, err := a.siteAndTask(args, "")
	if err != nil || task != "" {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	site, err := a.load(ctx, file)
	if err != nil {
		return nil, cobra.ShellCompDirectiveDefault
	}
	var offers []string
	for _, t := range site.Tasks {
		if wanted(t) {
			offers = append(offers, cobra.CompletionWithDesc(t.Name, firstLine(t.Doc)))
		}
	}
	return offers, cobra.ShellCompDirectiveDefault
}
