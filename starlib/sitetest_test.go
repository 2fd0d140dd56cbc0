package starlib_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"palhm/runtime/player"
	"palhm/starlib"
)

// testedSite is what the tests below are about.
const testedSite = `
load("//lib/steps.star", "spin")

mail = exec("mail", host.name, env("MAIL_TO", "root"))
routine("mail", mail)

def several(ctx):
    ctx.defer(lambda: ctx.run(exec("umount", "/mnt")))
    got = ctx.parallel([lambda n = n: ctx.run(exec("dump", n)).stdout for n in ["a", "b", "c"]])
    ctx.log(",".join(got))
    ctx.warn("almost full")
    if ctx.attempt(lambda: ctx.run(exec("check"))).ok:
        ctx.skip("nothing to do")
    ctx.fail(ctx.read("/etc/why"))

routine("several", several)
routine("outer", [several, exec("after")])
routine("spin", spin)

def dumps(ctx):
    return [object(db + ".sql", exec("dump", db)) for db in ctx.run(exec("list")).stdout.split()]

backup("save", localfs("/b"), groups = [group("dbs", objects = dumps)])
`

const testedSteps = `
def spin(ctx):
    for i in range(1000000000):
        pass
`

func runTests(t *testing.T, ctx context.Context, limit time.Duration, tests string) (*starlib.TestFile, error) {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, map[string]string{"site.star": testedSite, "lib/steps.star": testedSteps, "site_test.star": tests})
	t.Chdir(dir)
	cfg := testConfig(dir)
	return starlib.TestWithin(ctx, cfg, player.Player{}, "site_test.star", "site.star", limit)
}

// passes runs tests that all pass.
func passes(t *testing.T, tests string) {
	t.Helper()
	f, err := runTests(t, t.Context(), time.Minute, tests)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range f.Tests {
		if len(r.Failures) > 0 {
			t.Errorf("%s: %v", r.Name, r.Failures)
		}
	}
}

// fails runs one test that fails, and gives why.
func fails(t *testing.T, test string) starlib.Errors {
	t.Helper()
	f, err := runTests(t, t.Context(), time.Minute, test)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Tests) != 1 || len(f.Tests[0].Failures) == 0 {
		t.Fatalf("got %+v, want a failure", f)
	}
	return f.Tests[0].Failures
}

func TestSimulateFunctions(t *testing.T) {
	passes(t, `
def test_order_of_branches(t):
    for i in range(20):
        r = t.simulate("several", replies = {"dump *": ["1", "2", "3"]})
        t.eq(r.ran, ["dump a", "dump b", "dump c", "check", "umount /mnt"])
        t.eq(r.log, ["1,2,3"])

def test_skip(t):
    r = t.simulate("outer", replies = {"check": t.exit(0)})
    t.ok(r)
    t.eq(r.skipped, "nothing to do")
    t.not_ran(r, "after")
    t.eq((r.exit, r.error, r.warnings), (0, None, ["almost full"]))

def test_fails(t):
    r = t.simulate("several", replies = {"check": t.killed("KILL")}, files = {"/etc/why": "the disk is full"})
    t.fails(r, "the disk is full")
    t.ran(r, "umount *")
    t.fails(t.simulate("several", replies = {"check": t.exit(1)}), "/etc/why")

def test_objects(t):
    t.eq(t.simulate("save", replies = {"list": "shop\nwiki\n", "dump *": "x"}).objects, ["shop.sql", "wiki.sql"])
    t.fails(t.simulate("save"), "no objects")
    t.fails(t.simulate("save", replies = {"list": "shop\nshop"}), "two objects have the path")
    t.fails(t.simulate("save", replies = {"list": "../shop"}), "component")
`)
}

func TestSimulateFacts(t *testing.T) {
	passes(t, `
def test_host_and_environment(t):
    t.ran(t.simulate("mail"), "mail web1 root")
    t.ran(t.simulate("mail", host = {"name": "db2", "os": {"id": "alpine"}}, env = {"MAIL_TO": "me"}), "mail db2 me")
    t.ran(t.simulate("mail", env = {"MAIL_TO": None}), "mail web1 root")

def test_host_of_the_test(t):
    t.site(host = {"name": "db2"}, env = {"MAIL_TO": "me"})
    t.ran(t.simulate("mail"), "mail db2 me")
    t.ran(t.simulate("mail", env = {}), "mail db2 root")

def test_this_host_again(t):
    t.ran(t.simulate("mail"), "mail web1 root")

def test_site_by_label(t):
    t.site("./site.star")
    t.ok(t.simulate("mail"))
    t.site("//site.star")
    t.eq(t.simulate("mail", now = "2026-05-01T08:00:00+02:00").end, "2026-05-01T08:00:00+02:00")
`)
}

