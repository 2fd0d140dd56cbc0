package starlib_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"palhm/runtime/plan"
	"palhm/starlib"
)

// loadText loads one file as a site.
func loadText(t testing.TB, text string) (*plan.Site, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "site.star"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return starlib.Load(t.Context(), testConfig(dir), "site.star")
}

func mustLoad(t testing.TB, text string) *plan.Site {
	t.Helper()
	site, err := loadText(t, text)
	if err != nil {
		t.Fatal(err)
	}
	return site
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	var list starlib.Errors
	if !errors.As(err, &list) {
		t.Fatalf("got %T %v, want Errors", err, err)
	}
	if !strings.Contains(err.Error(), want) {
		t.Errorf("got %v\nwant %q in it", err, want)
	}
}

func TestLimitsAreExact(t *testing.T) {
	for text, want := range map[string]string{
		`9007199254740993`:              "9007199254740993",
		`"9007199254740993"`:            "9007199254740993",
		`"9007199254740997.9"`:          "9007199254740997",
		`"18014398509481985"`:           "18014398509481985",
		`"1.5TiB"`:                      "1649267441664",
		`"300 GB"`:                      "300000000000",
		`"1kB"`:                         "1000",
		`"1KB"`:                         "1000",
		`"1KiB"`:                        "1024",
		`"18014398509481985EiB"`:        "20769187434139311667043489923727360",
		`"0.3333333333333333333333KiB"`: "341",
		`"1e3"`:                         "1000",
		`"1E3B"`:                        "1000",
		`7.9`:                           "7",
		`"+5"`:                          "5",
		`" 5 MB "`:                      "5000000",
		`"Infinity"`:                    "Infinity",
		`"-Infinity"`:                   "Infinity",
		`"inf"`:                         "Infinity",
		`"-inf"`:                        "Infinity",
		`"+INF"`:                        "Infinity",
		`float("inf")`:                  "Infinity",
		`float("-inf")`:                 "Infinity",
		`None`:                          "Infinity",
	} {
		site := mustLoad(t, fmt.Sprintf(`backup("b", localfs("/r", root_size_limit = %s), objects = [object("o", exec("a"))])`, text))
		if got := site.Tasks[0].Backup.Backends[0].Limits.Bytes.String(); got != want {
			t.Errorf("root_size_limit = %s: got %s, want %s", text, got, want)
		}
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "2h": 2 * time.Hour, "1h30m": 90 * time.Minute, "7d": 7 * 24 * time.Hour,
		"1d12h": 36 * time.Hour, "2w": 14 * 24 * time.Hour, "1.5h": 90 * time.Minute, "250ms": 250 * time.Millisecond,
	} {
		site := mustLoad(t, fmt.Sprintf(`routine("r", [exec("a")], timeout = %q)`, text))
		if got := site.Tasks[0].Timeout; got != want {
			t.Errorf("timeout = %q: got %v, want %v", text, got, want)
		}
	}
}

