package player_test

import (
	"strings"
	"syscall"

	"palhm/runtime/plan"
	"palhm/runtime/simulate"
)

// function is a site whose routine is one function.
func function(name, body string, replies ...answers) compared {
	return compared{name: name, site: "def r(ctx):\n    " + strings.ReplaceAll(strings.TrimSpace(body), "\n", "\n    ") + "\nroutine(\"r\", r)\n", replies: replies}
}

func (c compared) with(files, env map[string]string) compared {
	c.files, c.env = files, env
	return c
}

func (c compared) races() compared {
	c.raced = true
	return c
}

func (c compared) atOnce() compared {
	c.unordered = true
	return c
}

var (
	long   = strings.Repeat("0123456789abcde\n", 5000) // more than 64 KiB of stderr
	broad  = strings.Repeat("x", 70_000)
	large  = strings.Repeat("x", plan.MaxCapture+1)
	sigint = plan.Signal(syscall.SIGINT)
	usr1   = plan.Signal(syscall.SIGUSR1)
	kill   = plan.Signal(syscall.SIGKILL)
	pipe   = plan.Signal(syscall.SIGPIPE)
)

// functions use all that ctx has.
var functions = []compared{
	function("run", `tell(ctx, ctx.run(a))`, answer("a", prints("text\n"))),
	function("run/no reply", `tell(ctx, ctx.run(a("x", 1, "y")))`),
	function("run/fails", "ctx.run(a)\nctx.run(b)", answer("a", complains(3, "no luck\n"))),
	function("run/checked by hand", `tell(ctx, ctx.run(a, check = False))`, answer("a", complains(3, "no luck\n"))),
	function("run/good codes", `tell(ctx, ctx.run(a(ec = "1-3")))`, answer("a", exit(2))),
	function("run/bad codes", `tell(ctx, ctx.run(a(ec = ">0"), check = False))`),
	function("run/killed", `tell(ctx, ctx.run(a, check = False))`, answer("a", killed(kill))),
	function("run/killed and checked", `ctx.run(a)`, answer("a", killed(usr1))),
	function("run/sigpipe", `tell(ctx, ctx.run(a, check = False))`, answer("a", killed(pipe))),
	function("run/sigpipe is good", `tell(ctx, ctx.run(a(sigpipe = True) | b))`, answer("a", killed(pipe)), answer("b", prints("b"))),
	function("run/in turn", "tell(ctx, ctx.run(a))\ntell(ctx, ctx.run(a, check = False))\ntell(ctx, ctx.run(a))", answer("a", prints("1"), exit(1), prints("3"))),
	function("run/pipeline", `tell(ctx, ctx.run(a | b | c))`, answer("a", prints("text"))),
	function("run/pipeline in the middle", `tell(ctx, ctx.run(a | b | c))`, answer("b", prints("middle"))),
	function("run/pipeline fails first", `r = ctx.run(a | b | c, check = False)
say(ctx, r.ok, r.code, r.signal, r.error)`, answer("a", complains(1, "A\n"))).races(),
	function("run/pipeline fails last", `ctx.run(a | b)`, answer("b", complains(1, "B\n"))),
	function("run/long command", `ctx.run(a("`+strings.Repeat("y", 500)+`"))`, answer("a *", exit(1))),
	function("run/stdin", `tell(ctx, ctx.run(a, stdin = "text"))`, answer("a", prints("read"))),
	function("run/stdin file", `tell(ctx, ctx.run(a, stdin = file("$DIR/files/in")))`, answer("a", prints("read"))).with(map[string]string{"in": "x"}, nil),
	function("run/stdin secret", `tell(ctx, ctx.run(a, stdin = secret(env = "KEY")))`, answer("a", prints("read"))).with(nil, map[string]string{"KEY": "hunter2"}),
	function("run/stdin secret is missing", `tell(ctx, ctx.run(a, stdin = secret(env = "KEY"), check = False))`).with(nil, map[string]string{"KEY": ""}),
	function("run/secret", `tell(ctx, ctx.run(a(env = {"PW": secret(env = "KEY")})))`).with(nil, map[string]string{"KEY": "hunter2"}),
	function("run/secret is missing", `ctx.run(a(env = {"PW": secret(env = "KEY")}))`).with(nil, map[string]string{"KEY": ""}),
	function("run/secret is missing in a pipeline", `tell(ctx, ctx.run(b | a(env = {"PW": secret(env = "KEY")}), check = False))`).with(nil, map[string]string{"KEY": ""}),
	function("run/timeout of the exec", `tell(ctx, ctx.run(a(timeout = "2s"), check = False))`, answer("a", hangs)),
	function("run/timeout of the run", `tell(ctx, ctx.run(a, timeout = "2s", check = False))`, answer("a", hangs)),
	function("run/timeout of the run is checked", `ctx.run(a, timeout = "2s")`, answer("a", hangs)),
	function("run/timeout of a stage", `tell(ctx, ctx.run(a | b(timeout = "2s"), check = False))`, answer("a", hangs)),
	function("run/timeout with others", `tell(ctx, ctx.run(a(timeout = "2s") | b, check = False))`, answer("a", hangs)),
	function("run/attempt at a timeout", `attempted(ctx, ctx.attempt(lambda: ctx.run(a, timeout = "2s")))`, answer("a", hangs)),
	function("run/capture none", `tell(ctx, ctx.run(a, capture = "none"))`, answer("a", prints("text"))),
	function("run/capture tail", `say(ctx, len(ctx.run(a, capture = "tail").stdout))`, answer("a", prints(large))),
	function("run/capture all", "r = ctx.run(a, check = False)\nsay(ctx, r.ok, r.code, r.error, len(r.stdout))", answer("a", prints(large))),
	function("run/capture all is checked", `ctx.run(a)`, answer("a", prints(large))),
	function("run/long stderr", "e = ctx.run(a).stderr\nsay(ctx, len(e), e[:20])", answer("a", complains(0, long))),
	function("run/long stderr of a failure", "e = ctx.run(b | a, check = False).stderr\nsay(ctx, len(e), e[:20])", answer("a", complains(1, long))),
	function("run/a long line", `say(ctx, ctx.run(a).stderr)`, answer("a", complains(0, broad))),
	function("run/progress", `say(ctx, len(ctx.run(a).stderr))`, answer("a", complains(0, strings.ReplaceAll(long, "\n", "\r")))),
	function("run/result in place of a condition", "if ctx.run(a, check = False):\n    ctx.run(b)", answer("a", exit(1))),
	function("run/no text", `ctx.run("a")`),
	function("run/a function", `ctx.run(say)`),
	function("run/returned", `return a`),
	function("run/False", `return False`),
	function("mistake", `ctx.runn(a)`),
	function("fail", "ctx.fail(\"enough: %d\" % 3)\nctx.run(a)"),
	function("fail/no string", "ctx.fail([1, 2])"),
	function("fail/in Starlark", "fail(\"enough\")"),
	function("skip", "ctx.run(a)\nctx.skip(\"nothing to do\")\nctx.run(b)"),
	function("skip/attempt", "ctx.attempt(lambda: ctx.skip(\"nothing to do\"))\nctx.run(b)"),
	function("skip/deferred", "ctx.defer(lambda: ctx.run(b))\nctx.skip(\"nothing to do\")", answer("b", exit(1))),
	function("skip/in deferred", "ctx.defer(lambda: ctx.skip(\"nothing to do\"))"),
	function("log", "ctx.log(\"say hello\")\nctx.warn(\"say it is late\")\nctx.log(\"say more\")"),
	function("attempt", "attempted(ctx, ctx.attempt(lambda: ctx.run(a).stdout))", answer("a", prints("text"))),
	function("attempt/fails", "attempted(ctx, ctx.attempt(lambda: ctx.run(a)))\nctx.run(b)", answer("a", complains(1, "no"))),
	function("attempt/fail", "attempted(ctx, ctx.attempt(lambda: ctx.fail(\"no\")))"),
	function("attempt/arguments", "attempted(ctx, ctx.attempt(lambda x, y: x + y, 1, 2))"),
	function("attempt/mistake", "attempted(ctx, ctx.attempt(lambda: ctx.rnu(a)))"),
	function("attempt/no function", "ctx.attempt(a)"),
	function("defer", "ctx.defer(lambda: ctx.run(b))\nctx.defer(lambda: ctx.run(c))\nctx.run(a)"),
	function("defer/after a failure", "ctx.defer(lambda: ctx.run(b))\nctx.run(a)", answer("a", exit(1))),
	function("defer/fails", "ctx.defer(lambda: ctx.run(b))\nctx.defer(lambda: ctx.run(c))", answer("c", exit(1))),
	function("defer/fails too", "ctx.defer(lambda: ctx.run(b))\nctx.run(a)", answer("a", exit(1)), answer("b", exit(2))),
	function("defer/twice", "ctx.defer(lambda: ctx.defer(lambda: ctx.run(b)))"),
	function("defer/timeout", "ctx.defer(lambda: ctx.run(b, timeout = \"2s\"))", answer("b", hangs)),
	function("parallel", `say(ctx, ctx.parallel([lambda n = n: ctx.run(a(n)).stdout for n in ["x", "y", "z"]]))`,
		answer("a x", prints("1")), answer("a y", prints("2")), answer("a z", prints("3"))).atOnce(),
	function("parallel/limit", `say(ctx, ctx.parallel([lambda n = n: ctx.run(a(n)).stdout for n in ["x", "y", "z"]], limit = 1))`, answer("a y", prints("2"))),
	function("parallel/fails", `ctx.parallel([lambda: ctx.run(a), lambda: ctx.run(b), lambda: ctx.run(c)], limit = 1)`, answer("b", complains(1, "no"))),
	function("parallel/attempt", `say(ctx, [r.error for r in ctx.parallel([lambda: ctx.attempt(lambda: ctx.run(a)), lambda: ctx.attempt(lambda: ctx.run(b))])])`,
		answer("b", exit(4))).atOnce(),
	function("parallel/attempted", `attempted(ctx, ctx.attempt(lambda: ctx.parallel([lambda: ctx.run(a), lambda: ctx.run(b)], limit = 1)))`, answer("a", exit(1))),
	function("parallel/skip", "ctx.parallel([lambda: ctx.skip(\"enough\"), lambda: ctx.run(b)], limit = 1)\nctx.run(c)"),
	function("parallel/skip after a failure", "ctx.parallel([lambda: ctx.run(a), lambda: ctx.skip(\"enough\")], limit = 1)", answer("a", exit(1))),
	function("parallel/appends", "list = []\nctx.parallel([lambda: list.append(1)])"),
	function("parallel/defer", "ctx.parallel([lambda: ctx.defer(lambda: ctx.run(b))])\nctx.run(a)"),
	function("parallel/none", "say(ctx, ctx.parallel([]))"),
	function("parallel/no function", "ctx.parallel([a])"),
	function("sleep", "n = ctx.now()\nctx.sleep(\"90s\")\nctx.sleep(\"0s\")\nsay(ctx, ctx.now().unix - n.unix)"),
	function("now", "n = ctx.now()\nsay(ctx, n.year, n.month, n.day, n.hour, n.minute, n.second, n.weekday, n.date, n.zone, n.utc, n.unix)"),
	function("host", "say(ctx, ctx.host.name, ctx.host.os.id, ctx.args)"),
	function("temp_dir", "d = ctx.temp_dir()\nsay(ctx, ctx.exists(d), ctx.exists(d + \"/x\"), d == ctx.temp_dir())\nctx.defer(lambda: say(ctx, ctx.exists(d)))"),
	function("sigmask", "ctx.sigmask(block = [\"INT\", \"USR1\"])\nctx.run(a)\nctx.sigmask(unblock = [\"INT\"])\nctx.sigmask(block = [\"KIL\"])"),
	function("exists", `say(ctx, [ctx.exists("$DIR/files" + p) for p in ["", "/", "/x", "/x/", "/x/y", "//x", "/./x", "/d", "/d/", "/d//y", "/d/../x", "/none", "/none/../x", "/x/../x"]])`).
		with(map[string]string{"x": "text", "d/y": "more"}, nil),
	function("exists/relative", `ctx.exists("x")`),
	function("exists/label", `ctx.exists("//x")`),
	function("read", `say(ctx, ctx.read("$DIR/files/x"), ctx.read("$DIR//files/./d/../x"))`).with(map[string]string{"x": "text", "d/y": ""}, nil),
	function("read/none", `ctx.read("$DIR/files/none")`).with(map[string]string{"x": ""}, nil),
	function("read/attempt", `attempted(ctx, ctx.attempt(lambda: ctx.read("$DIR/files/x/y")))`).with(map[string]string{"x": ""}, nil),
	function("read/directory", `ctx.read("$DIR/files/")`).with(map[string]string{"x": ""}, nil),
	function("read/large", `ctx.read("$DIR//files/x")`).with(map[string]string{"x": large}, nil),
	function("read/just right", `say(ctx, len(ctx.read("$DIR/files/x")))`).with(map[string]string{"x": large[1:]}, nil),
}

