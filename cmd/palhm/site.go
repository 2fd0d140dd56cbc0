package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"palhm/runtime/host"
	"palhm/runtime/plan"
	"palhm/runtime/shell"
	"palhm/starlib"
)

// defaultTask is what "palhm run" runs when no task is named.
const defaultTask = "default"

// looksLikeSite tells a site from a task: task names have no slash and none of
// these endings.
func looksLikeSite(arg string) bool {
	if strings.Contains(arg, "/") {
		return true
	}
	switch filepath.Ext(arg) {
	case ".star", ".json", ".jsonc":
		return true
	}
	return false
}

// siteAndTask sorts the arguments [SITE] [TASK]. Either may be "".
func (a *app) siteAndTask(args []string, taskFlag string) (site, task string, err error) {
	switch {
	case len(args) == 2 && !looksLikeSite(args[0]) && looksLikeSite(args[1]):
		return "", "", usagef("the site comes before the task: %s", shell.Quote([]string{args[1], args[0]}))
	case len(args) == 2 && !looksLikeSite(args[0]):
		return "", "", usagef("got %q, want a site: a path with a / in it, or a name that ends in .star", args[0])
	case len(args) == 2 && looksLikeSite(args[1]):
		return "", "", usagef("got %q, want a task", args[1])
	case len(args) == 2:
		site, task = args[0], args[1]
	case len(args) == 1 && looksLikeSite(args[0]):
		site = args[0]
	case len(args) == 1:
		task = args[0]
	}
	if site != "" && a.flags.site != "" {
		return "", "", usagef("the site is given twice: -f %s and %s", a.flags.site, site)
	}
	if task != "" && taskFlag != "" {
		return "", "", usagef("the task is given twice: -t %s and %s", taskFlag, task)
	}
	if site == "" {
		site = a.flags.site
	}
	if task == "" {
		task = taskFlag
	}
	return site, task, nil
}

// loadFor loads the site that the arguments [SITE] [TASK] name, and returns the name
// of the task, which may be "".
func (a *app) loadFor(ctx context.Context, args []string, taskFlag string) (*plan.Site, string, error) {
	file, name, err := a.siteAndTask(args, taskFlag)
	if err != nil {
		return nil, "", err
	}
	site, err := a.load(ctx, file)
	return site, name, err
}

// siteArg is siteAndTask for the commands that take no task.
func (a *app) siteArg(args []string) (string, error) {
	if len(args) == 1 && a.flags.site != "" {
		return "", usagef("the site is given twice: -f %s and %s", a.flags.site, args[0])
	}
	if len(args) == 1 {
		return args[0], nil
	}
	return a.flags.site, nil
}

// load loads a site, "" being the one of this host, and puts its verbosity into
// force.
func (a *app) load(ctx context.Context, file string) (*plan.Site, error) {
	return a.loadWith(file, func(cfg starlib.Config, file string) (*plan.Site, error) {
		return starlib.Load(ctx, cfg, file)
	})
}

// loadAndCheck also returns what a look at the text shows.
func (a *app) loadAndCheck(ctx context.Context, file string) (site *plan.Site, found *starlib.Findings, err error) {
	site, err = a.loadWith(file, func(cfg starlib.Config, file string) (*plan.Site, error) {
		site, findings, err := starlib.Check(ctx, cfg, file)
		found = findings
		return site, err
	})
	return site, found, err
}

func (a *app) loadWith(file string, load func(starlib.Config, string) (*plan.Site, error)) (*plan.Site, error) {
	file, err := a.findSite(file)
	if err != nil {
		return nil, &siteError{err}
	}
	cfg, err := a.starlibConfig(file)
	if err != nil {
		return nil, &siteError{err}
	}
	site, err := load(cfg, file)
	if err != nil {
		return nil, &siteError{err}
	}
	a.level.Set(slogLevel(a.verbosity(site.Settings.Verbosity)))
	if tz := unknownZone(); tz != "" {
		a.log.Warn(fmt.Sprintf("got TZ=%q, want the name of a time zone, such as Europe/Berlin: palhm takes its times to be UTC, the processes that it starts may not", tz))
	}
	return site, nil
}