func TestFailuresOfTests(t *testing.T) {
	for test, want := range map[string]string{
		`t.simulate("mial")`:                                       `has no task "mial"; did you mean "mail"?`,
		`t.simulate("mail", replies = {"mail *": 1})`:              `"mail *": got the int 1, want t.exit(1)`,
		`t.simulate("mail", replies = {"mail *": []})`:             "the list of replies is empty",
		`t.simulate("mail", replies = {"mail *": ["", ""]})`:       "of 2 replies 1 were asked for",
		`t.simulate("several", replies = {"dump *": ["", ""]})`:    `"dump c" ran more often than its list has replies`,
		`t.simulate("several", replies = {"*": "", "dump *": ""})`: `"dump *": nothing asked for this reply; a key above it fits`,
		`t.simulate("outer", replies = {"task:several": "text"})`:  "only commands print",
		`t.simulate("mail", args = {"service": "x"})`:              `"service": task "mail" has no such argument; it has none`,
		`t.simulate("mail", host = {"nmae": "x"})`:                 "there is no host.nmae",
		`t.simulate("mail", env = ["X"])`:                          "got a list, want a dict of variables",
		`t.killed("TREM")`:                                         `got "TREM", want the name of a signal`,
		`t.site("site.star")`:                                      `did you mean "./site.star"?`,
		`t.site("../site.star")`:                                   "leaves the site's directory",
		`t.site("//other.star")`:                                   "the site other.star cannot be loaded",
		`t.site("@palhm//core.star")`:                              "is a module of palhm, want a site",
		`t.simulat("mail")`:                                        "t has no .simulat",
		`t.simulate("mail").rann`:                                  "no .rann",
		`t.ran("mail", "mail")`:                                    "got the string \"mail\", want what t.simulate gave",
		`t.rotation("mail", size = 1)`:                             "is a routine, and only a backup has copies",
		`t.rotation("save")`:                                       "missing argument size",
		`t.rotation("save", size = [])`:                            "size: the list is empty",
		`t.rotation("save", size = "1GiB", every = "1s")`:          "want a minute or more",
		`t.rotation("save", size = 1, days = 3650, every = "1m")`:  "the most are 10000",
		`t.rotation("save", size = "1GiB", days = 0)`:              "want an int from 1 to 3650",
		`routine("x", exec("true"))`:                               "a test declares nothing; it plays what its site declares",
		`exec("a", timout = "1s")`:                                 "no keyword timout (did you mean timeout?)",
		`fail("enough")`:                                           "enough",
		`[][1]`:                                                    "out of range",
		`t.eq([1], [1]) and t.true(False)`:                         "got False, want True",
		`t.true(t.ok(t.simulate("several", replies = {"x": ""})))`: "nothing asked for this reply",
		`return t.simulate("mail").ok`:                             "test_it returned True, and a test returns nothing; check it",
		"x = [1]\n    x.append(x)\n    t.eq(x, [[1]])":             "differ",
		`t.eq("\x1b[31m" + "x" * 1000000, "")`:                     "values differ",
	} {
		list := fails(t, "def test_it(t):\n    "+test+"\n")
		text := ""
		for _, e := range list {
			text += e.Msg + "; " + e.Hint + "\n"
			if e.Pos.File != "site_test.star" || e.Pos.Line == 0 {
				t.Errorf("%s: the failure is placed at %s", test, e.Pos)
			}
		}
		if !strings.Contains(text, want) {
			t.Errorf("%s: got %s, want %s", test, text, want)
		}
	}
}

// A test that does not end has failed, and the next one runs.
func TestTestsEnd(t *testing.T) {
	f, err := runTests(t, t.Context(), 300*time.Millisecond, `
def test_spins(t):
    for i in range(1000000000):
        pass

def test_site_spins(t):
    t.simulate("spin")

def test_next(t):
    t.ok(t.simulate("mail"))
`)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range f.Tests[:2] {
		if len(r.Failures) != 1 || !strings.Contains(r.Failures[0].Msg, "took longer than 300ms") {
			t.Errorf("%s: got %v, want the time limit", r.Name, r.Failures)
		}
	}
	if len(f.Tests[2].Failures) > 0 {
		t.Errorf("%v", f.Tests[2].Failures)
	}
}

func TestTestsAreCancelled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	time.AfterFunc(100*time.Millisecond, func() { cancel(why) })
	_, err := runTests(t, ctx, time.Minute, "def test_spins(t):\n    t.simulate(\"spin\")\n")
	if !errors.Is(err, why) {
		t.Errorf("got %v, want the cause", err)
	}
}

// What fails in the site's own text is told with its place there.
func TestMistakesInTheSite(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"site.star":      "def f(ctx):\n    ctx.runn(1)\n\nroutine(\"r\", f)\n",
		"site_test.star": "def test_it(t):\n    t.ok(t.simulate(\"r\"))\n",
	})
	file := filepath.Join(dir, "site_test.star")
	f, err := starlib.Test(t.Context(), testConfig(dir), player.Player{}, file, filepath.Join(dir, "site.star"))
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Tests[0].Failures.Error(); !strings.Contains(got, "site.star:2:") || !strings.Contains(got, "did you mean") {
		t.Errorf("got %s", got)
	}
}
