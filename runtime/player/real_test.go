package player_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"palhm/backends/all"
	"palhm/runtime/engine"
	"palhm/runtime/plan"
	"palhm/runtime/player"
	"palhm/runtime/report"
	"palhm/runtime/simulate"
	"palhm/starlib"
)

// answers is what a command does each time that it runs; the last one is for all further
// times.
type answers struct {
	pattern string // a program and its arguments, of which * stands for any
	list    []simulate.Answer
}

func answer(pattern string, list ...simulate.Answer) answers { return answers{pattern, list} }

func exit(code int) simulate.Answer                { return simulate.Answer{Code: code} }
func prints(s string) simulate.Answer              { return simulate.Answer{Stdout: &s} }
func complains(code int, s string) simulate.Answer { return simulate.Answer{Code: code, Stderr: s} }
func killed(s plan.Signal) simulate.Answer         { return simulate.Answer{Signal: s} }

// hangs is longer than any time limit of the routines, and than a test takes.
var hangs = simulate.Answer{Takes: time.Hour}

// what each routine has at hand. Values are logged behind "say", in one line.
const preamble = `
def say(ctx, *values):
    ctx.log("say " + repr(values))

def tell(ctx, r):
    say(ctx, r.ok, r.code, r.signal, r.stdout, r.stderr, r.error, r.warnings, [(s.argv, s.ok, s.code, s.signal, s.stderr) for s in r.stages])

def attempted(ctx, r):
    say(ctx, r.ok, r.value, r.error)

a, b, c = exec("a"), exec("b"), exec("c")
`

// A compared routine is the task "r" of a site.
type compared struct {
	name      string
	site      string
	replies   []answers
	files     map[string]string // below $DIR/files
	env       map[string]string // "" = not set
	unordered bool              // commands run at the same time
	raced     bool              // a command fails while others begin
}

// outcome is what is compared.
type outcome struct {
	verdict                     string // exit code and error
	skipped                     string
	log, warnings, objects, ran []string
}

// sort sorts the commands of each pipeline, which start at the same time; together says how
// many are of one.
func (o *outcome) sort(together []int) {
	rest := o.ran
	for _, n := range together {
		n = min(n, len(rest))
		slices.Sort(rest[:n])
		rest = rest[n:]
	}
}

var start = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// A task that is played comes to the same as one that is run, when its commands answer
// the same.
func TestPlayedIsReal(t *testing.T) {
	for _, c := range slices.Concat(functions, steps, backups) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, "site.star")
			put(t, file, strings.ReplaceAll(preamble+c.site, "$DIR", dir))
			for name, text := range c.files {
				put(t, filepath.Join(dir, "files", name), text)
			}
			played, together := c.play(t, dir, file)
			real := c.run(t, dir, file)
			real.sort(together)
			if c.raced || c.hangs() { // what has begun by then is for the host to say
				real.ran, played.ran = nil, nil
			}
			if c.unordered {
				slices.Sort(real.ran)
				slices.Sort(played.ran)
			}
			if got, want := fmt.Sprintf("%q", played), fmt.Sprintf("%q", real); got != want {
				t.Errorf("played:\n%s\nreal:\n%s", got, want)
			}
		})
	}
}

// hangs reports whether a command runs until a time limit ends it.
func (c compared) hangs() bool {
	return slices.ContainsFunc(c.replies, func(a answers) bool { return a.list[0].Takes > 0 })
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

func (c compared) config(dir string) starlib.Config {
	return starlib.Config{Dir: dir, Host: starlib.Host{Name: "web1", Arch: "amd64", CPUs: 4, OS: map[string]string{"id": "debian"}},
		LookupEnv: func(name string) (string, bool) { v := c.env[name]; return v, v != "" }}
}

// play plays the task as "palhm test" does.
func (c compared) play(t *testing.T, dir, file string) (got outcome, together []int) {
	var text strings.Builder
	fmt.Fprintf(&text, "def test_r(t):\n    t.simulate(\"r\", now = %q, replies = {\n", start.Format(time.RFC3339))
	for _, r := range c.replies {
		fmt.Fprintf(&text, "%s: [%s],\n", strconv.Quote(r.pattern), strings.Join(literals(r.list), ", "))
	}
	text.WriteString("}, files = {\n")
	for name, s := range c.files {
		fmt.Fprintf(&text, "%q: %q,\n", dir+"/files/"+name, s)
	}
	text.WriteString("}, env = {\n")
	for name, v := range c.env {
		fmt.Fprintf(&text, "%q: %s,\n", name, map[bool]string{true: "None", false: strconv.Quote(v)}[v == ""])
	}
	text.WriteString("})\n")
	test := filepath.Join(dir, "site_test.star")
	put(t, test, text.String())
	f, err := starlib.Test(t.Context(), c.config(dir), player.Player{}, test, file)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Tests[0].Played) != 1 {
		t.Fatalf("nothing was played: %v", f.Tests[0].Failures)
	}
	if failures := f.Tests[0].Failures; len(failures) > 0 {
		t.Errorf("the test failed: %v", failures)
	}
	o := f.Tests[0].Played[0].Outcome
	got = outcome{verdict: fmt.Sprint(o.Exit, o.Err), skipped: o.Skipped, objects: o.Objects, warnings: o.Warnings}
	for _, line := range o.Log {
		if strings.HasPrefix(line, "say ") { // the rest is what others say
			got.log = append(got.log, line)
		}
	}
	for _, e := range o.Events {
		got.ran = append(got.ran, slices.Sorted(slices.Values(e.Stages))...)
		together = append(together, len(e.Stages))
	}
	return got, together
}

