package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"palhm/backends"
	"palhm/runtime/plan"
)

// crashSite makes a copy of several objects, some at the same time, and rotates. The
// many directories make commit and rotation last.
const crashSite = `
first = group("first", objects = [
    object("dir/seq-%d" % i, exec("seq", str(20000 * (i + 1))) | exec("cat"))
    for i in range(3)
])
second = group("second", depends = [first], objects = [
    object("big", exec("head", "-c", "3000000", "/dev/zero")),
    object("small", exec("echo", "small")),
    object("a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z/empty", exec("true"), min_size = 0),
])
backup("backup", localfs("root", nb_copy_limit = 3), groups = [second])
`

const (
	crashLimit   = 3
	crashObjects = 6
	crashRoots   = 4 // each takes one copy a second
)

// Killed at any moment, palhm leaves every committed copy whole and in place, shows
// nothing partial, and the next run leaves nothing behind.
func TestSIGKILL(t *testing.T) {
	trials := 60
	if s := os.Getenv("PALHM_TEST_KILLS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		trials = n
	}
	var mu sync.Mutex
	hits := map[string]int{}
	t.Run("roots", func(t *testing.T) {
		for i := range crashRoots {
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				mine := newCrash(t).kills(trials / crashRoots)
				mu.Lock()
				defer mu.Unlock()
				for moment, n := range mine {
					hits[moment] += n
				}
			})
		}
	})
	t.Logf("%d kills: %v", trials, hits)
	if trials < 40 {
		return // too few to say anything
	}
	for _, moment := range []string{"objects", "commit", "rotation"} {
		if hits[moment] == 0 {
			t.Errorf("no kill came during %s: %v", moment, hits)
		}
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

// aims are the events in the root after which a kill comes, in turn. Where a run
// spends its time is not where it is in danger.
var aims = []struct {
	event string // a pattern in the root; "" = the start of the process
	share int    // of a usual run, the longest time from the event to the kill, in percent
}{
	{"", 120},
	{".palhm/staging/*/.palhm", 10}, // commit has begun
	{".palhm/trash/*", 10},          // so has rotation
}

// kills returns how many kills came at which moment of a run.
func (c *crash) kills(trials int) map[string]int {
	usual := c.fill()
	longest := make([]time.Duration, len(aims))
	for i, aim := range aims {
		longest[i] = usual * time.Duration(aim.share) / 100
	}
	hits := map[string]int{}
	for i := range trials {
		before := c.copies()
		c.awaitName()
		aim := i % len(aims)
		c.kill(aims[aim].event, rand.N(longest[aim]))
		after := c.copies()
		moment := c.moment(before, after)
		hits[moment]++
		if moment == "after rotation" {
			// It came too late. Other work may have made the usual run a slow one.
			longest[aim] = max(longest[aim]*2/3, 100*time.Microsecond)
		}
		c.check(before, after)
		if i%5 == 4 || i == trials-1 {
			c.awaitName()
			c.complete()
			c.wantClean()
		}
		if c.Failed() {
			c.Fatalf("after kill %d of %d", i+1, trials)
		}
	}
	return hits
}

// fill makes as many copies as are kept, and returns how long a run takes that
// rotates.
func (c *crash) fill() (usual time.Duration) {
	for range crashLimit + 1 {
		c.awaitName()
		begin := time.Now()
		c.complete()
		usual = time.Since(begin)
	}
	return usual
}

// kill starts a run and kills it some time after an event, or lets it end.
func (c *crash) kill(event string, after time.Duration) {
	c.Helper()
	cmd := c.command()
	if err := cmd.Start(); err != nil {
		c.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); cmd.Wait() }() //nolint:errcheck // it is killed
	for event != "" {
		if found, _ := filepath.Glob(filepath.Join(c.root, event)); len(found) > 0 {
			break
		}
		select {
		case <-ended:
			return
		case <-time.After(50 * time.Microsecond):
		}
	}
	select {
	case <-ended:
	case <-time.After(after):
		cmd.Process.Kill()
		<-ended
	}
}

// moment says where in a run the kill came, from what it has left.
func (c *crash) moment(before, after []string) string {
	left := func(pattern string) bool {
		found, _ := filepath.Glob(filepath.Join(c.root, pattern))
		return len(found) > 0
	}
	made := len(after) > 0 && !slices.Contains(before, after[len(after)-1])
	switch {
	case left(".palhm/trash/*"), made && len(after) > crashLimit:
		return "rotation"
	case left(".palhm/staging/*/.palhm"):
		return "commit"
	case made:
		return "after rotation"
	case left(".palhm/staging/[0-9]*"):
		return "objects"
	case left(".palhm/staging/.palhm.rehearsal-*"), left(".palhm.rehearsal-*"):
		return "rehearsal"
	}
	return "before begin"
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

// awaitName waits until a run can begin at once: copies are named by the second.
func (c *crash) awaitName() {
	c.Helper()
	now := time.Now()
	if slices.Contains(c.copies(), backends.FormatPrefix(now, plan.PrefixISO)) {
		time.Sleep(now.Truncate(time.Second).Add(time.Second).Sub(now))
	}
}

// copies returns the names in the root that any program would take for copies.
func (c *crash) copies() []string {
	c.Helper()
	entries, err := os.ReadDir(c.root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
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
		if want := crashObjects + 1; err != nil || strings.Count(string(data), "\n") != want {
			c.Errorf("copy %s: %v, %d sums, want %d", name, err, strings.Count(string(data), "\n"), want)
		}
	}
	names := map[string]bool{}
	for _, name := range slices.Concat(before, after) {
		names[name] = true
	}
	all := slices.Sorted(maps.Keys(names))
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
