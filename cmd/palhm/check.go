package main

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"palhm/runtime/plan"
)

func (a *app) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check [SITE]",
		Short: "load a site and say what is wrong with it",
		Long: `Loads SITE, and says everything that is wrong with it, or nothing. Nothing is run
and nothing is changed.

Functions that a task calls are read, as far as their text shows what they do. What
only looks like a mistake is a warning. So is what this host lacks, because it
may be there when the task runs: programs that are not in PATH, users, files and
secrets.`,
		Args: atMost(1),
		RunE: func(c *cobra.Command, args []string) error { return a.check(c.Context(), args) },
	}
}

func (a *app) check(ctx context.Context, args []string) error {
	file, err := a.siteArg(args)
	if err != nil {
		return err
	}
	site, found, err := a.loadAndCheck(ctx, file)
	if err != nil {
		return err
	}
	if err := unusable(site); err != nil {
		return err
	}
	for _, w := range found.Warnings {
		a.log.Warn(w.Error())
	}
	for _, w := range lacking(site, found.Execs) {
		a.log.Warn(w)
	}
	return nil
}

// lacking says what the execs and buckets of a site need and this host does not have.
// An exec that is used many times is looked at once. What functions run is in inside.
func lacking(site *plan.Site, inside []*plan.Exec) []string {
	seen := map[string]bool{}
	var found []string
	add := func(pos plan.Pos, problems []string) {
		for _, problem := range problems {
			if !seen[problem] {
				seen[problem] = true
				found = append(found, pos.String()+": "+problem)
			}
		}
	}
	for _, t := range site.Tasks {
		if t.Backup != nil {
			for _, b := range t.Backup.Backends {
				add(b.Pos, bucketDoubts(b))
			}
		}
		for pos, x := range execs(t) {
			add(pos, lacks(x))
		}
	}
	for _, m := range messages(site) {
		add(m.pos, lacksMUA(m.mua))
	}
	for _, x := range inside {
		add(x.Pos, lacks(x))
	}
	return found
}

// lacks says what one exec needs and this host does not have.
func lacks(x *plan.Exec) []string {
	var found []string
	if err := findProgram(x); err != nil {
		found = append(found, err.Error())
	}
	if x.User != "" && !userExists(x.User) {
		found = append(found, fmt.Sprintf("there is no user %q", x.User))
	}
	if x.Dir != "" {
		if st, err := os.Stat(x.Dir); err != nil || !st.IsDir() {
			found = append(found, fmt.Sprintf("there is no directory %s", x.Dir))
		}
	}
	for _, v := range x.Env {
		found = append(found, lacksSecret(v.Value.Secret)...)
	}
	if in := x.Stdin; in != nil && in.Content != nil {
		found = append(found, lacksSecret(in.Content.Secret)...)
	} else if in != nil && unix.Access(in.File, unix.R_OK) != nil {
		found = append(found, fmt.Sprintf("the file for stdin, %s, cannot be read", in.File))
	}
	return found
}

// findProgram looks for the program of an exec as it will be looked for.
func findProgram(x *plan.Exec) error {
	name := x.Argv[0]
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) && x.Dir != "" {
			name = filepath.Join(x.Dir, name)
		}
		if !executable(name) {
			return fmt.Errorf("%s is no program that can be run", name)
		}
		return nil
	}
	path := pathOf(x)
	found := slices.ContainsFunc(filepath.SplitList(path), func(dir string) bool { return executable(filepath.Join(dir, name)) })
	if !found {
		return fmt.Errorf("there is no program %q in PATH (%s)", name, path)
	}
	return nil
}

// pathOf is the PATH of the environment that an exec will have.
func pathOf(x *plan.Exec) string {
	for _, v := range x.Env {
		if v.Name == "PATH" {
			return v.Value.Text
		}
	}
	if path, ok := os.LookupEnv("PATH"); ok && !x.CleanEnv {
		return path
	}
	return "/bin:/usr/bin" // what is searched without a PATH, see execvp(3)
}

func executable(file string) bool {
	st, err := os.Stat(file)
	return err == nil && st.Mode().IsRegular() && unix.Access(file, unix.X_OK) == nil
}

// userExists takes a name or a number, and any number will do.
func userExists(name string) bool {
	if _, err := strconv.ParseUint(name, 10, 32); err == nil {
		return true
	}
	_, err := user.Lookup(name)
	return err == nil
}

func lacksSecret(s *plan.Secret) []string {
	switch {
	case s == nil:
		return nil
	case s.Env != "":
		if _, ok := os.LookupEnv(s.Env); !ok {
			return []string{fmt.Sprintf("%s: the variable is not set", s)}
		}
		return nil
	}
	file := s.File
	if !filepath.IsAbs(file) {
		dir := os.Getenv("CREDENTIALS_DIRECTORY")
		if !filepath.IsAbs(dir) {
			return []string{fmt.Sprintf("%s: CREDENTIALS_DIRECTORY is not set here, as LoadCredential= of a systemd unit sets it", s)}
		}
		file = filepath.Join(dir, file)
	}
	if unix.Access(file, unix.R_OK) == nil {
		return nil
	}
	return []string{fmt.Sprintf("%s: the file cannot be read", s)}
}
