package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"palhm/backends"
)

// crashSite makes a copy of several objects, some at the same time, and rotates.
const crashSite = `
first = group("first", objects = [
    object("dir/seq-%d" % i, exec("seq", str(20000 * (i + 1))) | exec("cat"))
    for i in range(3)
])
second = group("second", depends = [first], objects = [
    object("big", exec("head", "-c", "3000000", "/dev/zero")),
    object("small", exec("echo", "small")),
    object("empty", exec("true")),
])
backup("backup", localfs("root", nb_copy_limit = 3), groups = [second])
`

const crashLimit = 3

// Killed at any moment, palhm leaves every committed copy whole and in place, shows
// nothing partial, and the next run leaves nothing behind.
func TestSIGKILL(t *testing.T) {
	trials := 30
	if s := os.Getenv("PALHM_TEST_KILLS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		trials = n
	}
	c := newCrash(t)
	c.complete() // the first run warms up
	c.nextSecond()
	begin := time.Now()
	c.complete()
	usual := time.Since(begin)
	survived := 0
	for i := range trials {
		before := c.copies()
		c.nextSecond()
		cmd := c.command()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(rand.N(usual + usual/4))
		cmd.Process.Kill()
		if err := cmd.Wait(); err == nil {
			survived++
		}
		c.check(before, c.copies())
		if t.Failed() {
			t.Fatalf("after kill %d of %d", i+1, trials)
		}
		if i%5 == 4 {
			c.nextSecond()
			c.complete()
			c.wantClean()
		}
	}
	t.Logf("%d kills over the %v that a run takes; %d runs had ended", trials, usual, survived)
	if survived == trials {
		t.Error("no kill came before the end of its run")
	}
}

type crash struct {
	*testing.T
	dir, root, palhm string
}

func newCrash(t *testing.T) *crash {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	c := &crash{T: t, dir: dir, root: filepath.Join(dir, "root"), palhm: filepath.Join(dir, "palhm")}
	// The test binary is palhm when it is called so.
	if err := os.Symlink(self, c.palhm); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "site.star"), []byte(crashSite), 0o644); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *crash) command() *exec.Cmd {
	cmd := exec.Command(c.palhm, "run", "-q", "./site.star", "backup")
	cmd.Dir = c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// complete runs palhm to its end.
func (c *crash) complete() {
	c.Helper()
	if out, err := c.command().CombinedOutput(); err != nil || len(out) > 0 {
		c.Fatalf("a run that nobody disturbs: %v\n%s", err, out)
	}
}

// nextSecond waits until a run can begin at once: copies are named by the second.
func (c *crash) nextSecond() {
	now := time.Now()
	time.Sleep(now.Truncate(time.Second).Add(time.Second).Sub(now))
}

// copies returns the names in the root that any program would take for copies.
func (c *crash) copies() []string {
	c.Helper()
	entries, err := os.ReadDir(c.root)
	if err != nil {
		c.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".palhm") {
			continue
		}
		if _, _, err := backends.ParsePrefix(e.Name()); err != nil {
			c.Errorf("%s is in the root", e.Name())
		}
		names = append(names, e.Name())
	}
	return names
}

// check reports a copy that is not whole, and one that is missing though the limit
// did not ask for it.
func (c *crash) check(before, after []string) {
	c.Helper()
	for _, name := range after {
		sums := exec.Command("sha256sum", "-c", "--quiet", "--strict", backends.SumsPath)
		sums.Dir = filepath.Join(c.root, name)
		if out, err := sums.CombinedOutput(); err != nil {
			c.Errorf("copy %s is damaged: %v\n%s", name, err, out)
		}
		data, err := os.ReadFile(filepath.Join(c.root, name, backends.SumsPath))
		if want := 7; err != nil || strings.Count(string(data), "\n") != want {
			c.Errorf("copy %s: %v, %d sums, want %d", name, err, strings.Count(string(data), "\n"), want)
		}
	}
	all := slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(before), after...))))
	for _, name := range all[max(0, len(all)-crashLimit):] {
		if !slices.Contains(after, name) {
			c.Errorf("copy %s is missing; before %v, after %v", name, before, after)
		}
	}
}

// wantClean reports what a run that came to its end has left behind.
func (c *crash) wantClean() {
	c.Helper()
	if names := c.copies(); len(names) != crashLimit {
		c.Errorf("%d copies after a run, want %d: %v", len(names), crashLimit, names)
	}
	err := filepath.WalkDir(filepath.Join(c.root, ".palhm"), func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if rel, _ := filepath.Rel(c.root, path); strings.Count(rel, "/") > 1 {
			return fmt.Errorf("%s is left behind", rel)
		}
		return nil
	})
	if err != nil {
		c.Error(err)
	}
}
