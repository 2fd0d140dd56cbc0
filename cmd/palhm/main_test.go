package main

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"palhm": main})
}

// TestScripts runs the command lines in testdata/script, one script a subject.
func TestScripts(t *testing.T) {
	heedSignals()
	testscript.Run(t, testscript.Params{
		Dir:                 "../../testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PALHM_SITE", "site.star")
			env.Setenv("STATE_DIRECTORY", filepath.Join(env.WorkDir, ".state"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":     exits,
			"signalled": signalled,
		},
		Condition: func(cond string) (bool, error) {
			if cond == "namespaces" {
				return os.Geteuid() == 0 && exec.Command("unshare", "--mount", "true").Run() == nil, nil
			}
			return false, errors.New("unknown condition " + cond)
		},
	})
}

// heedSignals gives what is started here the default action of signals that were
// ignored when the tests began, as below nohup(1) or in the background of a script.
func heedSignals() {
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGINT} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
}

// exits runs a program that must end with an exit code: exits CODE PROGRAM ARG...
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG...")
	}
	err := ts.Exec(args[1], args[2:]...)
	checkExit(ts, args[0], err)
}

func checkExit(ts *testscript.TestScript, want string, err error) {
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(got) != want {
		ts.Fatalf("got exit code %d, want %s", got, want)
	}
}

// signalled runs a program and sends it signals while it runs: signalled CODE
// FILE:SIGNAL... -- PROGRAM ARG... waits for FILE to be there before each, and
// FILE~TEXT:SIGNAL for TEXT to be in it. In the place of a signal, +NAME makes the
// file NAME. CODE may be followed by the time in which the program must have ended
// after the last of them: 143/8s. What the program prints is left in
// the files "out" and "err".
func signalled(ts *testscript.TestScript, neg bool, args []string) {
	sep := slices.Index(args, "--")
	if neg || sep < 1 || sep+1 == len(args) {
		ts.Fatalf("usage: signalled CODE FILE:SIGNAL... -- PROGRAM ARG...")
	}
	code, limit := args[0], patience
	if before, after, ok := strings.Cut(code, "/"); ok {
		var err error
		code = before
		limit, err = time.ParseDuration(after)
		ts.Check(err)
	}
	process, ended := start(ts, args[sep+1:])
	for _, step := range args[1:sep] {
		event, what, _ := strings.Cut(step, ":")
		file, text, _ := strings.Cut(event, "~")
		await(ts, ts.MkAbs(file), text, ended)
		if name, ok := strings.CutPrefix(what, "+"); ok {
			ts.Check(os.WriteFile(ts.MkAbs(name), nil, 0o644))
		} else {
			ts.Check(process.Signal(unix.SignalNum("SIG" + what)))
		}
	}
	select {
	case err := <-ended:
		checkExit(ts, code, err)
	case <-time.After(limit):
		process.Signal(syscall.SIGABRT) //nolint:errcheck // only to see where it hangs
		<-ended
		ts.Fatalf("%s has not ended\n%s", args[sep+1], ts.ReadFile("err"))
	}
}

// start starts a program whose output goes to the files "out" and "err".
func start(ts *testscript.TestScript, argv []string) (*os.Process, chan error) {
	program, err := lookIn(ts.Getenv("PATH"), argv[0])
	ts.Check(err)
	cmd := exec.Command(program, argv[1:]...)
	cmd.Args[0] = argv[0]
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = environ(ts)
	out, err := os.Create(ts.MkAbs("out"))
	ts.Check(err)
	defer out.Close()
	complaints, err := os.Create(ts.MkAbs("err"))
	ts.Check(err)
	defer complaints.Close()
	cmd.Stdout, cmd.Stderr = out, complaints
	ts.Check(cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return cmd.Process, ended
}

// patience is how long a test waits for what must happen.
const patience = time.Minute

// await waits for a file with text in it, which only another process can make.
func await(ts *testscript.TestScript, file, text string, ended chan error) {
	deadline := time.Now().Add(patience)
	for {
		if data, err := os.ReadFile(file); err == nil && strings.Contains(string(data), text) {
			return
		}
		select {
		case err := <-ended:
			ts.Fatalf("it ended (%v) before %s was there\n%s", err, file, ts.ReadFile("err"))
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s has not come", file)
		}
	}
}

func lookIn(path, program string) (string, error) {
	for _, dir := range filepath.SplitList(path) {
		file := filepath.Join(dir, program)
		if _, err := os.Stat(file); err == nil {
			return file, nil
		}
	}
	return "", exec.ErrNotFound
}

func environ(ts *testscript.TestScript) []string {
	var env []string
	names := []string{"PATH", "HOME", "WORK", "TMPDIR", "PALHM_SITE", "GOCOVERDIR", "JOURNAL_STREAM"}
	for name := range s3Environ {
		names = append(names, name)
	}
	for _, name := range append(names, "S3_URL", "RESOLVER", "TRUSTING", "SILENT", "STATE_DIRECTORY", "XDG_RUNTIME_DIR") {
		if v := ts.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}