// A keyword given where an exec is used must not reach into other uses of it.
func TestCallingAnExecChangesNoOtherUse(t *testing.T) {
	site := mustLoad(t, `
undo = exec("undo")
shared = exec("tool", env = {"A": "1", "B": "2"}, vl_stderr = 1, ec = "<2", timeout = "1s", inverse = undo)
routine("loud", shared("-x", env = {"B": "3", "C": "4"}, vl_stderr = 5, ec = 7, timeout = "2s", clean_env = True, cwd = "/", user = "u", stdin = "s"))
routine("quiet", shared)
`)
	loud, quiet := site.Tasks[0].Routine.Steps[0].Pipeline[0], site.Tasks[1].Routine.Steps[0].Pipeline[0]
	got, err := json.Marshal(quiet)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"pos":"site.star:3:10","argv":["tool"],"env":[{"name":"A"},{"name":"B"}],"ec":"0-1","timeout":1000000000,"vl_stdout":3,"vl_stderr":1,` +
		`"inverse":{"pos":"site.star:2:8","argv":["undo"],"ec":"0","vl_stdout":3,"vl_stderr":1}}`
	if string(got) != want {
		t.Errorf("shared exec: got %s\nwant %s", got, want)
	}
	if values := fmt.Sprint(quiet.Env[0].Value.Text, quiet.Env[1].Value.Text); values != "12" {
		t.Errorf("shared env: got %q, want 12", values)
	}
	if values := fmt.Sprint(loud.Env[0].Value.Text, loud.Env[1].Value.Text, loud.Env[2].Value.Text); values != "134" {
		t.Errorf("merged env: got %q, want 134", values)
	}
	if loud.Inverse == nil || loud.Inverse.Argv[0] != "undo" {
		t.Errorf("inverse: got %v, want undo to stay", loud.Inverse)
	}
	if quiet.Inverse.User != "" || quiet.Inverse.Env != nil {
		t.Errorf("inverse of the shared exec: got %+v, want it as it was", quiet.Inverse)
	}
	if loud.VerbosityStderr != 5 || loud.ExitCodes.Low != 7 || !loud.CleanEnv || loud.Dir != "/" || loud.User != "u" || loud.Stdin == nil {
		t.Errorf("keywords: got %+v, want those given", loud)
	}
}

// What undoes an exec is run where the exec was: with its variables, as its user. An inverse
// that a call gives is taken as it is, whatever stands beside it.
func TestCallsSayWhereTheInverseRuns(t *testing.T) {
	site := mustLoad(t, `
other = exec("other", env = {"X": "own"})
dump = exec("dump", user = "first", env = {"A": "1"}, inverse = exec("load", env = {"L": "0"}))
routine("r", [
    dump,
    dump("-x", user = "second", env = {"A": "2", "B": secret(env = "S")}, clean_env = True, cwd = "/", ec = 7, timeout = "1s", stdin = "s"),
    dump(user = "second")(env = {"B": "3"}, user = None, inverse = None),
    dump(user = "second", inverse = other, env = {"B": "3"}),
    other,
])
`)
	for i, want := range []string{"load L", "second clean load A B=S L", "second load B L", "other X", ""} {
		x := site.Tasks[0].Routine.Steps[i].Pipeline[0].Inverse
		if x == nil {
			x = &plan.Exec{}
		}
		words := []string{x.User}
		if x.CleanEnv {
			words = append(words, "clean")
		}
		words = append(words, x.Argv...)
		for _, v := range x.Env {
			name := v.Name
			if s := v.Value.Secret; s != nil {
				name += "=" + s.Env
			}
			words = append(words, name)
		}
		if got := strings.TrimSpace(strings.Join(words, " ")); got != want {
			t.Errorf("step %d: got the inverse %q, want %q", i+1, got, want)
		}
		if x.Dir != "" || x.Timeout != 0 || x.Stdin != nil || len(x.Argv) > 0 && x.ExitCodes.String() != "0" {
			t.Errorf("step %d: got the inverse %+v, want nothing of the call but where it runs", i+1, x)
		}
	}
	if other := site.Tasks[0].Routine.Steps[4].Pipeline[0]; other.User != "" || len(other.Env) != 1 {
		t.Errorf("an exec that is another's inverse: got %+v, want it as it was", other)
	}
}

// A chain of groups takes neither a stack nor memory by its length squared.
func TestLongChainOfGroups(t *testing.T) {
	const n = 20_000
	site := mustLoad(t, fmt.Sprintf(`
def chain(n):
    g = group("g", [object("o", exec("true"))])
    for i in range(n - 1):
        g = group("g%%d" %% i, [object("o%%d" %% i, exec("true"))], depends = [g])
    return g

backup("backup", null(), groups = [chain(%d)])
`, n))
	groups := site.Tasks[0].Backup.Groups
	if len(groups) != n {
		t.Fatalf("got %d groups, want %d", len(groups), n)
	}
	for i, g := range groups[:n-1] {
		if len(g.Depends) != 1 || g.Depends[0] != i+1 {
			t.Fatalf("group %d depends on %v, want %d", i, g.Depends, i+1)
		}
	}
}

func TestModulesAreLoadedOnce(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"site.star":  "load('//a.star', 'a')\nload('./sub/b.star', 'b')\nprint(a, b)",
		"a.star":     "load('./sub/../common.star', 'c')\na = c",
		"sub/b.star": "load('../common.star', 'c')\nload('//common.star', d = 'c')\nb = c + d",
		"common.star": `print("once")
