package proc_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"palhm/runtime/proc"
)

func TestEveryByteArrives(t *testing.T) {
	data := make([]byte, 9<<20+7)
	rand.NewChaCha8([32]byte{}).Read(data)
	stdin, err := proc.Content(data)
	if err != nil {
		t.Fatal(err)
	}
	cmds := commands([]string{"cat"}, []string{"cat"}, []string{"cat"})
	cmds[0].Stdin = stdin
	out, results, err := run(t, cmds, proc.Options{})
	stdin.Close()
	if err != nil {
		t.Fatal(err)
	}
	if sha256.Sum256([]byte(out)) != sha256.Sum256(data) {
		t.Errorf("got %d bytes, not the %d that were sent", len(out), len(data))
	}
	if len(results) != 3 {
		t.Fatalf("got %d results, want 3", len(results))
	}
	for _, r := range results {
		if r.Err != nil || r.Code != 0 || r.Killed || r.Start.IsZero() || r.Duration <= 0 || r.Argv[0] != "cat" {
			t.Errorf("got %+v, want a good end", r)
		}
	}
}

func TestStdinIsEmptyUnlessGiven(t *testing.T) {
	out, _, err := run(t, sh("readlink /proc/self/fd/0; cat"), proc.Options{})
	if out != "/dev/null\n" || err != nil {
		t.Errorf("got %q, %v, want /dev/null", out, err)
	}
	for _, data := range []string{"", "secret\x00 of two\nlines"} {
		f, err := proc.Content([]byte(data))
		if err != nil {
			t.Fatal(err)
		}
		cmds := sh("cat")
		cmds[0].Stdin = f
		out, _, err := run(t, cmds, proc.Options{})
		if f.Close(); out != data || err != nil {
			t.Errorf("got %q, %v, want %q", out, err, data)
		}
	}
}

// A service that a stage starts must not hold palhm's lock, nor that of a wrapper
// that palhm has inherited.
func TestNoDescriptorIsInherited(t *testing.T) {
	inherited, err := syscall.Open("/dev/zero", syscall.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(inherited)
	list := []string{"ls", "/proc/self/fd"} // the fourth is its own, of the directory
	for i, cmds := range [][]proc.Command{commands(list), commands([]string{"true"}, list), commands([]string{"true"}, list, []string{"cat"})} {
		out, _, err := run(t, cmds, proc.Options{})
		if out != "0\n1\n2\n3\n" || err != nil {
			t.Errorf("pipeline %d: got %q, %v, want 0 to 3", i, out, err)
		}
	}
}

func TestEachStageLeadsASession(t *testing.T) {
	out, _, err := run(t, sh("echo $$; cut -d' ' -f5,6 /proc/$$/stat"), proc.Options{})
	f := strings.Fields(out)
	if err != nil || len(f) != 3 || f[0] != f[1] || f[0] != f[2] {
		t.Errorf("got pid, group, session %v, %v, want one number", f, err)
	}
}

func TestEnvironmentAndDirectory(t *testing.T) {
	dir := t.TempDir()
	cmds := sh(`pwd; echo "$A-$HOME"`)
	cmds[0].Env, cmds[0].Dir = []string{"A=1"}, dir
	if out, _, err := run(t, cmds, proc.Options{}); out != dir+"\n1-\n" || err != nil {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestCredential(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	cmds := commands([]string{"id", "-u"})
	cmds[0].Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	if out, _, err := run(t, cmds, proc.Options{}); out != "65534\n" || err != nil {
		t.Errorf("got %q, %v, want 65534", out, err)
	}
}

// Ignored signals are inherited, and a "yes | head" would not end by SIGPIPE.
func TestStagesDoNotIgnoreSIGPIPE(t *testing.T) {
	for _, c := range []struct{ mode, script string }{
		{"inherit", `trap "" PIPE; exec "$0"`},
		{"ignore", `exec "$0"`},
	} {
		cmd := exec.Command("sh", "-c", c.script, os.Args[0])
		cmd.Env = append(os.Environ(), "PROC_TEST_CHILD="+c.mode)
		out, err := cmd.CombinedOutput()
		var set uint64
		if _, scanErr := fmt.Sscanf(string(out), "SigIgn:\t%x", &set); scanErr != nil || err != nil {
			t.Fatalf("%s: got %q, %v", c.mode, out, err)
		}
		if set&(1<<(syscall.SIGPIPE-1)) != 0 {
			t.Errorf("%s: a stage ignores SIGPIPE", c.mode)
		}
	}
}

func TestSmallReads(t *testing.T) {
	p := start(t, sh("printf hello"), proc.Options{})
	if n, err := p.Read(nil); n != 0 || err != nil {
		t.Errorf("empty Read: got %d, %v", n, err)
	}
	var got []byte
	for one := make([]byte, 1); ; {
		n, err := p.Read(one)
		got = append(got, one[:n]...)
		if err != nil {
			break
		}
	}
	if string(got) != "hello" {
		t.Errorf("got %q", got)
	}
	if _, err := p.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("Read after the end: got %v, want io.EOF", err)
	}
}

// TestLikeBash compares small pipelines with those of "bash -o pipefail".
func TestLikeBash(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("needs bash")
	}
	const trials = 150
	rnd := rand.New(rand.NewPCG(1, 2))
	next := make(chan [][]string)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for argvs := range next {
				compareWithBash(t, argvs)
			}
		})
	}
	for range trials {
		next <- randomPipeline(rnd)
	}
	close(next)
	wg.Wait()
}

