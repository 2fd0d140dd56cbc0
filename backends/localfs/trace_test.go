package localfs_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// trace is the system calls of a process, in the order in which they ended.
type trace struct {
	testing.TB
	calls []string
}

// strace runs the child "trace" on root, and skips the test where it cannot.
func strace(t testing.TB, root string) trace {
	t.Helper()
	program, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("needs strace")
	}
	log := filepath.Join(t.TempDir(), "trace")
	cmd := childCommand(t, "trace", root)
	cmd.Args = append([]string{program, "-f", "-y", "-qq", "-s0", "-o", log,
		"-e", "trace=openat,fsync,renameat2,write,unlinkat", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = program
	if out, err := cmd.CombinedOutput(); err != nil {
		if bytes.Contains(out, []byte("ptrace")) {
			t.Skipf("needs strace that may trace: %s", out)
		}
		t.Fatalf("%v\n%s", err, out)
	}
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	return trace{t, joinCalls(strings.Split(string(data), "\n"))}
}

// joinCalls puts the two halves of a call together that another thread's call has
// come between: "12 fsync(3 <unfinished ...>" and "12 <... fsync resumed>) = 0".
func joinCalls(lines []string) (calls []string) {
	begun := map[string]string{}
	for _, line := range lines {
		pid, call, _ := strings.Cut(line, " ")
		if half, ok := strings.CutSuffix(call, " <unfinished ...>"); ok {
			begun[pid] = half
			continue
		}
		if _, half, ok := strings.Cut(call, " resumed>"); ok {
			call = begun[pid] + half
		}
		calls = append(calls, call)
	}
	return calls
}

// first and last find a call among those from a place on.
func (t trace) first(from int, pattern string) int {
	t.Helper()
	i := slices.IndexFunc(t.calls[from:], regexp.MustCompile(pattern).MatchString)
	if i < 0 {
		t.Fatalf("no call %s in\n%s", pattern, strings.Join(t.calls[from:], "\n"))
	}
	return from + i
}

func (t trace) last(pattern string) int {
	t.Helper()
	i := t.first(0, pattern)
	for found := regexp.MustCompile(pattern); ; {
		next := slices.IndexFunc(t.calls[i+1:], found.MatchString)
		if next < 0 {
			return i
		}
		i += 1 + next
	}
}

// synced checks that a path is fsynced after one call and before another.
func (t trace) synced(path string, after, before int) {
	t.Helper()
	fsync := regexp.MustCompile(`fsync\(\d+<` + regexp.QuoteMeta(path) + `>\s*\) += 0`)
	if after >= before || !slices.ContainsFunc(t.calls[after:before], fsync.MatchString) {
		t.Errorf("no fsync of %s between\n%s\nand\n%s", path, t.calls[after], t.calls[before])
	}
}

// TestOrderOfSystemCalls: every object is fsynced before the manifest is made,
// every directory before the copy is renamed into the root, and the root after it.
// A copy that goes is renamed, and the root fsynced, before anything in it is
// removed.
func TestOrderOfSystemCalls(t *testing.T) {
	root := t.TempDir()
	calls := strace(t, root)
	staging, trash := filepath.Join(root, ".palhm/staging"), filepath.Join(root, ".palhm/trash")
	staged := filepath.Join(staging, copy1)
	made := func(path string) int { // or the last that was made below it
		t.Helper()
		return calls.last(`O_CREAT.* = \d+<` + regexp.QuoteMeta(path))
	}
	written := func(path string) int { t.Helper(); return calls.last(`write\(\d+<` + regexp.QuoteMeta(path) + `>`) }
	renamed := func(from, to string) int {
		t.Helper()
		return calls.last(`renameat2\(\d+<` + regexp.QuoteMeta(from) + `>, .*<` + regexp.QuoteMeta(to) + `>, .*RENAME_NOREPLACE\) += 0`)
	}

	manifest := made(staged + "/.palhm/manifest.json")
	for _, object := range []string{"/one", "/d/two", "/d/four"} {
		calls.synced(staged+object, written(staged+object), manifest)
	}
	calls.synced(staged+"/d/e/three", made(staged+"/d/e/three"), manifest) // empty: nothing is written

	published := renamed(staging, root)
	for _, file := range []string{"/.palhm/manifest.json", "/.palhm/SHA256SUMS"} {
		calls.synced(staged+file, written(staged+file), published)
	}
	for _, dir := range []string{"", "/d", "/d/e", "/.palhm"} {
		calls.synced(staged+dir, made(staged), published)
	}

	trashed := renamed(root, trash)
	calls.synced(root, published, trashed)
	calls.synced(staging, published, trashed)

	emptied := calls.first(trashed, `unlinkat\(\d+<`+regexp.QuoteMeta(trash))
	calls.synced(root, trashed, emptied)
	calls.synced(trash, trashed, emptied)
}