// steps run tasks in tasks, and what is no function.
var steps = []compared{
	{name: "steps", site: `routine("r", [a, b | c, sigmask(block = ["TERM"]), a])`},
	{name: "steps/fails", site: `routine("r", [a, b | c, a])`, replies: []answers{answer("c", complains(1, "no"))}},
	{name: "steps/killed", site: `routine("r", [a, b])`, replies: []answers{answer("a", killed(sigint))}},
	{name: "steps/skip", site: "def f(ctx):\n    ctx.skip(\"enough\")\nroutine(\"r\", [a, f, b])"},
	{name: "steps/timeout", site: `routine("r", [a, b], timeout = "2s")`, replies: []answers{answer("a", hangs)}},
	{name: "steps/timeout of a sleep", site: "def f(ctx):\n    ctx.defer(lambda: ctx.run(c))\n    attempted(ctx, ctx.attempt(lambda: ctx.sleep(\"1h\")))\nroutine(\"r\", [f, b], timeout = \"2s\")"},
	{name: "steps/dnssec", site: "load(\"@palhm//dnssec.star\", \"dnssec_check\")\ndef f(ctx):\n    tell(ctx, ctx.run(dnssec_check(\"example.org\")))\nroutine(\"r\", [dnssec_check(\"example.com\"), f])"},
	{name: "args", site: "def f(ctx):\n    say(ctx, ctx.args.service, ctx.args.count, ctx.args.dry)\nroutine(\"r\", f, args = {\"service\": \"nginx\", \"count\": 3, \"dry\": False})"},
	{name: "args/of a task below", site: "def f(ctx):\n    say(ctx, ctx.args.service)\ns = routine(\"s\", f, args = {\"service\": \"nginx\"})\nroutine(\"r\", [s])"},
	{name: "task", site: "s = routine(\"s\", [a, b])\nroutine(\"r\", [s, c])"},
	{name: "task/fails", site: "s = routine(\"s\", [a, b])\nroutine(\"r\", [s, c])", replies: []answers{answer("b", complains(1, "no"))}},
	{name: "task/skips", site: "def f(ctx):\n    ctx.skip(\"enough\")\ns = routine(\"s\", f)\nroutine(\"r\", [s, c])"},
	{name: "task/run", site: "s = routine(\"s\", [a, b])\ndef f(ctx):\n    tell(ctx, ctx.run(s))\nroutine(\"r\", f)"},
	{name: "task/run and skips", site: "def g(ctx):\n    ctx.skip(\"enough\")\ns = routine(\"s\", [a, g, b])\ndef f(ctx):\n    tell(ctx, ctx.run(s))\nroutine(\"r\", f)"},
	{name: "task/run and fails", site: "s = routine(\"s\", [a, b])\ndef f(ctx):\n    r = ctx.run(s, check = False)\n    tell(ctx, r)\n    if \"No space\" in r.stderr:\n        ctx.run(c)\nroutine(\"r\", f)",
		replies: []answers{answer("b", complains(7, "No space left\n"))}},
	{name: "task/run and fails in a pipeline", site: "s = routine(\"s\", a | b)\ndef f(ctx):\n    tell(ctx, ctx.run(s, check = False))\nroutine(\"r\", f)",
		replies: []answers{answer("a", complains(7, "A\n"))}, raced: true},
	{name: "task/run and is killed", site: "s = routine(\"s\", a)\ndef f(ctx):\n    tell(ctx, ctx.run(s, check = False))\nroutine(\"r\", f)", replies: []answers{answer("a", killed(kill))}},
	{name: "task/run and checked", site: "s = routine(\"s\", a)\ndef f(ctx):\n    ctx.run(s)\nroutine(\"r\", f)", replies: []answers{answer("a", exit(1))}},
	{name: "task/run and times out", site: "s = routine(\"s\", a, timeout = \"2s\")\ndef f(ctx):\n    tell(ctx, ctx.run(s, check = False))\nroutine(\"r\", f)", replies: []answers{answer("a", hangs)}},
	{name: "task/run with a time limit", site: "s = routine(\"s\", a)\ndef f(ctx):\n    tell(ctx, ctx.run(s, timeout = \"2s\", check = False))\nroutine(\"r\", f)", replies: []answers{answer("a", hangs)}},
	{name: "task/function that fails", site: "def g(ctx):\n    ctx.run(a)\ns = routine(\"s\", g)\ndef f(ctx):\n    tell(ctx, ctx.run(s, check = False))\nroutine(\"r\", f)",
		replies: []answers{answer("a", complains(3, "deep\n"))}},
	{name: "task/runs itself", site: "def f(ctx):\n    ctx.run(again)\nagain = routine(\"r\", f)"},
	{name: "task/runs itself and looks", site: "def f(ctx):\n    tell(ctx, ctx.run(again, check = False))\nagain = routine(\"r\", [a, f])"},
	{name: "task/runs itself by another", site: "def f(ctx):\n    ctx.run(other)\nagain = routine(\"r\", f)\ndef g(ctx):\n    ctx.run(again)\nother = routine(\"s\", g)"},
	{name: "task/uses", site: "s = routine(\"s\", a)\nu = routine(\"u\", b)\ndef f(ctx):\n    ctx.run(u)\nroutine(\"r\", f, uses = [s])"},
	{name: "task/with stdin", site: "s = routine(\"s\", a)\ndef f(ctx):\n    ctx.run(s, stdin = \"x\")\nroutine(\"r\", f)"},
	{name: "tasks at once", site: "s = routine(\"s\", [a, b])\nu = routine(\"u\", [c])\ndef f(ctx):\n    say(ctx, [r.ok for r in ctx.parallel([lambda: ctx.run(s), lambda: ctx.run(u, check = False)])])\nroutine(\"r\", f)",
		replies: []answers{answer("c", exit(1))}, unordered: true},
}

