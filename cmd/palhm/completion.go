package main

import (
	"strings"

	"github.com/spf13/cobra"
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

// completeTasks offers the tasks of the site, besides files.
func (a *app) completeTasks(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	file, task, err := a.siteAndTask(args, "")
	if err != nil || task != "" {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	site, err := a.load(c.Context(), file)
	if err != nil {
		return nil, cobra.ShellCompDirectiveDefault
	}
	var offers []string
	for _, t := range site.Tasks {
		offers = append(offers, cobra.CompletionWithDesc(t.Name, firstLine(t.Doc)))
	}
	return offers, cobra.ShellCompDirectiveDefault
}
