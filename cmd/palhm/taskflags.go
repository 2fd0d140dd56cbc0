package main

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"palhm/runtime/plan"
	"palhm/runtime/words"
	"palhm/starlib"
)

// taskFlags are the options of the task that the command line names, and what was
// given for them.
type taskFlags struct {
	task  string
	given map[string]any
}

// of checks what was given for a task.
func (f taskFlags) of(t *plan.Task) (map[string]any, error) {
	if len(f.given) > 0 && f.task != t.Name {
		return nil, usagef("write the options of task %q behind its name", t.Name)
	}
	if t.Routine == nil {
		return nil, nil
	}
	if _, err := t.Routine.ArgValues(f.given); err != nil {
		return nil, usagef("task %q: %v; see \"palhm help SITE\"", t.Name, err)
	}
	return f.given, nil
}

// offerTaskFlags adds the arguments of a routine to the options of "palhm run", before
// the command line is read: only the site knows them. When the site or the task cannot
// be found, options that palhm does not know are passed over, so that "palhm run" gets
// to say why.
func (a *app) offerTaskFlags(ctx context.Context, root *cobra.Command, args []string) {
	completing := len(args) > 0 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd)
	if completing {
		args = args[1:max(1, len(args)-1)] // the last one is not finished
	}
	run, rest, err := root.Find(args)
	if err != nil || run.Name() != "run" || run.Parent() != root {
		return
	}
	unknown := unknownFlags(run, rest)
	if len(unknown) == 0 && !completing {
		return
	}
	task := a.taskWith(ctx, rest, unknown)
	if task == nil {
		run.FParseErrWhitelist.UnknownFlags = true
		return
	}
	a.own = taskFlags{task: task.Name, given: map[string]any{}}
	addTaskFlags(run.Flags(), task, a.own.given)
	for _, f := range taskArgs(task) {
		if f.Kind == plan.ArgChoice {
			offers := cobra.FixedCompletions(f.Choices, cobra.ShellCompDirectiveNoFileComp)
			run.RegisterFlagCompletionFunc(f.Flag(), offers) //nolint:errcheck // it has just been added
		}
	}
	run.Annotations = map[string]string{ownTask: task.Name, ownOptionNames: optionNames(task)}
}

// unknownFlags lists the names of long options that a command does not have.
func unknownFlags(c *cobra.Command, args []string) []string {
	var names []string
	for _, arg := range args {
		if arg == "--" {
			break
		}
		name, long := strings.CutPrefix(arg, "--")
		name, _, _ = strings.Cut(name, "=")
		if long && name != "help" && c.Flags().Lookup(name) == nil && c.Root().PersistentFlags().Lookup(name) == nil {
			names = append(names, name)
		}
	}
	return names
}

// taskWith finds the task that the arguments of "palhm run" name. Whether the word
// behind an unknown option is its value is not known before: first it is taken for
// one, and if that task has no such options, for the name of the task.
func (a *app) taskWith(ctx context.Context, args, unknown []string) *plan.Task {
	var first *plan.Task
	for _, bare := range []bool{false, true} {
		task := a.guessTask(ctx, args, unknown, bare)
		if task == nil {
			continue
		}
		if !slices.ContainsFunc(unknown, func(name string) bool { return !hasFlag(task, name) }) {
			return task
		}
		if first == nil {
			first = task
		}
	}
	return first
}

func hasFlag(t *plan.Task, name string) bool {
	return slices.ContainsFunc(taskArgs(t), func(a plan.Arg) bool { return a.Flag() == name })
}

func taskArgs(t *plan.Task) []plan.Arg {
	if t.Routine == nil {
		return nil
	}
	return t.Routine.Args
}

// guessTask reads the arguments with options of which nothing is known, and loads the
// site without a word.
func (a *app) guessTask(ctx context.Context, args, unknown []string, bare bool) *plan.Task {
	other := &app{stdout: a.stdout, screen: a.screen, etc: a.etc, level: new(slog.LevelVar), log: a.log}
	var task string
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	fs.ParseErrorsAllowlist.UnknownFlags = true
	fs.BoolP("help", "h", false, "")
	fs.StringVarP(&task, "task", "t", "", "")
	fs.Bool("null", false, "")
	fs.String("wait", "", "")
	other.addGlobalFlags(fs)
	if bare {
		for _, name := range unknown {
			if fs.Lookup(name) == nil {
				fs.String(name, "", "")
				fs.Lookup(name).NoOptDefVal = "true"
			}
		}
	}
	if fs.Parse(args) != nil {
		return nil
	}
	file, task, err := other.siteAndTask(fs.Args(), task)
	if err != nil {
		return nil
	}
	if task == "" {
		task = defaultTask
	}
	site, err := other.loadWith(file, func(cfg starlib.Config, file string) (*plan.Site, error) {
		cfg.Print = func(plan.Pos, string) {}
		return starlib.Load(ctx, cfg, file)
	})
	if err != nil {
		return nil
	}
	return site.Task(task)
}

// addTaskFlags adds the arguments of a task to options. What is given goes to given.
func addTaskFlags(fs *pflag.FlagSet, t *plan.Task, given map[string]any) {
	for _, arg := range taskArgs(t) {
		usage := firstLine(arg.Doc)
		if arg.Default == nil {
			usage = strings.TrimSpace(usage + " (required)")
		} else {
			usage = strings.TrimSpace(usage + " (default: " + words.Visible(defaultText(arg.Default)) + ")")
		}
		flag := fs.VarPF(&argValue{arg, given}, arg.Flag(), "", usage)
		if arg.Kind == plan.ArgBool {
			flag.NoOptDefVal = "true"
		}
	}
}

// Under these a command keeps the task that its options are of, and their names.
const (
	ownTask        = "palhm_task"
	ownOptionNames = "palhm_options"
)

// ownOptions says which options the task has. That it has none is worth saying only
// where there is no better hint.
func ownOptions(c *cobra.Command, hinted bool) string {
	task, names := c.Annotations[ownTask], c.Annotations[ownOptionNames]
	switch {
	case names != "":
		return "; task " + task + " has " + names
	case task != "" && !hinted:
		return "; task " + task + " has no options of its own"
	}
	return ""
}

func optionNames(t *plan.Task) string {
	var names []string
	for _, a := range taskArgs(t) {
		names = append(names, "--"+a.Flag())
	}
	return strings.Join(names, ", ")
}

// argValue is the pflag.Value of an argument.
type argValue struct {
	arg   plan.Arg
	given map[string]any
}

func (v *argValue) String() string { return "" }

func (v *argValue) Type() string {
	switch v.arg.Kind {
	case plan.ArgChoice:
		return words.Visible(strings.Join(v.arg.Choices, "|"))
	case plan.ArgBool:
		return ""
	}
	return strings.ToUpper(string(v.arg.Kind))
}

func (v *argValue) Set(text string) error {
	value, err := v.arg.Parse(text)
	if err == nil {
		v.given[v.arg.Name] = value
	}
	return err
}
