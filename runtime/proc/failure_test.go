package proc_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"palhm/runtime/proc"
)

func TestCause(t *testing.T) {
	const dies = "cat >/dev/null; sleep 0.7; exit 6" // well after the stage above it
	for _, c := range []struct {
		name    string
		scripts []string
		want    string
	}{
		{"one stage", []string{"exit 1"}, "sh -c 'exit 1': exit code 1, want 0"},
		{"upstream first", []string{"exit 4", "cat", dies}, "stage 1 of 3 (sh -c 'exit 4'): exit code 4, want 0"},
		{"middle at once, writer above blocked", []string{"exec cat /dev/zero", "exit 3", "cat"}, "stage 2 of 3 (sh -c 'exit 3'): exit code 3, want 0"},
		{"middle at once, sleeper above", []string{"sleep 60", "exit 3"}, "stage 2 of 2 (sh -c 'exit 3'): exit code 3, want 0"},
		{"first at once, sleeper below", []string{"exit 3", "sleep 60"}, "stage 1 of 2 (sh -c 'exit 3'): exit code 3, want 0"},
		{"last of three", []string{"sleep 60", "sleep 60", "exit 3"}, "stage 3 of 3 (sh -c 'exit 3'): exit code 3, want 0"},
		{"reader stops early, then says why", []string{"exec cat /dev/zero", "exec </dev/null; sleep 0.1; exit 9", "cat"}, "stage 2 of 3 (sh -c 'exec </dev/null; sleep 0.1; exit 9'): exit code 9, want 0"},
		{"reader stops early and stays", []string{"exec cat /dev/zero", "exec </dev/null; exec sleep 60"}, "stage 1 of 2 (sh -c 'exec cat /dev/zero'): killed by SIGPIPE: its reader stopped early"},
		{"most downstream SIGPIPE", []string{"exec yes", "exec cat", "exec head -n1"}, "stage 2 of 3 (sh -c 'exec cat'): killed by SIGPIPE: its reader stopped early"},
		{"signal", []string{"exec cat /dev/zero", "kill -SEGV $$", "cat"}, "stage 2 of 3 (sh -c 'kill -SEGV $$'): killed by SIGSEGV"},
		{"killed from outside", []string{"kill -KILL $$", "cat"}, "stage 1 of 2 (sh -c 'kill -KILL $$'): killed by SIGKILL"},
		{"terminated from outside", []string{"sleep 60", "kill -TERM $$"}, "stage 2 of 2 (sh -c 'kill -TERM $$'): killed by SIGTERM"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err, results := mustFail(t, sh(c.scripts...), proc.Options{})
			if err.Error() != c.want {
				t.Errorf("got  %q\nwant %q", err, c.want)
			}
			var stage *proc.StageError
			if !errors.As(err, &stage) || stage != err.Cause || err.Reason != nil {
				t.Errorf("got cause %v, reason %v", err.Cause, err.Reason)
			}
			for i, r := range results {
				if r.Err != nil != (r.Killed || r.Code != 0) && r.Code != 0 {
					t.Errorf("stage %d: got %+v", i+1, r)
				}
			}
		})
	}
}

func TestVictimsAreMarked(t *testing.T) {
	err, results := mustFail(t, sh("exec sleep 60", "exit 3", "exec cat"), proc.Options{})
	if r := results[0]; !r.Killed || r.Signal != syscall.SIGTERM || r.Code != -1 || r.Err == nil {
		t.Errorf("the first stage: got %+v, want it killed by palhm", r)
	}
	if r := results[1]; r.Killed || r.Code != 3 || r.Err == nil {
		t.Errorf("the cause: got %+v, want exit code 3", r)
	}
	if len(err.Others) == 0 || err.Others[0].Index != 0 {
		t.Fatalf("got others %v, want the first stage", err.Others)
	}
	if want := "stage 1 of 3 (sh -c 'exec sleep 60'): stopped by palhm (SIGTERM)"; err.Others[0].Error() != want {
		t.Errorf("got %q, want %q", err.Others[0], want)
	}
}