c = "c"`,
	})
	cfg := testConfig(dir)
	var printed []string
	cfg.Print = func(_ plan.Pos, msg string) { printed = append(printed, msg) }
	if _, err := starlib.Load(t.Context(), cfg, filepath.Join(dir, "site.star")); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(printed, ";"); got != "once;c cc" {
		t.Errorf("printed %q, want common.star to run once", got)
	}
}

// A module may declare tasks in a function that the site calls.
func TestModuleFunctionDeclares(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"site.star": "load('//tasks.star', 'declare')\ndeclare('update')",
		"tasks.star": `
def declare(name):
    settings(vl = 5)
    routine(name, exec("true"))
`,
	})
	site, err := starlib.Load(t.Context(), testConfig(dir), "site.star")
	if err != nil {
		t.Fatal(err)
	}
	if site.Task("update") == nil || site.Settings.Verbosity != 5 {
		t.Errorf("got %+v, want a task and settings from the function", site)
	}
}

func TestStandardModulesLoad(t *testing.T) {
	for _, m := range starlib.StandardModules() {
		var names []string
		for _, d := range m.Names {
			names = append(names, fmt.Sprintf("%q", d.Name))
		}
		if len(names) == 0 {
			continue
		}
		if _, err := loadText(t, fmt.Sprintf("load(%q, %s)", m.Label, strings.Join(names, ", "))); err != nil {
			t.Errorf("%s: %v", m.Label, err)
		}
	}
}

func TestUnreadableSites(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"bom.star": "\xef\xbb\xbfx = 1", "utf16.star": "\xff\xfex\x00", "nul.star": "x = 1\ny\x00",
		"latin1.star": "# m\xfcde", "large.star": strings.Repeat("#", 5<<20), "sub/x.star": "",
		"outside.star": "load('//link.star', 'x')", "fifo.star": "", "crlf.star": "x = 1\r\nif x:\r\n    y = 2\r\nroutine('r', [exec('a')])\r\n",
	})
	other := t.TempDir()
	write(t, other, map[string]string{"secret.star": "x = 1"})
	for _, err := range []error{
		os.Symlink(filepath.Join(other, "secret.star"), filepath.Join(dir, "link.star")),
		os.Remove(filepath.Join(dir, "fifo.star")),
		syscall.Mkfifo(filepath.Join(dir, "fifo.star"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for file, want := range map[string]string{
		"missing.star": "missing.star: cannot read the site: no such file or directory",
		"sub":          "name the site file in it, such as sub/site.star",
		"bom.star":     "byte order mark",
		"utf16.star":   "byte order mark",
		"nul.star":     "line 2 has a NUL byte",
		"latin1.star":  "is not UTF-8 text: see line 1",
		"large.star":   "is larger than 4 MiB",
		"fifo.star":    "is not a regular file",
		"outside.star": "link.star is a symbolic link to " + filepath.Join(other, "secret.star") + ", outside of the site's directory",
		"sub/../../x":  "no such file or directory",
		"a\x00b.star":  "invalid argument",
	} {
		_, err := starlib.Load(t.Context(), testConfig(dir), file)
		wantError(t, err, want)
	}
	if site, err := starlib.Load(t.Context(), testConfig(dir), "crlf.star"); err != nil || len(site.Tasks) != 1 {
		t.Errorf("lines that end in CR LF: got %v, want a site", err)
	}
}

// A site that is reached by a link has its modules beside the link, and the error says so.
func TestModulesBesideALink(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"repo/site.star": "load('//lib/x.star', 'x')\nroutine('r', x)", "repo/lib/x.star": "x = exec('a')"})
	if err := os.Symlink("repo/site.star", filepath.Join(dir, "link.star")); err != nil {
		t.Fatal(err)
	}
	if _, err := starlib.Load(t.Context(), testConfig(dir), "repo/site.star"); err != nil {
		t.Error(err)
	}
	_, err := starlib.Load(t.Context(), testConfig(dir), "link.star")
	wantError(t, err, "lib/x.star: no such file or directory")
	wantError(t, err, "hint: modules of the site are sought in "+dir+", where the site is a link to repo/site.star")
}

func TestNestingThatWouldExhaustTheStack(t *testing.T) {
	const n = 1 << 20
	for name, text := range map[string]string{
		"operators": "x = 1" + strings.Repeat("|1", n),
		"calls":     "x = exec" + strings.Repeat("()", n),
		"indices":   "x = []" + strings.Repeat("[0]", n),
		"brackets":  "x = " + strings.Repeat("(", n),
		"signs":     "x = " + strings.Repeat("-", n) + "1",
		"elifs":     "if 0:\n  pass\n" + strings.Repeat("elif 0:0\n", n/4),
		"lambdas":   "x = " + strings.Repeat("lambda:", n/2) + "1",
	} {
		if _, err := loadText(t, text); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

func TestCancelledLoad(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"site.star": "print('started')\nfor i in range(1 << 40):\n    pass"})
	ctx, cancel := context.WithCancel(t.Context())
	cfg := testConfig(dir)
	cfg.Print = func(plan.Pos, string) { cancel() }
	if _, err := starlib.Load(ctx, cfg, "site.star"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestLoadThatDoesNotEnd(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"site.star": "def spin():\n    for i in range(1 << 40):\n        pass\n\nspin()\n"})
	_, _, err := starlib.LoadWithin(t.Context(), testConfig(dir), "site.star", 50*time.Millisecond, true)
	wantError(t, err, "loading took longer than 50ms")
	wantError(t, err, "in spin(), called at site.star:5:1")
}

func TestDigestFollowsTheSitesOwnText(t *testing.T) {
	files := map[string]string{"site.star": "load('//a.star', 'a')", "a.star": "a = 1"}
	digest := func() string {
		dir := t.TempDir()
		write(t, dir, files)
		site, err := starlib.Load(t.Context(), testConfig(dir), "site.star")
		if err != nil {
			t.Fatal(err)
		}
		return site.Digest
	}
	first := digest()
	if again := digest(); again != first {
		t.Errorf("the same text has the digests %s and %s", first, again)
	}
	files["a.star"] = "a = 2"
	if changed := digest(); changed == first {
		t.Error("a changed module did not change the digest")
	}
}

// The excerpt shows where in the line, whatever the line is made of.
func TestCaret(t *testing.T) {
	_, err := loadText(t, "def f():\n\treturn [\"größe\",\texec(5.5)]\nf()\n")
	wantError(t, err, "\n    return [\"größe\", exec(5.5)]\n                          ^\n")
	_, err = loadText(t, "x = ["+strings.Repeat("'a', ", 200)+"exec(5.5)"+strings.Repeat(", 'b'", 200)+"]")
	wantError(t, err, "...")
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if len(line) > 130 {
			t.Errorf("a line of %d columns", len(line))
		}
	}
	_, err = loadText(t, "x = '\x1b[31m' + exec(5.5)")
	if strings.Contains(err.Error(), "\x1b") {
		t.Error("a control character of the site reached the terminal")
	}
}

func TestManyErrorsAreCut(t *testing.T) {
	_, err := loadText(t, "for i in range(50000):\n    object('../%d' % i, exec('a'))")
	if lines := strings.Count(err.Error(), "\n"); lines > 100 {
		t.Errorf("%d lines of errors", lines)
	}
	wantError(t, err, "more")
}

func TestFaultOfPalhmIsAnErrorWithAPlace(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"site.star": "\nenv('X')"})
	cfg := testConfig(dir)
	cfg.LookupEnv = func(string) (string, bool) { panic("boom") }
	_, err := starlib.Load(t.Context(), cfg, "site.star")
	wantError(t, err, "site.star:2:1: env: internal error: boom")
	cfg.LookupEnv, cfg.Print = nil, func(plan.Pos, string) { panic("bang") }
	write(t, dir, map[string]string{"site.star": "print()"})
	_, err = starlib.Load(t.Context(), cfg, "site.star")
	wantError(t, err, "internal error: bang")
}

func TestNoSecretOrVariableInThePlan(t *testing.T) {
	site := mustLoad(t, `
