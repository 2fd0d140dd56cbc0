package proc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"palhm/runtime/proc"
)

// soon is what "at once" may take on a machine that has other things to do; what a
// test would have to wait for otherwise takes a minute.
const soon = 10 * time.Second

// TestMain makes the test binary its own child where no ordinary tool does.
func TestMain(m *testing.M) {
	switch os.Getenv("PROC_TEST_CHILD") {
	case "":
		os.Exit(m.Run())
	case "ignore":
		signal.Ignore(syscall.SIGPIPE)
		fallthrough
	case "inherit":
		showIgnored()
	case "headless":
		endFirstThread()
	}
}

// showIgnored runs a stage that shows which signals it ignores.
func showIgnored() {
	p, err := proc.Start(context.Background(), commands([]string{"grep", "SigIgn", "/proc/self/status"}), proc.Options{})
	if err != nil {
		panic(err)
	}
	io.Copy(os.Stdout, p)
	p.Close()
}

// endFirstThread makes a process that looks like a zombie and is none: on SIGTERM it
// leaves a file after a while.
func endFirstThread() {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	go func() {
		<-term
		time.Sleep(100 * time.Millisecond)
		os.WriteFile("cleaned", nil, 0o600)
		os.Exit(0)
	}()
	syscall.RawSyscall(syscall.SYS_EXIT, 0, 0, 0)
}

// init keeps main on the first thread, for endFirstThread.
func init() {
	if os.Getenv("PROC_TEST_CHILD") == "headless" {
		runtime.LockOSThread()
	}
}

func commands(argvs ...[]string) []proc.Command {
	cmds := make([]proc.Command, len(argvs))
	for i, argv := range argvs {
		cmds[i] = proc.Command{Argv: argv, Env: os.Environ()}
	}
	return cmds
}

// sh makes stages of shell scripts.
func sh(scripts ...string) []proc.Command {
	argvs := make([][]string, len(scripts))
	for i, script := range scripts {
		argvs[i] = []string{"sh", "-c", script}
	}
	return commands(argvs...)
}

// mark gives every stage a variable by which its descendants can be found, and
// kills those that a failing test leaves behind.
func mark(t *testing.T, cmds []proc.Command) string {
	t.Helper()
	m := fmt.Sprintf("PROC_TEST_MARK=%s-%d-%d", t.Name(), os.Getpid(), time.Now().UnixNano())
	for i := range cmds {
		cmds[i].Env = append(cmds[i].Env, m)
	}
	t.Cleanup(func() {
		for _, pid := range marked(m) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	return m
}

// marked lists the living processes with a mark.
func marked(mark string) (pids []int) {
	threads, _ := filepath.Glob("/proc/[0-9]*/task/[0-9]*")
	for _, dir := range threads {
		env, err := os.ReadFile(dir + "/environ")
		if err == nil && bytes.Contains(env, []byte(mark)) {
			pid, _ := strconv.Atoi(strings.Split(dir, "/")[2])
			pids = append(pids, pid)
		}
	}
	return pids
}

func mustBeGone(t *testing.T, mark string) {
	t.Helper()
	if pids := marked(mark); len(pids) > 0 {
		t.Errorf("processes %v are left", pids)
	}
}

func mustEndSoon(t *testing.T, start time.Time) {
	t.Helper()
	if d := time.Since(start); d > soon {
		t.Errorf("it took %s, want less than %s", d, soon)
	}
}

func start(t *testing.T, cmds []proc.Command, opt proc.Options) *proc.Pipeline {
	t.Helper()
	p, err := proc.Start(t.Context(), cmds, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// run runs a pipeline to its end.
func run(t *testing.T, cmds []proc.Command, opt proc.Options) (string, []proc.Result, error) {
	t.Helper()
	p := start(t, cmds, opt)
	out, err := io.ReadAll(p)
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	return string(out), p.Results(), err
}

// mustFail runs a pipeline that leaves nothing behind and returns its failure.
func mustFail(t *testing.T, cmds []proc.Command, opt proc.Options) (*proc.Error, []proc.Result) {
	t.Helper()
	m := mark(t, cmds)
	begin := time.Now()
	_, results, err := run(t, cmds, opt)
	mustEndSoon(t, begin)
	mustBeGone(t, m)
	var failure *proc.Error
	if !errors.As(err, &failure) {
		t.Fatalf("got %v, want an *Error", err)
	}
	return failure, results
}

// eventually waits for what happens in another process.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(soon); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

// census is what must not grow.
type census struct{ goroutines, files, children int }

func takeCensus() census {
	files, _ := os.ReadDir("/proc/self/fd")
	c := census{goroutines: runtime.NumGoroutine(), files: len(files)}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		stat, _ := os.ReadFile(path)
		if f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])); len(f) > 1 && f[1] == strconv.Itoa(os.Getpid()) {
			c.children++ // zombies too
		}
	}
	return c
}

func (c census) mustReturn(t *testing.T) {
	t.Helper()
	eventually(t, fmt.Sprintf("back to %+v", c), func() bool {
		now := takeCensus()
		return now.goroutines <= c.goroutines && now.files <= c.files && now.children <= c.children
	})
}

// buffer is a writer for stderr that can be looked at.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *buffer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (w *buffer) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}