func TestGood(t *testing.T) {
	any := func(int) bool { return true }
	for _, c := range []struct {
		name, script string
		good         func(int) bool
		sigpipe, ok  bool
	}{
		{"0", "exit 0", nil, false, true},
		{"1", "exit 1", nil, false, false},
		{"1 wanted", "exit 1", func(c int) bool { return c == 1 }, false, true},
		{"0 not wanted", "exit 0", func(c int) bool { return c == 1 }, false, false},
		{"any code", "exit 255", any, false, true},
		{"no signal is a code", "kill -KILL $$", any, false, false},
		{"nor is SIGPIPE", "kill -PIPE $$", any, false, false},
		{"SIGPIPE allowed", "kill -PIPE $$", nil, true, true},
		{"141 is not SIGPIPE", "exit 141", nil, true, false},
		{"another signal is not SIGPIPE", "kill -TERM $$", nil, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmds := sh(c.script)
			cmds[0].Good, cmds[0].SIGPIPE = c.good, c.sigpipe
			_, results, err := run(t, cmds, proc.Options{})
			if (err == nil) != c.ok || (results[0].Err == nil) != c.ok {
				t.Errorf("got %v, %+v, want success %v", err, results[0], c.ok)
			}
		})
	}
}

func TestWantIsShown(t *testing.T) {
	cmds := sh("exit 9")
	cmds[0].Good, cmds[0].Want = func(c int) bool { return c < 2 }, "0-1"
	if err, _ := mustFail(t, cmds, proc.Options{}); err.Error() != "sh -c 'exit 9': exit code 9, want 0-1" {
		t.Errorf("got %q", err)
	}
}