e = exec("a", env = {"PW": "hunter2"}, stdin = "hunter2")
routine("r", [e])
backup("b", null(), objects = [object("o", e)])
`)
	text, err := json.Marshal(site)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "hunter2") {
		t.Errorf("the plan shows a value: %s", text)
	}
}

func TestHostFacts(t *testing.T) {
	h, err := starlib.HostFacts(func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	env := func(name string) (string, bool) { return "blue", name == "PALHM_HOST" }
	if named, err := starlib.HostFacts(env); err != nil || named.Name != "blue" {
		t.Errorf("got the name %q, %v, want that of PALHM_HOST", named.Name, err)
	}
	if name, _ := os.Hostname(); h.Name != name || h.Arch == "" || h.CPUs < 1 {
		t.Errorf("got %+v", h)
	}
}

func TestOSRelease(t *testing.T) {
	got := starlib.ParseOSRelease("# c\nID=debian\nNAME=\"Debian \\\"GNU\\\"\"\n\nVERSION='12 (x)'\nEMPTY=\nnonsense\n BUG_URL=\"https://x/?a=b\"\n")
	want := map[string]string{"id": "debian", "name": `Debian "GNU"`, "version": "12 (x)", "empty": "", "bug_url": "https://x/?a=b"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func BenchmarkLoad10000(b *testing.B) {
	var lines strings.Builder
	lines.WriteString("everything = [\n")
	for i := range 10_000 {
		fmt.Fprintf(&lines, "    object(\"o%d\", exec(\"/bin/true\")),\n", i)
	}
	lines.WriteString("]\nbackup(\"backup\", null(), objects = everything)\n")
	for name, text := range map[string]string{
		"lines": lines.String(),
		"loop":  `backup("backup", null(), objects = [object("o%d" % i, exec("/bin/true")) for i in range(10000)])`,
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if n := mustLoad(b, text).Tasks[0].Backup.Objects(); n != 10_000 {
					b.Fatal(n)
				}
			}
		})
	}
}

var position = regexp.MustCompile(`site\.star:\d+:\d+`)

// planText gives a plan without what differs between two texts of the same
// meaning: positions, digests and directories.
func planText(t *testing.T, site *plan.Site) string {
	t.Helper()
	text, err := json.Marshal(struct {
		Tasks    []*plan.Task
		Settings plan.Settings
	}{site.Tasks, site.Settings})
	if err != nil {
		t.Fatal(err)
	}
	return position.ReplaceAllString(string(text), "POS")
}

// A step's place is in the site, also when its exec comes with palhm.
func TestStepOfStandardModuleIsPlacedInTheSite(t *testing.T) {
	site := mustLoad(t, `load("@palhm//core.star", "tar")
own = exec("true")
routine("r", [tar if type(tar) == "exec" else tar("x"), own])`)
	steps := site.Tasks[0].Routine.Steps
	if got := steps[0].Pos.String(); got != "site.star:3:1" {
		t.Errorf("step of a standard exec: got %s, want the routine", got)
	}
	if got := steps[1].Pos.String(); got != "site.star:2:7" {
		t.Errorf("step of an own exec: got %s, want the exec", got)
	}
}

// The digest is over the site's own files, not over the palhm that reads them.
func TestDigestLeavesStandardModulesOut(t *testing.T) {
	site := mustLoad(t, `load("@palhm//core.star", "tar")`)
	if len(site.Modules) != 2 || site.Modules[1].Label != "@palhm//core.star" {
		t.Fatalf("got the modules %v, want the site and core.star", site.Modules)
	}
	own := sha256.Sum256([]byte(site.Modules[0].SHA256 + "  //site.star\n"))
	if want := hex.EncodeToString(own[:]); site.Digest != want {
		t.Errorf("got %s, want %s", site.Digest, want)
	}
}