// store begins a site whose task "r" is a backup.
const store = "to = localfs(\"$DIR/root\", nb_copy_limit = 1)\n"

// backups make objects.
var backups = []compared{
	{name: "backup", site: store + `backup("r", to, objects = [object("x", a), object("y", a | b, min_size = 2)])`, replies: []answers{answer("a", prints("12"), prints("34"))}},
	{name: "backup/small", site: store + `backup("r", to, objects = [object("x", a, min_size = 3), object("y", b)])`, replies: []answers{answer("a", prints("12"))}},
	{name: "backup/no reply", site: store + `backup("r", to, objects = [object("x", a, min_size = 1)])`},
	{name: "backup/no reply in a pipeline", site: store + `backup("r", to, objects = [object("x", a | b, min_size = 1)])`},
	{name: "backup/empty", site: store + `backup("r", to, objects = [object("x", a)])`},
	{name: "backup/may be empty", site: store + `backup("r", to, objects = [object("x", a, min_size = 0)])`},
	{name: "backup/to null", site: `backup("r", null(), objects = [object("x", a)])`},
	{name: "backup/small for a function", site: store + "s = backup(\"s\", to, objects = [object(\"x\", a | b, min_size = 3)])\ndef f(ctx):\n    tell(ctx, ctx.run(s, check = False))\nroutine(\"r\", f)",
		replies: []answers{answer("a", complains(0, "A\n")), answer("b", simulate.Answer{Stdout: new(string), Stderr: "B\n"})}},
	{name: "backup/fails", site: store + `backup("r", to, objects = [object("x", a), object("y", b | c), object("z", a)])`,
		replies: []answers{answer("a", prints("12")), answer("c", complains(2, "no key\n"))}},
	{name: "backup/retry", site: store + `backup("r", to, objects = [object("x", a | b, retry = 3)])`,
		replies: []answers{answer("b", exit(1), exit(2), prints("12"))}},
	{name: "backup/retry in vain", site: store + `backup("r", to, objects = [object("x", a, retry = 2)])`, replies: []answers{answer("a", exit(1), exit(2), exit(3))}},
	{name: "backup/retry for size", site: store + `backup("r", to, objects = [object("x", a, retry = 1, min_size = 2)])`, replies: []answers{answer("a", prints("1"), prints("12"))}},
	{name: "backup/timeout", site: store + `backup("r", to, objects = [object("x", a | b, timeout = "2s")])`,
		replies: []answers{answer("a", hangs)}},
	{name: "backup/timeout of the task", site: store + `backup("r", to, objects = [object("x", a), object("y", b)], timeout = "2s")`, replies: []answers{answer("a", hangs)}},
	{name: "backup/groups", site: store + `g = group("g", objects = [object("x", a), object("y", b)])
h = group("h", objects = [object("z", c)], depends = [g])
backup("r", to, groups = [h], objects = [object("w", a)])`, replies: []answers{answer("a", prints("1"), prints("2")), answer("b", prints("3")), answer("c", prints("4"))}},
	{name: "backup/functions", site: store + `
def list(ctx):
    return [object(name, b(name)) for name in ctx.run(a).stdout.split()]
g = group("g", objects = list)
backup("r", to, groups = [group("h", objects = [object("z", c)], depends = [g]), g])`,
		replies: []answers{answer("a", prints("x y")), answer("b x", prints("1")), answer("b y", prints("2")), answer("c", prints("3"))}},
	{name: "backup/functions give the same", site: store + "backup(\"r\", to, groups = [group(\"g\", objects = lambda ctx: [object(\"x\", a)])], objects = [object(\"x\", b)])"},
	{name: "backup/functions give nothing", site: store + "backup(\"r\", to, groups = [group(\"g\", objects = lambda ctx: [])])"},
	{name: "backup/functions give None", site: store + "def f(ctx):\n    ctx.run(a)\nbackup(\"r\", to, groups = [group(\"g\", objects = f)])"},
	{name: "backup/functions fail", site: store + "def f(ctx):\n    ctx.run(a)\nbackup(\"r\", to, groups = [group(\"g\", objects = f)])", replies: []answers{answer("a", complains(1, "no"))}},
	{name: "backup/functions skip", site: store + "def f(ctx):\n    ctx.skip(\"x\")\nbackup(\"r\", to, groups = [group(\"g\", objects = f)])"},
	{name: "backup/functions run tasks", site: store + "s = routine(\"s\", a)\ndef f(ctx):\n    ctx.run(s)\nbackup(\"r\", to, groups = [group(\"g\", objects = f)])"},
	{name: "backup/functions have directories", site: store + "dirs = []\ndef f(ctx):\n    d = ctx.temp_dir()\n    say(ctx, ctx.exists(d))\n    return [object(\"x\", a)]\nbackup(\"r\", to, groups = [group(\"g\", objects = f)])",
		replies: []answers{answer("a", prints("1"))}},
	{name: "backup/secret", site: store + `backup("r", to, objects = [object("x", a(env = {"PW": secret(env = "KEY")}))])`, env: map[string]string{"KEY": ""}},
	{name: "backup/twice", site: store + `s = backup("s", to, objects = [object("x", a)])
def f(ctx):
    n = ctx.now()
    tell(ctx, ctx.run(s))
    tell(ctx, ctx.run(s))
    say(ctx, ctx.now().unix - n.unix)
routine("r", f)`, replies: []answers{answer("a", prints("1"), prints("2"))}},
	{name: "backup/above the limit", site: `s = backup("s", localfs("$DIR/root", root_size_limit = 3), objects = [object("x", a)])
def f(ctx):
    tell(ctx, ctx.run(s))
routine("r", [f, b])`, replies: []answers{answer("a", prints("1234"))}},
	{name: "backup/below fails", site: store + "s = backup(\"s\", to, objects = [object(\"x\", a)])\nroutine(\"r\", [s, b])", replies: []answers{answer("a", complains(1, "no"))}},
}