func TestYesHead(t *testing.T) {
	cmds := commands([]string{"yes"}, []string{"head", "-n1"})
	cmds[0].SIGPIPE = true
	begin := time.Now()
	out, results, err := run(t, cmds, proc.Options{})
	mustEndSoon(t, begin)
	if out != "y\n" || err != nil || results[0].Signal != syscall.SIGPIPE {
		t.Errorf("got %q, %v, %+v", out, err, results[0])
	}
	err, _ = mustFail(t, commands([]string{"yes"}, []string{"head", "-n1"}), proc.Options{})
	if want := "stage 1 of 2 (yes): killed by SIGPIPE: its reader stopped early"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

func TestTimeout(t *testing.T) {
	cmds := sh("exec sleep 60", "exec cat", "exec cat")
	cmds[1].Timeout = 200 * time.Millisecond
	err, results := mustFail(t, cmds, proc.Options{})
	if want := "stage 2 of 3 (sh -c 'exec cat'): timed out after 200ms"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	if !results[1].Killed || results[1].Duration < 200*time.Millisecond {
		t.Errorf("got %+v", results[1])
	}
	cmds = sh("exit 0", "sleep 0.3; echo done")
	cmds[0].Timeout = 100 * time.Millisecond
	if out, _, err := run(t, cmds, proc.Options{}); out != "done\n" || err != nil {
		t.Errorf("the timeout of a stage that has ended: got %q, %v", out, err)
	}
}

// errAsked is the cause of the cancellations.
var errAsked = errors.New("SIGTERM received")

// TestCancel stops processes of every kind. Each script says "ready" when there is
// something to stop.
func TestCancel(t *testing.T) {
	bash, noBash := exec.LookPath("bash")
	for _, c := range []struct {
		name   string
		argv   []string
		signal syscall.Signal // that ends the stage
		code   int
	}{
		{"sleeper", []string{"sh", "-c", "echo ready; exec sleep 60"}, syscall.SIGTERM, -1},
		{"ignores TERM", []string{"sh", "-c", `trap "" TERM; echo ready; sleep 60; sleep 60`}, syscall.SIGKILL, -1},
		{"cleans up", []string{"sh", "-c", `trap "exit 7" TERM; echo ready; while :; do sleep 0.01; done`}, 0, 7},
		{"stopped", []string{"sh", "-c", `echo ready; kill -STOP $$; sleep 60`}, syscall.SIGTERM, -1},
		{"grandchildren", []string{"sh", "-c", `sleep 60 & (sleep 60; :) & echo ready; sleep 60; :`}, syscall.SIGTERM, -1},
		{"grandchild ignores TERM", []string{"sh", "-c", `(trap "" TERM; echo ready; sleep 60; :) & sleep 60`}, syscall.SIGTERM, -1},
		{"group of timeout(1)", []string{"sh", "-c", `timeout 60 sh -c "echo ready; sleep 60; :"; :`}, syscall.SIGTERM, -1},
		{"job control", []string{bash, "-mc", `sleep 60 & (trap "" TERM; echo ready; sleep 60; :) & wait`}, syscall.SIGTERM, -1},
		{"goes on forking", []string{bash, "-mc", `(trap "" TERM; echo ready; while :; do sleep 60 & sleep 0.001; done) & wait`}, syscall.SIGTERM, -1},
		{"full pipe", []string{"sh", "-c", `echo ready; exec cat /dev/zero`}, syscall.SIGTERM, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.argv[0] == "" {
				t.Skip("needs bash: ", noBash)
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			cmds := commands(c.argv)
			m := mark(t, cmds)
			p, err := proc.Start(ctx, cmds, proc.Options{Grace: 300 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			awaitReady(t, p)
			begin := time.Now()
			cancel(errAsked)
			if _, err = io.Copy(io.Discard, p); !errors.Is(err, errAsked) || !strings.HasPrefix(err.Error(), "stopped: SIGTERM received") {
				t.Errorf("got %v, want the cause of the context", err)
			}
			mustEndSoon(t, begin)
			mustBeGone(t, m)
			if r := p.Results()[0]; !r.Killed || r.Signal != c.signal || r.Code != c.code || r.Err == nil {
				t.Errorf("got %+v, want %v", r, c.signal)
			}
		})
	}
}

func awaitReady(t *testing.T, p *proc.Pipeline) {
	t.Helper()
	b := make([]byte, len("ready\n"))
	if _, err := io.ReadFull(p, b); err != nil || string(b) != "ready\n" {
		t.Fatalf("got %q, %v, want ready", b, err)
	}
}

func TestCancelledBeforeStart(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errAsked)
	if _, err := proc.Start(ctx, sh("sleep 60"), proc.Options{}); !errors.Is(err, errAsked) {
		t.Errorf("got %v, want the cause of the context", err)
	}
}

func TestHurry(t *testing.T) {
	hurry := make(chan struct{})
	p := start(t, sh(`trap "" TERM; echo ready; sleep 60; sleep 60`), proc.Options{Grace: time.Hour, Hurry: hurry})
	awaitReady(t, p)
	closed := make(chan struct{})
	go func() { p.Close(); close(closed) }()
	select {
	case <-closed:
		t.Fatal("closed although the stage ignores SIGTERM")
	case <-time.After(200 * time.Millisecond):
	}
	close(hurry)
	select {
	case <-closed:
	case <-time.After(soon):
		t.Fatal("hurry has no effect")
	}
	if r := p.Results()[0]; r.Signal != syscall.SIGKILL {
		t.Errorf("got %+v, want SIGKILL", r)
	}
}

func TestBackgroundOfAFailedStageIsStopped(t *testing.T) {
	err, _ := mustFail(t, sh("sleep 60 & exit 3", "cat"), proc.Options{})
	if err.Cause == nil || err.Cause.Code != 3 {
		t.Errorf("got %v", err)
	}
}

// A process whose first thread has ended looks like a zombie in /proc. It gets the
// time to clean up nevertheless.
func TestHeadlessBackgroundIsStopped(t *testing.T) {
	cmds := sh(`"$0" & until grep -q "State:.Z" /proc/$!/status; do sleep 0.02; done; exit 3`)
	cmds[0].Argv = append(cmds[0].Argv, os.Args[0])
	cmds[0].Env = append(cmds[0].Env, "PROC_TEST_CHILD=headless")
	cmds[0].Dir = t.TempDir()
	mustFail(t, cmds, proc.Options{})
	if _, err := os.Stat(cmds[0].Dir + "/cleaned"); err != nil {
		t.Error("it was killed before it could clean up")
	}
}

func TestCloseInTheMiddle(t *testing.T) {
	before := takeCensus()
	cmds := commands([]string{"yes"}, []string{"cat"})
	m := mark(t, cmds)
	p := start(t, cmds, proc.Options{})
	if _, err := io.ReadFull(p, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if r := p.Results(); r != nil {
		t.Errorf("results of a running pipeline: %+v", r)
	}
	begin := time.Now()
	for range 2 {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	mustEndSoon(t, begin)
	mustBeGone(t, m)
	_, err := p.Read(make([]byte, 1))
	var failure *proc.Error
	if !errors.Is(err, proc.ErrClosed) || !errors.As(err, &failure) || failure.Cause != nil {
		t.Errorf("Read after Close: got %v, want ErrClosed and no stage to blame", err)
	}
	for _, r := range p.Results() {
		if !r.Killed || r.Err == nil {
			t.Errorf("got %+v, want it killed by palhm", r)
		}
	}
	before.mustReturn(t)
}

func TestCloseWakesRead(t *testing.T) {
	p := start(t, sh("echo ready; exec sleep 60"), proc.Options{})
	awaitReady(t, p)
	read := make(chan error)
	go func() {
		_, err := p.Read(make([]byte, 1))
		read <- err
	}()
	time.Sleep(10 * time.Millisecond) // so that Read waits, most of the time
	p.Close()
	select {
	case err := <-read:
		if !errors.Is(err, proc.ErrClosed) {
			t.Errorf("got %v, want ErrClosed", err)
		}
	case <-time.After(soon):
		t.Fatal("Read still waits")
	}
}

// The reader is somewhere else when a stage fails, and most of the output is unread.
func TestReadAfterFailureDoesNotWait(t *testing.T) {
	cmds := sh("cat /dev/zero", "cat & sleep 0.1; exit 2")
	m := mark(t, cmds)
	p := start(t, cmds, proc.Options{})
	eventually(t, "the stages are stopped", func() bool { return len(marked(m)) == 0 })
	if _, err := io.Copy(io.Discard, p); err == nil {
		t.Error("the failure is not reported")
	}
}

func TestStderr(t *testing.T) {
	w := &buffer{}
	cmds := sh("echo one >&2; exit 1")
	cmds[0].Stderr = w
	err, results := mustFail(t, cmds, proc.Options{})
	if string(err.Cause.Stderr) != "one\n" || string(results[0].Stderr) != "one\n" || w.String() != "one\n" {
		t.Errorf("got %q, %q, copy %q", err.Cause.Stderr, results[0].Stderr, w)
	}
}

func TestMuchStderr(t *testing.T) {
	cmds := sh("head -c 50000000 /dev/zero >&2; echo >&2; echo the end >&2; echo out")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	out, results, err := run(t, cmds, proc.Options{})
	runtime.ReadMemStats(&after)
	if out != "out\n" || err != nil {
		t.Fatalf("got %q, %v", out, err)
	}
	if tail := results[0].Stderr; string(tail) != "the end\n" {
		t.Errorf("got a tail of %d bytes ending in %q", len(tail), tail[max(0, len(tail)-10):])
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 2<<20 {
		t.Errorf("allocated %d bytes", grown)
	}
}

// What is kept of a long stderr begins with a whole line: the rest of a line may be
// the rest of a password.
func TestLongStderrIsWholeLines(t *testing.T) {
	const lines = "i=0; while [ $i -lt 3000 ]; do echo \"$i: password=hunter2hunter2hunter2\"; i=$((i+1)); done; "
	const word = "head -c 70000 /dev/zero | tr '\\0' x; "
	for _, test := range []struct{ script, begins, ends string }{
		{word + "echo; echo the end", "the end\n", "the end\n"},
		{word + "printf '\\rthe end\\n'", "the end\n", "the end\n"},
		{word, "[a line of more than 64 KiB]\n", "[a line of more than 64 KiB]\n"},
		{word + "echo", "[a line of more than 64 KiB]\n", "[a line of more than 64 KiB]\n"},
		{"head -c 65536 /dev/zero", "\x00", "\x00"},
		{lines, "1", ": password=hunter2hunter2hunter2\n"},
	} {
		_, results, err := run(t, sh("{ "+test.script+"\n} >&2"), proc.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got := string(results[0].Stderr)
		first, _, _ := strings.Cut(got, "\n")
		if !strings.HasPrefix(got, test.begins) || !strings.HasSuffix(got, test.ends) || len(got) > 64<<10 {
			t.Errorf("%s: got %d bytes that begin with %q", test.script, len(got), first)
		}
		if test.script == lines && !strings.HasSuffix(first, ": password=hunter2hunter2hunter2") {
			t.Errorf("the first line is %q, want a whole one", first)
		}
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

func TestBadStderrWriters(t *testing.T) {
	calls := 0
	failing := writer(func([]byte) (int, error) { calls++; return 0, errors.New("disk full") })
	cmds := sh("for i in 1 2 3 4 5; do echo $i >&2; sleep 0.02; done; head -c 300000 /dev/zero >&2; echo out")
	cmds[0].Stderr = failing
	if out, _, err := run(t, cmds, proc.Options{}); out != "out\n" || err != nil || calls != 1 {
		t.Errorf("failing: got %q, %v after %d calls, want one call", out, err, calls)
	}

	release := make(chan struct{})
	defer close(release)
	cmds = sh("echo word >&2; echo out")
	cmds[0].Stderr = writer(func(b []byte) (int, error) { <-release; return len(b), nil })
	begin := time.Now()
	out, results, err := run(t, cmds, proc.Options{})
	mustEndSoon(t, begin)
	if out != "out\n" || err != nil || string(results[0].Stderr) != "word\n" {
		t.Errorf("hanging: got %q, %v, %q", out, err, results[0].Stderr)
	}
}