func compareWithBash(t *testing.T, argvs [][]string) {
	words := make([]string, len(argvs))
	for i, argv := range argvs {
		words[i] = proc.Quote(argv)
	}
	script := strings.Join(words, " | ")
	want, bashErr := exec.Command("bash", "-o", "pipefail", "-c", script).Output()
	p, err := proc.Start(t.Context(), commands(argvs...), proc.Options{})
	if err != nil {
		t.Error(err)
		return
	}
	got, err := io.ReadAll(p)
	p.Close()
	if (err == nil) != (bashErr == nil) {
		t.Errorf("%s: got %v, bash says %v", script, err, bashErr)
	} else if err == nil && !bytes.Equal(got, want) {
		t.Errorf("%s: got %q, bash gives %q", script, got, want)
	}
}

// randomPipeline makes a pipeline whose outcome is certain: nothing that does not
// read comes after something that writes a little, since whether SIGPIPE meets the
// writer is then a matter of luck.
func randomPipeline(rnd *rand.Rand) [][]string {
	const (
		nothing = iota
		little
		endless
	)
	type stage struct {
		argv   []string
		reads  bool
		output int // -1 = as the input
	}
	all := []stage{
		{[]string{"true"}, false, nothing},
		{[]string{"true"}, false, nothing},
		{[]string{"false"}, false, nothing},
		{[]string{"sh", "-c", "exit 3"}, false, nothing},
		{[]string{"printf", "one 'two'\n\tthree\n"}, false, little},
		{[]string{"seq", "9"}, false, little},
		{[]string{"yes"}, false, endless},
		{[]string{"cat"}, true, -1},
		{[]string{"cat"}, true, -1},
		{[]string{"head", "-c", "10"}, true, little},
		{[]string{"head", "-n1"}, true, little},
		{[]string{"sh", "-c", "cat; exit 2"}, true, -1},
		{[]string{"tr", "a-y", "b-z"}, true, -1},
	}
	var argvs [][]string
	stream := nothing
	for n := 1 + rnd.IntN(4); len(argvs) < n; {
		s := all[rnd.IntN(len(all))]
		if !s.reads && stream == little {
			continue
		}
		argvs = append(argvs, s.argv)
		if s.output >= 0 {
			stream = s.output
		}
	}
	if stream == endless {
		argvs = append(argvs, []string{"head", "-n1"})
	}
	return argvs
}

func TestManyAtOnceLeaveNothing(t *testing.T) {
	before := takeCensus()
	kinds := []struct {
		scripts []string
		ok      bool
	}{
		{[]string{"echo a", "cat", "cat"}, true},
		{[]string{"exit 1", "cat"}, false},
		{[]string{"yes", "head -n1"}, false},
		{[]string{"sleep 60 & exit 2", "cat"}, false},
		{[]string{"cat /dev/zero", "kill -SEGV $$", "sleep 60"}, false},
	}
	var wg sync.WaitGroup
	for worker := range 6 {
		wg.Go(func() {
			for i := range 15 {
				k := kinds[(worker+i)%len(kinds)]
				p, err := proc.Start(t.Context(), sh(k.scripts...), proc.Options{})
				if err != nil {
					t.Error(err)
					return
				}
				if _, err = io.Copy(io.Discard, p); (err == nil) != k.ok {
					t.Errorf("%q: got %v", k.scripts, err)
				}
				p.Close()
			}
		})
	}
	wg.Wait()
	before.mustReturn(t)
}

