package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// command builds the tree of commands.
func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "palhm",
		Short: "maintain and back up a running host",
		Long: `palhm maintains and backs up hosts while they run. A site file says what to do;
its tasks are dumps and archives that are made in parallel, stored whole or not at
all, and rotated, or steps that are run one after the other.`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Args:              cobra.ArbitraryArgs,
		PersistentPreRunE: func(*cobra.Command, []string) error { return a.setUp() },
		RunE:              a.noCommand,
	}
	root.Flags().Bool("version", false, "print the version")
	a.addGlobalFlags(root.PersistentFlags())
	forms := cobra.FixedCompletions([]string{logText, logJSON, logJournald}, cobra.ShellCompDirectiveNoFileComp)
	if err := root.RegisterFlagCompletionFunc("log-format", forms); err != nil {
		panic(err) // there is no such option
	}
	root.AddCommand(a.runCommand(), a.checkCommand(), a.planCommand(), a.rotateCommand(), a.bootReportCommand(),
		a.iamPolicyCommand(), a.testCommand(), a.configCommand(), a.modCommand(), a.completionCommand(), a.manCommand(), a.versionCommand())
	help := a.helpCommand(root)
	root.SetHelpCommand(help)
	root.AddCommand(help)
	root.SetOut(a.stdout)
	root.SetErr(a.screen)
	root.SetHelpFunc(func(c *cobra.Command, _ []string) { writeHelp(a.stdout, c) })
	root.SetFlagErrorFunc(flagError)
	return root
}

func (a *app) addGlobalFlags(fs *pflag.FlagSet) {
	f := &a.flags
	fs.SortFlags = false
	fs.StringVarP(&f.site, "file", "f", "", "the `SITE` to use (default: $PALHM_SITE, else /etc/palhm/site.star)")
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "print errors only, and nothing at all when all is well")
	fs.CountVarP(&f.verbose, "verbose", "v", "print more; may be repeated")
	fs.VarP(&workers{f}, "jobs", "j", "make `N` objects at a time; 0 = as many as CPUs, negative = no limit")
	fs.StringVar(&f.logFormat, "log-format", "", "`FORM` of the logs: text, json or journald (default: by what stderr is)")
	fs.BoolVar(&f.noProgress, "no-progress", false, "show no progress on a terminal")
}

// noCommand is what "palhm" does without a command that it knows.
func (a *app) noCommand(root *cobra.Command, args []string) error {
	if v, _ := root.Flags().GetBool("version"); v {
		return a.printVersion()
	}
	if len(args) == 0 {
		return usagef("no command is given; try \"palhm run\", or see \"palhm help\"")
	}
	return usagef("unknown command %q%s; see \"palhm help\"", args[0], didYouMean(args[0], commandNames(root)))
}

func commandNames(root *cobra.Command) []string {
	var names []string
	for _, c := range root.Commands() {
		if !c.Hidden {
			names = append(append(names, c.Name()), c.Aliases...)
		}
	}
	return names
}

// flagError makes one clear line of an option that cannot be followed.
func flagError(c *cobra.Command, err error) error {
	var bad *pflag.InvalidValueError
	if errors.As(err, &bad) {
		return usagef("got --%s %q, %v; see \"%s\"", bad.GetFlag().Name, bad.GetValue(), bad.Unwrap(), helpOn(c))
	}
	var without *pflag.ValueRequiredError
	if errors.As(err, &without) {
		name, _ := pflag.UnquoteUsage(without.GetFlag())
		return usagef("--%s needs a value: %s; see \"%s\"", without.GetFlag().Name, name, helpOn(c))
	}
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return usagef("%v; see \"%s\"", err, helpOn(c))
	}
	name := "--" + unknown.GetSpecifiedName()
	if unknown.GetSpecifiedShortnames() != "" {
		name = "-" + unknown.GetSpecifiedName()
	}
	var known []string
	c.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, "--"+f.Name) })
	hint := ""
	if strings.HasPrefix(name, "--") {
		hint = didYouMean(name, known)
	}
	return usagef("unknown option %s%s%s; see \"%s\"", name, hint, ownOptions(c, hint != ""), helpOn(c))
}

// helpOn is the command that explains c.
func helpOn(c *cobra.Command) string {
	_, name, _ := strings.Cut(c.CommandPath(), " ")
	return strings.TrimSpace("palhm help " + name)
}

// atMost refuses further arguments.
func atMost(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) > n {
			return usagef("too many arguments, from %q on; usage: %s", args[n], usageLine(c))
		}
		for _, arg := range args {
			if arg == "" {
				return usagef("an argument is empty; usage: %s", usageLine(c))
			}
		}
		return nil
	}
}

func usageLine(c *cobra.Command) string {
	if c.HasParent() {
		return c.Parent().CommandPath() + " " + c.Use
	}
	return c.Use
}
