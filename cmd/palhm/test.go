package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"palhm/runtime/player"
	"palhm/runtime/words"
	"palhm/starlib"
)

// testSuffix ends the name of each file with tests.
const testSuffix = "_test.star"

func (a *app) testCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "test [FILE...]",
		Short: "run the tests of a site",
		Long: `Runs the tests in FILE, whose name ends in _test.star: its functions test_NAME(t), one
after the other. FILE may be a directory, for all such files in it and not below it.
Without FILE it is the directory of the site.

A test plays tasks of a site: its functions run, and their commands get the replies that
the test has for them. Nothing is started and no file is written. "palhm help t" says
what a test can use.

The site is the one that the test names, else -f SITE, else NAME.star beside
NAME_test.star, else site.star beside it (without FILE, the site of this host).

Failures are printed with their place to standard error, and a line for each file to
standard output. With -v each test and what it would have run is shown. The exit code is
0 when all tests have passed, 1 when one has not, 2 when there is no test, and 3 when a
FILE cannot be loaded.`,
		Example: `palhm test
palhm test -v ./web1_test.star
palhm test -f ./web1.star tests/`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error { return a.test(c.Context(), args) },
	}
}

func (a *app) test(ctx context.Context, args []string) error {
	files, site, err := a.testFiles(args)
	if err != nil {
		return err
	}
	cfg, err := a.starlibConfig(append([]string{site}, files...)...)
	if err != nil {
		return &siteError{err}
	}
	signals := watchSignals(ctx, func() {})
	defer signals.stop()
	ctx = signals.ctx
	var broken, failed, total int
	for _, file := range files {
		result, err := starlib.Test(ctx, cfg, player.Player{}, file, a.siteOf(file, site))
		var mistakes starlib.Errors
		switch {
		case errors.As(err, &mistakes):
			broken++
			a.mistakes(mistakes)
			continue
		case err != nil:
			_, printErr := a.tests(result)
			return errors.Join(err, printErr)
		}
		bad, err := a.tested(result)
		if err != nil {
			return err
		}
		failed += bad
		total += len(result.Tests)
	}
	switch {
	case broken > 0:
		return &siteError{fmt.Errorf("%s cannot be loaded", words.Plural(broken, "test file", "test files"))}
	case failed > 0:
		return &testError{failed, total}
	}
	return nil
}

// testError says that tests have failed. Why was printed already.
type testError struct{ failed, total int }

func (e *testError) Error() string {
	return fmt.Sprintf("%d of %s failed", e.failed, words.Plural(e.total, "test", "tests"))
}

// testFiles says which files are meant, and which site when neither they nor their
// names say so.
func (a *app) testFiles(args []string) (files []string, site string, err error) {
	if len(args) == 0 {
		file, err := a.findSite(a.flags.site)
		if err != nil {
			return nil, "", &siteError{err}
		}
		files, err = testsIn(filepath.Dir(file))
		return files, file, err
	}
	seen := map[string]bool{}
	for _, arg := range args {
		found, err := testsOf(arg)
		if err != nil {
			return nil, "", err
		}
		for _, file := range found {
			if !seen[filepath.Clean(file)] {
				seen[filepath.Clean(file)] = true
				files = append(files, file)
			}
		}
	}
	return files, "", nil
}

// testsOf gives the test files that an argument means.
func testsOf(arg string) ([]string, error) {
	info, err := os.Stat(arg)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, usagef("there is no test file %s", arg)
	case err == nil && info.IsDir():
		return testsIn(arg)
	case strings.HasSuffix(arg, testSuffix):
		return []string{arg}, nil
	}
	hint := ""
	if beside := strings.TrimSuffix(arg, ".star") + testSuffix; beside != arg+testSuffix && exists(beside) {
		hint = "; its tests are in " + beside
	}
	return nil, usagef("%s is no test file, whose name ends in %s%s", arg, testSuffix, hint)
}

// testsIn gives the test files of a directory, sorted.
func testsIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, usagef("look for test files: %v", err)
	}
	var files []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), testSuffix) && !e.IsDir() {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	if len(files) == 0 {
		return nil, usagef("there is no test file in %s: their names end in %s", dir, testSuffix)
	}
	return files, nil
}

// siteOf is the site that a test file is about when it names none; "" = none is known.
func (a *app) siteOf(file, host string) string {
	beside := strings.TrimSuffix(file, testSuffix) + ".star"
	own := filepath.Join(filepath.Dir(file), "site.star")
	switch {
	case a.flags.site != "":
		return a.flags.site
	case exists(beside):
		return beside
	case host != "":
		return host
	case exists(own):
		return own
	}
	return ""
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// tests tells of tests, and counts those that failed.
func (a *app) tests(f *starlib.TestFile) (failed int, err error) {
	for _, t := range f.Tests {
		if len(t.Failures) > 0 {
			failed++
			a.failures(t)
		}
		if a.flags.verbose > 0 {
			err = errors.Join(err, a.testLines(t))
		}
	}
	return failed, err
}

// tested tells of the tests of a file, with a verdict.
func (a *app) tested(f *starlib.TestFile) (failed int, err error) {
	failed, err = a.tests(f)
	if a.flags.quiet {
		return failed, err
	}
	verdict := words.Plural(len(f.Tests), "test", "tests") + " passed"
	if failed > 0 {
		verdict = (&testError{failed, len(f.Tests)}).Error()
	}
	_, printErr := fmt.Fprintf(a.stdout, "%s: %s\n", words.Visible(f.File), verdict)
	return failed, errors.Join(err, printErr)
}

// mistakes prints errors as those of a site: as they are, or as log records.
func (a *app) mistakes(list starlib.Errors) {
	if a.flags.logFormat == logText {
		a.print(list.Error())
		return
	}
	for _, e := range list {
		a.log.Error(e.Error())
	}
}

// failures tells why a test has failed.
func (a *app) failures(t starlib.TestResult) {
	if a.flags.logFormat == logText {
		a.print(fmt.Sprintf("%s: %s failed:\n\n%s\n", t.Pos, t.Name, t.Failures.Error()))
		a.screen.Write([]byte("\n")) //nolint:errcheck // there is nobody left to tell
		return
	}
	for _, e := range t.Failures {
		a.log.Error(e.Error(), "test", t.Name)
	}
}

// testLines shows what a test has played.
func (a *app) testLines(t starlib.TestResult) error {
	verdict := "passed"
	if len(t.Failures) > 0 {
		verdict = "failed"
	}
	lines := []string{fmt.Sprintf("%s: %s %s", t.Pos, t.Name, verdict)}
	for _, s := range t.Played {
		lines = append(lines, fmt.Sprintf("  %s: %s ends with exit code %d", s.Pos, s.Outcome.Task, s.Outcome.Exit))
		for _, e := range s.Outcome.Events {
			lines = append(lines, "    "+starlib.EventText(e))
		}
	}
	for i, l := range lines {
		lines[i] = words.Visible(l)
	}
	_, err := fmt.Fprintln(a.stdout, strings.Join(lines, "\n"))
	return err
}