func TestStartErrors(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		if err := os.WriteFile(dir+"/"+name, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return dir + "/" + name
	}
	write("data", "", 0o644)
	write("noline", "echo hi", 0o755)
	write("nointerpreter", "#!/no/such/interpreter\n", 0o755)
	path := []string{"PATH=/no/such:" + dir}
	for _, c := range []struct {
		name string
		cmd  proc.Command
		want string
	}{
		{"no argv", proc.Command{}, "no program is given"},
		{"empty name", proc.Command{Argv: []string{""}}, "no program is given"},
		{"not in PATH", proc.Command{Argv: []string{"frob"}, Env: path}, `(frob): program "frob" not found in PATH=/no/such:` + dir},
		{"not in the default path", proc.Command{Argv: []string{"frob"}}, "PATH=/bin:/usr/bin"},
		{"not executable in PATH", proc.Command{Argv: []string{"data"}, Env: path}, "not executable: permission denied"},
		{"no such file", proc.Command{Argv: []string{"/no/such/frob"}}, "program /no/such/frob: no such file"},
		{"directory", proc.Command{Argv: []string{dir}}, "is a directory"},
		{"device", proc.Command{Argv: []string{"/dev/null"}}, "not a regular file"},
		{"not executable", proc.Command{Argv: []string{dir + "/data"}}, "not executable: permission denied"},
		{"relative to Dir", proc.Command{Argv: []string{"./frob"}, Dir: dir}, dir + "/frob: no such file"},
		{"no directory", proc.Command{Argv: []string{"true"}, Dir: "/no/such"}, "working directory: stat /no/such"},
		{"directory is a file", proc.Command{Argv: []string{"true"}, Dir: dir + "/data"}, "not a directory"},
		{"script without #!", proc.Command{Argv: []string{dir + "/noline"}}, "a script needs a first line"},
		{"no interpreter", proc.Command{Argv: []string{dir + "/nointerpreter"}}, "interpreter or loader"},
		{"stdin inside", proc.Command{Argv: []string{"cat"}, Stdin: os.Stdin}, "only the first stage"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmds := append(sh("sleep 60"), c.cmd)
			m := mark(t, cmds[:1])
			before := takeCensus()
			_, err := proc.Start(t.Context(), cmds, proc.Options{})
			var stage *proc.StageError
			if !errors.As(err, &stage) || stage.Index != 1 || stage.Start == nil {
				t.Fatalf("got %#v, want the start error of stage 2", err)
			}
			if !strings.HasPrefix(err.Error(), "stage 2 of 2 (") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, want %q in it", err, c.want)
			}
			mustBeGone(t, m)
			before.mustReturn(t)
		})
	}
	if _, err := proc.Start(t.Context(), nil, proc.Options{}); err == nil {
		t.Error("a pipeline without a stage has started")
	}
}

func TestNothingStartsWhenAProgramIsMissing(t *testing.T) {
	trace := t.TempDir() + "/started"
	cmds := append(sh("touch "+trace, "cat"), commands([]string{"no-such-program"})...)
	if _, err := proc.Start(t.Context(), cmds, proc.Options{}); err == nil {
		t.Fatal("it has started")
	}
	if _, err := os.Stat(trace); err == nil {
		t.Error("the first stage has run")
	}
}

func TestLookup(t *testing.T) {
	dir := t.TempDir()
	for _, sub := range []string{"a", "b", "c"} {
		if err := os.MkdirAll(dir+"/"+sub+"/tool.d", 0o755); err != nil {
			t.Fatal(err)
		}
		mode := map[string]os.FileMode{"a": 0o644, "b": 0o755, "c": 0o755}[sub]
		if err := os.WriteFile(dir+"/"+sub+"/tool", []byte("#!/bin/sh\necho "+sub+"\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ name, argv0, path, dir, want string }{
		{"the first that can be executed", "tool", dir + "/a:" + dir + "/b:" + dir + "/c", "", "b"},
		{"relative to Dir", "./tool", "", dir + "/c", "c"},
		{"relative element of PATH", "tool", "b", dir, "b"},
		{"empty element of PATH", "tool", ":/bin", dir + "/c", "c"},
	} {
		cmds := []proc.Command{{Argv: []string{c.argv0}, Env: []string{"PATH=" + c.path}, Dir: c.dir}}
		if out, _, err := run(t, cmds, proc.Options{}); out != c.want+"\n" || err != nil {
			t.Errorf("%s: got %q, %v, want %q", c.name, out, err, c.want)
		}
	}
}