// zeroZone are time zones as tzset(3) describes them that are UTC all the same.
var zeroZone = regexp.MustCompile(`^(UTC|GMT)[+-]?0*$`)

// unknownZone returns the value of $TZ when Go takes it for UTC because it does not know
// it, and "" otherwise. Go knows names and files, and no rules such as "CET-1CEST".
func unknownZone() string {
	tz := os.Getenv("TZ")
	name := strings.TrimPrefix(tz, ":")
	if name == "" || zeroZone.MatchString(name) || time.Local.String() != "UTC" {
		return ""
	}
	return tz
}

// starlibConfig is what the sites in files may know of this host; "" is none. Without a
// current directory, as when it was removed, absolute ones work.
func (a *app) starlibConfig(files ...string) (starlib.Config, error) {
	dir, err := os.Getwd()
	if err != nil {
		for _, file := range files {
			if file != "" && !filepath.IsAbs(file) {
				return starlib.Config{}, fmt.Errorf("find the current directory, which %s is relative to: %w", file, err)
			}
		}
	}
	host, err := starlib.HostFacts(os.LookupEnv)
	return starlib.Config{
		Dir:       dir,
		LookupEnv: os.LookupEnv,
		Host:      host,
		Print:     func(pos plan.Pos, msg string) { a.log.Info(pos.String() + ": " + msg) },
	}, err
}

// hostName is the name of this host in copies, locks and mails. Whether it is one that a
// copy can keep is for the engine to say.
func hostName(site *plan.Site) string {
	if site.Settings.Host != "" {
		return site.Settings.Host
	}
	name, _ := host.Name(os.LookupEnv) // loading a site has already asked for it
	return name
}

// findSite says which file is the site.
func (a *app) findSite(file string) (string, error) {
	if file == "" {
		file = os.Getenv("PALHM_SITE")
	}
	if file == "" {
		return a.hostSite()
	}
	switch filepath.Ext(file) {
	case ".json", ".jsonc", ".conf":
		return "", foreignSite(file)
	}
	return file, nil
}

// hostSite is the site of this host, where PALHM looks for its own.
func (a *app) hostSite() (string, error) {
	own := filepath.Join(a.etc, "site.star")
	if _, err := os.Stat(own); !errors.Is(err, fs.ErrNotExist) {
		return own, nil
	}
	for _, name := range []string{"palhm.jsonc", "palhm.conf"} {
		file := filepath.Join(a.etc, name)
		if _, err := os.Stat(file); err == nil {
			return "", foreignSite(file)
		}
	}
	return "", fmt.Errorf("no site: name one, set $PALHM_SITE, or write %s", own)
}

func foreignSite(file string) error {
	return fmt.Errorf("%s: it is written for the Python program PALHM, and this version cannot convert it; write a .star site", file)
}

// task finds a task of a site by name.
func findTask(site *plan.Site, name string) (*plan.Task, error) {
	if t := site.Task(name); t != nil {
		return t, nil
	}
	names := taskNames(site, isTask)
	if len(names) == 0 {
		return nil, usagef("no task %q: %s has no task at all", name, site.File)
	}
	return nil, usagef("no task %q in %s%s; its tasks are: %s", name, site.File, didYouMean(name, names), strings.Join(names, ", "))
}

func taskNames(site *plan.Site, wanted func(*plan.Task) bool) []string {
	var names []string
	for _, t := range site.Tasks {
		if wanted(t) {
			names = append(names, t.Name)
		}
	}
	return names
}

func isTask(*plan.Task) bool     { return true }
func isBackup(t *plan.Task) bool { return t.Backup != nil }
