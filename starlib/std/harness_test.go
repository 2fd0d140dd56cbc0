package std_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"palhm/runtime/plan"
	"palhm/runtime/proc"
	"palhm/starlib"
	"palhm/starlib/std"
)

// The tests of this package run the real programs: what a dump made is loaded by
// the inverse that the library declares, and the contents are compared.

// library evaluates a Starlark expression of the library's names, as an object's
// pipeline.
func library(t *testing.T, expr string) plan.Pipeline {
	t.Helper()
	p, err := tryLibrary(t, expr)
	if err != nil {
		t.Fatalf("load a site with %s: %v", expr, err)
	}
	return p
}

func tryLibrary(t *testing.T, expr string) (plan.Pipeline, error) {
	t.Helper()
	text := fmt.Sprintf("load(\"@palhm//core.star\", %s)\nbackup(\"b\", backend = null(), objects = [object(\"o\", %s)])\n",
		strings.Join(publicNames(t), ", "), expr)
	dir := t.TempDir()
	file := filepath.Join(dir, "site.star")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	site, err := starlib.Load(t.Context(), starlib.Config{Dir: dir, LookupEnv: os.LookupEnv}, file)
	if err != nil {
		return nil, err
	}
	return site.Task("b").Backup.Groups[0].Objects[0].Pipeline, nil
}

