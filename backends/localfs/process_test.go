package localfs_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"palhm/backends"
)

// startLock starts a process that holds the lock of root, and waits until it has it.
func startLock(t testing.TB, root string) (cmd *exec.Cmd, stdin io.Closer) {
	t.Helper()
	cmd = childCommand(t, "lock", root)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "locked\n" {
		t.Fatalf("the other process: got %q, %v", line, err)
	}
	return cmd, in
}

// TestTwoProcesses: the second one says who holds the lock, or waits; a killed
// holder holds nothing.
func TestTwoProcesses(t *testing.T) {
	root := t.TempDir()
	s := newStore(t, root)
	me := backends.Owner{PID: os.Getpid(), Host: "host", Task: "mine"}
	cmd, stdin := startLock(t, root)
	_, err := s.Lock(t.Context(), me, 0)
	locked, ok := errors.AsType[*backends.LockedError](err)
	if !ok || locked.Owner.PID != cmd.Process.Pid || locked.Owner.Task != "child" || locked.Root != root {
		t.Fatalf("got %v, want a LockedError that names process %d", err, cmd.Process.Pid)
	}
	start := time.Now()
	if _, err = s.Lock(t.Context(), me, 100*time.Millisecond); time.Since(start) < 100*time.Millisecond || err == nil {
		t.Errorf("waited %v, want at least 100 ms; got %v", time.Since(start), err)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("stop"))
	defer cancel()
	if _, err = s.Lock(ctx, me, time.Hour); err == nil || !strings.Contains(err.Error(), "stop") {
		t.Errorf("got %v, want the context's cause", err)
	}

	time.AfterFunc(50*time.Millisecond, func() { stdin.Close() })
	release, err := s.Lock(t.Context(), me, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	release()

	cmd, _ = startLock(t, root)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	release, err = s.Lock(t.Context(), me, 0)
	if err != nil {
		t.Fatalf("after the holder was killed: %v", err)
	}
	defer release()
	if entries, _ := os.ReadDir(root); len(entries) != 1 || entries[0].Name() != ".palhm.lock" {
		t.Errorf("got %v, want the lock file only", entries)
	}
}

// TestLockIsNotInherited: a service that a run has started holds no lock.
func TestLockIsNotInherited(t *testing.T) {
	root := t.TempDir()
	s := newStore(t, root)
	release, err := s.Lock(t.Context(), backends.Owner{PID: os.Getpid(), Host: "host"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	out, err := exec.CommandContext(t.Context(), "ls", "-l", "/proc/self/fd").Output()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(out, []byte(".palhm")) {
		t.Errorf("a child has the lock open:\n%s", out)
	}
}

// TestOneNumberInTwoContainers: a holder of the same host name and process number
// is another process when it says so, and not waited for.
func TestOneNumberInTwoContainers(t *testing.T) {
	root := t.TempDir()
	holder := backends.Owner{PID: os.Getpid(), Host: "host", Process: "a"}
	release, err := newStore(t, root).Lock(t.Context(), holder, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	me := holder
	me.Process = "b"
	_, err = newStore(t, root).Lock(ctx, me, 0)
	if locked, ok := errors.AsType[*backends.LockedError](err); !ok || locked.Owner != holder {
		t.Errorf("got %v, want a LockedError that names the holder", err)
	}
}

// TestLockFile: what is no plain file is refused; a stale or garbled one is no
// obstacle.
func TestLockFile(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "precious")
	plant(t, outside, "x")
	me := backends.Owner{PID: os.Getpid(), Host: "host"}

	for want, put := range map[string]func(path string) error{
		"symbolic link":              func(path string) error { return os.Symlink(outside, path) },
		"hard link, one of 2 names":  func(path string) error { return os.Link(outside, path) },
		"no plain file: remove it":   func(path string) error { return unix.Mkfifo(path, 0o600) },
		"it is no plain file":        func(path string) error { return os.Mkdir(path, 0o700) },
		"is no plain file: remove":   func(path string) error { return bindSocket(t, path) },
		"it belongs to the user 123": func(path string) error { return plantForeign(t, path) },
	} {
		root := t.TempDir()
		if err := put(root + "/.palhm.lock"); err != nil {
			t.Fatal(err)
		}
		_, err := newStore(t, root).Lock(t.Context(), me, 0)
		if os.Geteuid() == 0 || !strings.Contains(want, "123") {
			wantError(t, err, want)
		}
	}
	if data, _ := os.ReadFile(outside); string(data) != "x" {
		t.Errorf("a link was followed: got %q", data)
	}

	for _, content := range []string{"", "garbage", `{"pid":999999999,"host":"host"}` + strings.Repeat(" ", 1000)} {
		root := t.TempDir()
		plant(t, root+"/.palhm.lock", content)
		s := newStore(t, root)
		release, err := s.Lock(t.Context(), me, 0)
		if err != nil {
			t.Fatalf("lock file with %q: %v", content, err)
		}
		if _, err := newStore(t, root).Lock(t.Context(), backends.Owner{PID: 1, Host: "host"}, 0); !strings.Contains(err.Error(), strconv.Itoa(me.PID)) {
			t.Errorf("got %v, want the holder named", err)
		}
		release()
	}
}

func bindSocket(t *testing.T, path string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	t.Cleanup(func() { unix.Close(fd) })
	t.Chdir(filepath.Dir(path)) // the address has room for 108 bytes
	return unix.Bind(fd, &unix.SockaddrUnix{Name: filepath.Base(path)})
}

// plantForeign makes a file of another user in a sticky directory, as far as it may.
func plantForeign(t *testing.T, path string) error {
	plant(t, path, "")
	err := os.Chown(path, 123, 123)
	if os.Geteuid() != 0 {
		return nil
	}
	return errors.Join(err, os.Chmod(filepath.Dir(path), os.ModeSticky|0o777))
}

// TestKill kills a process that makes and removes copies, at random moments. Every
// copy that is listed is whole, every copy that was said to be committed is there,
// and the next run leaves nothing behind. PALHM_TEST_KILLS says how often.
func TestKill(t *testing.T) {
	kills := 30
	if n, err := strconv.Atoi(os.Getenv("PALHM_TEST_KILLS")); err == nil {
		kills = n
	}
	root := t.TempDir()
	have := map[string]bool{} // what was committed and not removed since
	for trial := range kills {
		said := killed(t, root, time.Duration(rand.Int64N(int64(60*time.Millisecond))))
		for _, line := range said {
			verb, prefix, _ := strings.Cut(line, " ")
			switch verb {
			case "committed":
				have[prefix] = true
			case "removing":
				delete(have, prefix)
			}
		}
		s := newStore(t, root)
		checkAfterKill(t, s, have)
		if err := s.Recover(t.Context()); err != nil {
			t.Errorf("recover: %v", err)
		}
		wantClean(t, root)
		have = checkAfterKill(t, s, have)
		if trial%10 == 0 {
			for prefix := range have {
				wantSums(t, root, prefix)
			}
		}
		if t.Failed() {
			t.Fatalf("in trial %d, which had said %q", trial, said)
		}
	}
}

// killed runs the loop for a while after it is ready, and returns what it said.
func killed(t testing.TB, root string, after time.Duration) []string {
	t.Helper()
	cmd := childCommand(t, "loop", root)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if lines.Text() == "ready" {
			time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		}
		said = append(said, lines.Text())
	}
	_ = cmd.Wait()
	if stderr.Len() > 0 {
		t.Fatalf("the process that was to be killed failed by itself: %s", &stderr)
	}
	return said
}

// checkAfterKill returns the copies that are listed.
func checkAfterKill(t testing.TB, s backends.Store, want map[string]bool) map[string]bool {
	t.Helper()
	infos, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, i := range infos {
		listed[i.Prefix] = true
		if i.Damage != nil || i.Foreign || i.Objects != 6 {
			t.Errorf("listed: %+v", i)
		}
		wantWhole(t, s, i.Prefix)
	}
	for prefix := range want {
		if !listed[prefix] {
			t.Errorf("%s was committed and is missing", prefix)
		}
	}
	return listed
}