func literals(list []simulate.Answer) []string {
	var texts []string
	for _, a := range list {
		text := fmt.Sprintf("t.exit(%d", a.Code)
		if a.Signal != 0 {
			text = fmt.Sprintf("t.killed(%q", a.Signal)
		}
		if a.Stdout != nil {
			text += ", stdout = " + strconv.Quote(*a.Stdout)
		}
		if a.Takes > 0 {
			text += fmt.Sprintf(", takes = %q", a.Takes.String())
		}
		texts = append(texts, text+", stderr = "+strconv.Quote(a.Stderr)+")")
	}
	return texts
}

// recorder takes from the log what is compared.
type recorder struct {
	slog.Handler
	mu  sync.Mutex
	out *outcome
}

func (*recorder) Enabled(context.Context, slog.Level) bool { return true }
func (h *recorder) Handle(_ context.Context, r slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	r.Attrs(func(at slog.Attr) bool {
		if at.Key == "object" && (r.Message == "object is stored" || r.Message == "object is made") {
			h.out.objects = append(h.out.objects, at.Value.String())
		}
		return true
	})
	switch {
	case !strings.HasPrefix(r.Message, "say "):
	case r.Level == slog.LevelWarn:
		h.out.warnings = append(h.out.warnings, r.Message)
	default:
		h.out.log = append(h.out.log, r.Message)
	}
	return nil
}

// run runs the task with stubs of the commands.
func (c compared) run(t *testing.T, dir, file string) (got outcome) {
	site, err := starlib.Load(t.Context(), c.config(dir), file)
	if err != nil {
		t.Fatal(err)
	}
	c.stubs(t, dir)
	environ := []string{"PATH=" + dir + "/bin:/usr/bin:/bin"}
	for name, v := range c.env {
		if v != "" {
			environ = append(environ, name+"="+v)
		}
	}
	var mu sync.Mutex
	now := start
	e := &engine.Engine{
		Open: new(all.Opener).Open, Log: slog.New(&recorder{out: &got}), Host: "web1", Environ: environ, Workers: 1, Grace: time.Second,
		Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now },
		Sleep: func(ctx context.Context, d time.Duration) error {
			if d >= time.Hour {
				<-ctx.Done() // a time limit is to end it
			}
			mu.Lock()
			defer mu.Unlock()
			now = now.Add(d)
			return context.Cause(ctx)
		},
		DNSSEC: func(context.Context, *plan.DNSSECCheck) (string, error) { return "", nil },
	}
	r, err := e.Run(t.Context(), site, site.Task("r"))
	code := report.ExitOK
	switch {
	case err != nil:
		code = report.ExitFailed
	case len(r.After) > 0:
		code = report.ExitAfter
	}
	got.verdict, got.skipped, got.warnings = fmt.Sprint(code, err), r.Skipped, append(got.warnings, r.After...)
	ran, err := os.ReadFile(dir + "/ran")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(ran)) {
		got.ran = append(got.ran, strings.TrimSuffix(line, "\n"))
	}
	return got
}

// stubs writes the programs. Each notes that it ran.
func (c compared) stubs(t *testing.T, dir string) {
	scripts := map[string]string{}
	for _, name := range []string{"a", "b", "c"} {
		scripts[name] = ""
	}
	for i, r := range c.replies {
		name, args, _ := strings.Cut(r.pattern, " ")
		count := fmt.Sprintf("%s/count%d", dir, i)
		body := fmt.Sprintf("echo >> %[1]s\ncase $(wc -l < %[1]s) in\n", count)
		for n, a := range r.list {
			body += strconv.Itoa(n + 1)
			if n == len(r.list)-1 {
				body += "|*"
			}
			body += ")\n" + act(t, filepath.Join(dir, fmt.Sprintf("say%d.%d", i, n)), a) + ";;\n"
		}
		scripts[name] += fmt.Sprintf("%s)\n%sesac\n;;\n", strings.ReplaceAll(args, " ", `\ `)+map[bool]string{true: "''"}[args == ""], body)
	}
	for name, cases := range scripts {
		head := fmt.Sprintf("#!/bin/sh\nset -f\nline=\"%s $*\"\necho \"${line%% }\" >> %s/ran\n", name, dir)
		put(t, filepath.Join(dir, "bin", name), head+"case \"$*\" in\n"+cases+"*) cat;;\nesac\n")
	}
}

// act is an answer in the language of the shell. Without an output of its own a command
// passes on what it reads.
func act(t *testing.T, file string, a simulate.Answer) string {
	var body string
	if a.Stderr != "" {
		put(t, file+".err", a.Stderr)
		body += "cat " + file + ".err >&2\n"
	}
	if a.Stdout != nil {
		put(t, file+".out", *a.Stdout)
		body += "cat > /dev/null; cat " + file + ".out\n"
	} else {
		body += "cat\n"
	}
	switch {
	case a.Takes > 0:
		return body + fmt.Sprintf("sleep %d\n", int(a.Takes.Seconds()))
	case a.Signal != 0:
		return body + fmt.Sprintf("kill -%d $$; sleep 60\n", int(a.Signal))
	}
	return body + fmt.Sprintf("exit %d\n", a.Code)
}