// publicNames returns what core.star offers, quoted for load().
func publicNames(t *testing.T) []string {
	t.Helper()
	text, err := std.Files.ReadFile("core.star")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^(?:def ([a-z]\w*)\(|([a-z]\w*) = )`).FindAllSubmatch(text, -1) {
		names = append(names, fmt.Sprintf("%q", append(m[1], m[2]...)))
	}
	return names
}

// inverse returns what undoes a pipeline: the stages' inverses, last stage first.
func inverse(t *testing.T, p plan.Pipeline) plan.Pipeline {
	t.Helper()
	var inv plan.Pipeline
	for _, x := range slices.Backward(p) {
		if x.Inverse == nil {
			t.Fatalf("%s has no inverse", proc.Quote(x.Argv))
		}
		inv = append(inv, x.Inverse)
	}
	return inv
}

// place is where programs run: a directory of their own, as a user without rights
// (PostgreSQL refuses to run as root), with a home that holds nobody's settings.
type place struct {
	t    *testing.T
	dir  string // also HOME and the working directory
	env  map[string]string
	cred *syscall.Credential // nil = the tests' own
}

const nobody = 65534

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{t: t, dir: tempDir(t)}
	if os.Getuid() == 0 {
		p.cred = &syscall.Credential{Uid: nobody, Gid: nobody}
		p.own(p.dir)
	}
	return p
}

// newRootPlace is for what only root can restore.
func newRootPlace(t *testing.T) *place {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	return &place{t: t, dir: tempDir(t)}
}

// tempDir is outside of t.TempDir, whose parent other users cannot enter, and
// short, because a unix socket's path is at most 107 bytes.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "palhm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove %s: %v", dir, err)
		}
	})
	return dir
}

// own gives files to the place's user.
func (p *place) own(paths ...string) {
	p.t.Helper()
	if p.cred == nil {
		return
	}
	for _, path := range paths {
		if err := os.Chown(path, int(p.cred.Uid), int(p.cred.Gid)); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *place) path(elem ...string) string {
	return filepath.Join(append([]string{p.dir}, elem...)...)
}

func (p *place) mkdir(name string) string {
	p.t.Helper()
	dir := p.path(name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		p.t.Fatal(err)
	}
	p.own(dir)
	return dir
}

func (p *place) write(name, text string) string {
	p.t.Helper()
	file := p.path(name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.own(file)
	return file
}

// with returns the same place with a further variable.
func (p *place) with(name, value string) *place {
	q := *p
	q.env = maps.Clone(p.env)
	if q.env == nil {
		q.env = map[string]string{}
	}
	q.env[name] = value
	return &q
}

func (p *place) environ(x *plan.Exec) []string {
	env := map[string]string{"PATH": os.Getenv("PATH") + ":/usr/sbin:/sbin", "HOME": p.dir, "LC_ALL": "C"}
	maps.Copy(env, p.env)
	for _, v := range x.Env {
		env[v.Name] = v.Value.Text
		if s := v.Value.Secret; s != nil {
			b, err := os.ReadFile(s.File)
			if err != nil {
				p.t.Fatal(err)
			}
			env[v.Name] = strings.TrimSuffix(string(b), "\n")
		}
	}
	var list []string
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	return list
}

// try runs a pipeline. The error has every stage's stderr in it.
func (p *place) try(stages plan.Pipeline, stdin []byte) ([]byte, error) {
	p.t.Helper()
	cmds := make([]proc.Command, len(stages))
	for i, x := range stages {
		cmds[i] = proc.Command{Argv: x.Argv, Env: p.environ(x), Dir: p.dir, Credential: p.cred, Good: x.ExitCodes.Good, SIGPIPE: x.SIGPIPE}
	}
	in, err := proc.Content(stdin)
	if err != nil {
		p.t.Fatal(err)
	}
	defer in.Close()
	cmds[0].Stdin = in
	// Not the test's context: that one has ended when a cleanup runs programs.
	running, err := proc.Start(context.Background(), cmds, proc.Options{})
	if err != nil {
		return nil, err
	}
	defer running.Close()
	out, err := io.ReadAll(running)
	for i, r := range running.Results() {
		switch {
		case len(r.Stderr) == 0:
		case err != nil:
			err = fmt.Errorf("%w\n%s: %s", err, r.Argv[0], r.Stderr)
		case stages[i].VerbosityStderr == 1: // shown by default, as the library's are
			p.t.Errorf("%s: got the message %q on stderr, want none when all is well", proc.Quote(r.Argv), r.Stderr)
		}
	}
	return out, err
}

func (p *place) run(stages plan.Pipeline, stdin []byte) []byte {
	p.t.Helper()
	out, err := p.try(stages, stdin)
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

// fails runs a pipeline that has to fail, and to say why.
func (p *place) fails(stages plan.Pipeline, stdin []byte, why string) {
	p.t.Helper()
	out, err := p.try(stages, stdin)
	if err == nil {
		p.t.Errorf("%s: got success and %d bytes of output, want a failure", proc.Quote(stages[0].Argv), len(out))
	} else if !regexp.MustCompile(why).MatchString(err.Error()) {
		p.t.Errorf("%s: got the error\n%v\nwant one that says %q", proc.Quote(stages[0].Argv), err, why)
	}
}

// sh runs a shell script and returns its output.
func (p *place) sh(script string) string {
	p.t.Helper()
	return string(p.run(plan.Pipeline{{Argv: []string{"sh", "-ec", script}}}, nil))
}

// serve starts a server, and waits until the script ready succeeds. The server is
// stopped by stop, at the latest when the test ends.
func (p *place) serve(ready string, argv ...string) (stop func()) {
	p.t.Helper()
	var log bytes.Buffer
	cmd := exec.Command(needs(p.t, argv[0]), argv[1:]...)
	cmd.Dir, cmd.Env = p.dir, p.environ(&plan.Exec{})
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.cred, Setpgid: true}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(30 * time.Second):
			syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-ended
		}
	}
	p.t.Cleanup(stop)
	deadline := time.Now().Add(60 * time.Second)
	for {
		_, err := p.try(plan.Pipeline{{Argv: []string{"sh", "-ec", ready}}}, nil)
		if err == nil {
			return stop
		}
		select {
		case e := <-ended:
			ended <- e
			p.t.Fatalf("%s ended: %v\n%s", argv[0], e, log.String())
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			stop()
			p.t.Fatalf("%s is not ready after a minute: %v\n%s", argv[0], err, log.String())
		}
	}
}

// needs finds programs, also where only root looks, or skips the test. It returns
// the path of the first.
func needs(t *testing.T, names ...string) string {
	t.Helper()
	first := ""
	for _, name := range names {
		path, err := exec.LookPath(name)
		for _, dir := range []string{"/usr/sbin", "/sbin"} {
			if err != nil && !errors.Is(err, os.ErrPermission) {
				path, err = exec.LookPath(filepath.Join(dir, filepath.Base(name)))
			}
		}
		if err != nil {
			t.Skipf("needs %s", name)
		}
		if first == "" {
			first = path
		}
	}
	return first
}

// equal compares two texts and shows where they part.
func equal(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if bytes.Equal(got, want) {
		return
	}
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	from := max(0, i-80)
	t.Errorf("%s: got %d bytes, want %d; they part at byte %d:\n got %q\nwant %q", what, len(got), len(want), i,
		got[from:min(len(got), i+80)], want[from:min(len(want), i+80)])
}
