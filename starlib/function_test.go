package starlib_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"palhm/runtime/plan"
	"palhm/starlib"
)

// fakeRuntime runs nothing: every command ends well and prints its own line.
type fakeRuntime struct {
	mu  sync.Mutex
	ran []string
	log []string
	run func(ctx context.Context, s plan.Step) (*plan.Result, error) // nil = as above
	// logs is called for each line that is logged; nil = nothing is.
	logs func()
}

func (f *fakeRuntime) Run(ctx context.Context, s plan.Step, _ plan.RunOptions) (*plan.Result, error) {
	line := s.TaskName
	if s.Task == nil {
		line = strings.Join(s.Pipeline[0].Argv, " ")
	}
	f.mu.Lock()
	f.ran = append(f.ran, line)
	f.mu.Unlock()
	if f.run != nil {
		return f.run(ctx, s)
	}
	return &plan.Result{Stdout: []byte(line)}, nil
}

func (f *fakeRuntime) Log(_ plan.Pos, _ plan.LogLevel, msg string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, msg)
	if f.logs != nil {
		f.logs()
	}
}

func (f *fakeRuntime) Sigmask(context.Context, plan.Pos, plan.Sigmask) error { return nil }
func (f *fakeRuntime) Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
func (f *fakeRuntime) Now() time.Time {
	return time.Date(2022, 5, 1, 8, 59, 17, 0, time.FixedZone("CEST", 7200))
}
func (f *fakeRuntime) TempDir() (string, error)                         { return "/tmp/x", nil }
func (f *fakeRuntime) Exists(string) (bool, error)                      { return true, nil }
func (f *fakeRuntime) ReadFile(context.Context, string) ([]byte, error) { return []byte("text"), nil }
func (f *fakeRuntime) Args() map[string]any {
	return map[string]any{"service": "nginx", "count": int64(3), "force": true}
}
func (f *fakeRuntime) Sequential() bool { return false }
func (f *fakeRuntime) Grace(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
}

// step loads a site and gives the function that is the first step of its task "t".
func step(t *testing.T, text string) plan.Func {
	t.Helper()
	site, err := loadText(t, text)
	if err != nil {
		t.Fatal(err)
	}
	return site.Task("t").Routine.Steps[0].Call.Func
}

func TestFunctionSees(t *testing.T) {
	f := step(t, `
def f(ctx):
    now = ctx.now()
    ctx.log("%s %d %s %s" % (ctx.args.service, ctx.args.count, ctx.args.force, ctx.host.name))
    ctx.log("%s %s %s %s %d:%d" % (now.utc, now.date, now.weekday, now.zone, now.hour, now.unix))
    print("printed")
    ctx.log(ctx.read("/x"))
    ctx.log(str(dir(ctx)))
routine("t", f)
`)
	rt := new(fakeRuntime)
	if err := f.Run(t.Context(), rt); err != nil {
		t.Fatal(err)
	}
	want := []string{"nginx 3 True web1", "2022-05-01T06:59:17Z 2022-05-01 Sunday CEST 8:1651388357", "site.star:6:5: printed", "text",
		`["args", "attempt", "defer", "exists", "fail", "host", "log", "now", "parallel", "read", "run", "sigmask", "skip", "sleep", "temp_dir", "warn"]`}
	if got := strings.Join(rt.log, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// What a function does is its own, also when it runs many times at once and in
// branches; -race sees whether something is shared that must not be.
func TestFunctionsRunAtOnce(t *testing.T) {
	f := step(t, `
base = exec("echo", env = {"A": "b"})
def one(ctx, i):
    wrong = ctx.attempt(lambda: exec("a", tiemout = "5s"))
    missing = ctx.attempt(lambda: ctx.rum())
    if host.os.id != "debian" or wrong.ok or missing.ok:
        fail("no", wrong.error)
    return ctx.run(base(i, "~/x") | exec("cat")).stdout
def f(ctx):
    ctx.defer(lambda: ctx.log("done"))
    got = ctx.parallel([lambda i = i: one(ctx, i) for i in range(20)])
    if got != ["echo %d ~/x" % i for i in range(20)]:
        fail(got)
    ctx.parallel([lambda: ctx.parallel([lambda: ctx.defer(lambda: ctx.log("nested"))])])
    g = group("g", [object("x", base)])
    if g.objects[0].path != "x":
        fail("path")
routine("t", f)
`)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			rt := new(fakeRuntime)
			if err := f.Run(t.Context(), rt); err != nil {
				t.Error(err)
			}
			if got := fmt.Sprint(rt.log); got != "[nested done]" {
				t.Errorf("got the log %s", got)
			}
		})
	}
	wg.Wait()
}

// limit bounds how many branches run, and all of them run.
func TestParallelKeepsToItsLimit(t *testing.T) {
	for _, limit := range []int{1, 3} {
		var running, most, ran atomic.Int32
		rt := &fakeRuntime{run: func(context.Context, plan.Step) (*plan.Result, error) {
			n := running.Add(1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			time.Sleep(2 * time.Millisecond)
			running.Add(-1)
			ran.Add(1)
			return new(plan.Result), nil
		}}
		f := step(t, fmt.Sprintf(`routine("t", lambda ctx: ctx.parallel([lambda: ctx.run(exec("a"))] * 12, limit = %d))`, limit))
		if err := f.Run(t.Context(), rt); err != nil {
			t.Fatal(err)
		}
		if most.Load() > int32(limit) || ran.Load() != 12 {
			t.Errorf("limit %d: %d ran at a time, %d in all", limit, most.Load(), ran.Load())
		}
	}
}

// An error has the place in the function, the calls that led there and what failed.
func TestFunctionFails(t *testing.T) {
	sick := errors.New("the disk is sick")
	for _, c := range []struct {
		name, text, want string
		is               error
	}{
		{"of what it runs", `
def g(ctx):
    ctx.run(exec("dd"))
def f(ctx):
    g(ctx)
routine("t", f)`, `site.star:3:5: ctx.run: the disk is sick
    ctx.run(exec("dd"))
    ^
  in g(), called at site.star:5:5`, sick},
		{"of a branch", `
def f(ctx):
    ctx.parallel([
        lambda: None,
        lambda: ctx.run(exec("dd")),
    ], limit = 1)
routine("t", f)`, `site.star:5:17: ctx.run: the disk is sick
    lambda: ctx.run(exec("dd")),
            ^
  in branch 2 of ctx.parallel, called at site.star:3:5`, sick},
		{"of an argument", `
def f(ctx):
    ctx.sleep(
        5)
routine("t", f)`, `site.star:4:9: ctx.sleep: duration: got 5, want a duration in quotes, such as "90s", "2h", "1h30m" or "7d"
    5)
    ^
  hint: seconds are written "5s"`, nil},
		{"of several", `
def f(ctx):
    ctx.run(exec("a"), chek = 1, capture = "some")
routine("t", f)`, `site.star:3:24: ctx.run: no keyword chek (did you mean check?)
    ctx.run(exec("a"), chek = 1, capture = "some")
                       ^
  also site.star:3:44: ctx.run: capture: got the string "some", want "all", "tail" or "none"
      ctx.run(exec("a"), chek = 1, capture = "some")
                                             ^`, nil},
		{"in a standard module", `
load("@palhm//core.star", "tar")
def f(ctx):
    tar("-C", 1.5)
routine("t", f)`, `site.star:4:15: exec tar: argv[1]: got the float 1.5, want a string
    tar("-C", 1.5)
              ^`, nil},
		{"of a call of another function", `
def g(ctx, name):
    pass
def f(ctx):
    g(ctx)
routine("t", f)`, `site.star:5:5: function g missing 1 argument (name)
    g(ctx)
    ^
  hint: it is called g(ctx, name)`, nil},
		{"of a deferred function that defers", `
def f(ctx):
    ctx.defer(lambda: ctx.defer(lambda: None))
routine("t", f)`, `site.star:3:23: ctx.defer: a deferred function cannot defer another
    ctx.defer(lambda: ctx.defer(lambda: None))
                      ^
  in a deferred function, called at site.star:3:5
  hint: call it`, nil},
		{"of a function that calls itself in branches", `
def f(ctx):
    ctx.parallel([lambda: f(ctx)])
routine("t", f)`, `site.star:3:5: ctx.parallel: function lambda called recursively
    ctx.parallel([lambda: f(ctx)])
    ^
  in f(), called at site.star:3:27
  in branch 1 of ctx.parallel, called at site.star:3:5
  hint: write a loop`, nil},
		{"of an exec that is called for a function", `
def f(ctx):
    ctx.parallel([exec("a"), ctx.run(exec("a"), check = False)])
routine("t", f)`, `site.star:3:19: ctx.parallel: fns[0]: got an exec, want a function, such as lambda: ctx.run(...)
    ctx.parallel([exec("a"), ctx.run(exec("a"), check = False)])
                  ^
  also site.star:3:30: ctx.parallel: fns[1]: got a result, want a function, such as lambda: ctx.run(...)
      ctx.parallel([exec("a"), ctx.run(exec("a"), check = False)])
                               ^
    hint: it is given without being called`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			rt := &fakeRuntime{run: func(context.Context, plan.Step) (*plan.Result, error) { return new(plan.Result), sick }}
			err := step(t, c.text).Run(t.Context(), rt)
			if err == nil || err.Error() != c.want {
				t.Fatalf("got\n%v\nwant\n%s", err, c.want)
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("the cause is lost: %#v", err)
			}
			if _, ok := errors.AsType[*starlib.Error](err); !ok {
				t.Errorf("got %T, want *starlib.Error", err)
			}
		})
	}
}

// A fault of palhm in something that a function calls is an error with a place.
func TestPanicIsAnError(t *testing.T) {
	rt := &fakeRuntime{run: func(context.Context, plan.Step) (*plan.Result, error) { panic("at the disco") }}
	f := step(t, `
routine("t", lambda ctx: ctx.parallel([lambda: ctx.run(exec("a"))]))
`)
	err := f.Run(t.Context(), rt)
	if err == nil || !strings.HasPrefix(err.Error(), "site.star:2:48: ctx.run: internal error: at the disco") {
		t.Errorf("got %v", err)
	}
}

// What ends the context of a function ends it, with that as the cause, at once and
// whatever it does; what it deferred still runs, and has the time that Grace gives.
func TestFunctionIsCancelled(t *testing.T) {
	for name, body := range map[string]string{
		"sleep":            `ctx.sleep("1h")`,
		"run":              `ctx.run(exec("hang"))`,
		"run, unchecked":   `ctx.run(exec("hang"), check = False)`,
		"attempt":          `ctx.attempt(lambda: ctx.sleep("1h"))`,
		"attempt to spin":  `ctx.attempt(spin)`,
		"spin":             `spin()`,
		"parallel":         `ctx.parallel([spin, lambda: ctx.sleep("1h")])`,
		"limited parallel": `ctx.parallel([lambda: ctx.sleep("1h")] * 10, limit = 1)`,
	} {
		t.Run(name, func(t *testing.T) {
			f := step(t, `
def spin():
    for i in range(1 << 40):
        for j in range(1 << 40):
            pass
def f(ctx):
    ctx.defer(lambda: ctx.run(exec("clean")))
    ctx.log("begins")
    `+body+`
    ctx.log("goes on")
routine("t", f)
`)
			cause := errors.New("told to stop")
			ctx, cancel := context.WithCancelCause(t.Context())
			rt := &fakeRuntime{run: func(ctx context.Context, s plan.Step) (*plan.Result, error) {
				if s.Pipeline[0].Argv[0] == "clean" {
					return new(plan.Result), ctx.Err()
				}
				<-ctx.Done()
				return new(plan.Result), errors.New("killed")
			}}
			rt.logs = func() { time.AfterFunc(20*time.Millisecond, func() { cancel(cause) }) } // once it has begun
			err := f.Run(ctx, rt)
			if !errors.Is(err, cause) || !strings.Contains(err.Error(), "stopped: told to stop") {
				t.Errorf("got %v, want the cause", err)
			}
			if strings.Contains(err.Error(), "ctx.attempt: ") {
				t.Errorf("got %v, want the place where it was", err)
			}
			if got := fmt.Sprint(rt.log); got != "[begins]" {
				t.Errorf("got the log %s: the function has gone on", got)
			}
			if len(rt.ran) == 0 || rt.ran[len(rt.ran)-1] != "clean" {
				t.Errorf("ran %q, want the deferred function last", rt.ran)
			}
		})
	}
}

func TestFunctionSkipsAndGivesUp(t *testing.T) {
	f := step(t, `routine("t", lambda ctx: ctx.attempt(lambda: ctx.skip("no news")))`)
	err := f.Run(t.Context(), new(fakeRuntime))
	if skip, ok := errors.AsType[*plan.Skip](err); !ok || skip.Msg != "no news" || skip.Pos.Line != 1 {
		t.Errorf("got %v, want a skip", err)
	}
	f = step(t, `routine("t", lambda ctx: ctx.fail("no; never"))`)
	err = f.Run(t.Context(), new(fakeRuntime))
	if failure, ok := errors.AsType[*plan.Failure](err); !ok || failure.Msg != "no; never" {
		t.Errorf("got %v, want a failure", err)
	}
	// A routine that had nothing to do and cannot clean up has failed.
	f = step(t, `
def f(ctx):
    ctx.defer(lambda: ctx.fail("stuck"))
    ctx.skip("no news")
routine("t", f)`)
	err = f.Run(t.Context(), new(fakeRuntime))
	if _, skips := errors.AsType[*plan.Skip](err); skips || err == nil {
		t.Errorf("got %v, want only the failure", err)
	}
}

// A branch that has nothing to do ends itself and nothing else: the others go on, and so
// does the function that waits for them.
func TestBranchSkips(t *testing.T) {
	rt := new(fakeRuntime)
	skipped := make(chan struct{})
	rt.run = func(ctx context.Context, s plan.Step) (*plan.Result, error) {
		select {
		case <-skipped:
		case <-ctx.Done():
		}
		return new(plan.Result), ctx.Err()
	}
	log := &logRuntime{rt, func(msg string) {
		if strings.Contains(msg, "no news") {
			close(skipped)
		}
	}}
	f := step(t, `
def nothing(ctx):
    ctx.attempt(lambda: ctx.parallel([lambda: ctx.attempt(lambda: ctx.skip("no news"))]) and ctx.skip("none at all"))
def f(ctx):
    got = ctx.parallel([lambda: ctx.run(exec("dump")).ok, lambda: nothing(ctx)])
    ctx.log("%s, and on" % got)
routine("t", f)`)
	if err := f.Run(t.Context(), log); err != nil {
		t.Fatalf("got %v, want no skip of the whole", err)
	}
	want := "nothing to do in branch 1 of ctx.parallel: no news\nnothing to do in branch 2 of ctx.parallel: none at all\n[True, None], and on"
	if got := strings.Join(rt.log, "\n"); got != want {
		t.Errorf("got the log\n%s\nwant\n%s", got, want)
	}
}

// logRuntime tells of what is logged.
type logRuntime struct {
	*fakeRuntime
	heard func(string)
}

func (l *logRuntime) Log(pos plan.Pos, level plan.LogLevel, msg string) {
	l.fakeRuntime.Log(pos, level, msg)
	l.heard(msg)
}

// What fails in one branch, or ends all, is not lost because another had nothing to do.
func TestSkipSwallowsNothing(t *testing.T) {
	sick := errors.New("the disk is sick")
	rt := &fakeRuntime{run: func(context.Context, plan.Step) (*plan.Result, error) { return new(plan.Result), sick }}
	for name, body := range map[string]string{
		"before":          `ctx.parallel([lambda: ctx.skip("no news"), lambda: ctx.run(exec("dump"))], limit = 1)`,
		"behind":          `ctx.parallel([lambda: ctx.run(exec("dump")), lambda: ctx.skip("no news")])`,
		"in an attempt":   `ctx.attempt(lambda: ctx.parallel([lambda: ctx.skip("no news"), lambda: ctx.run(exec("dump"))])).ok or ctx.run(exec("dump"))`,
		"deferred":        `[ctx.defer(lambda: ctx.run(exec("dump"))), ctx.parallel([lambda: ctx.skip("no news")]), ctx.skip("none")]`,
		"from a branch":   `ctx.parallel([lambda: ctx.defer(lambda: ctx.run(exec("dump"))), lambda: ctx.skip("no news")])`,
		"skip all, go on": `[ctx.parallel([lambda: ctx.skip("no news")]), ctx.run(exec("dump"))]`,
	} {
		t.Run(name, func(t *testing.T) {
			err := step(t, "routine(\"t\", lambda ctx: "+body+")").Run(t.Context(), rt)
			if _, skips := errors.AsType[*plan.Skip](err); skips || !errors.Is(err, sick) {
				t.Errorf("got %v, want the failure", err)
			}
		})
	}
	// A cancel outweighs it.
	cause := errors.New("told to stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	log := &logRuntime{new(fakeRuntime), func(string) { cancel(cause) }}
	err := step(t, `routine("t", lambda ctx: ctx.parallel([lambda: ctx.skip("no news")] * 3, limit = 1))`).Run(ctx, log)
	if _, skips := errors.AsType[*plan.Skip](err); skips || !errors.Is(err, cause) {
		t.Errorf("got %v, want the cancel", err)
	}
}

// Neither a group's function nor a deferred one can skip, in branches neither.
func TestSkipIsRefused(t *testing.T) {
	err := step(t, `routine("t", lambda ctx: ctx.defer(lambda: ctx.parallel([lambda: ctx.skip("x")])))`).Run(t.Context(), new(fakeRuntime))
	if err == nil || !strings.Contains(err.Error(), "this is a deferred function") {
		t.Errorf("got %v", err)
	}
	site, err := loadText(t, `backup("b", null(), groups = [group("g", lambda ctx: ctx.parallel([lambda: ctx.skip("x")]))])`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := site.Task("b").Backup.Groups[0].Make.Func.Objects(t.Context(), new(fakeRuntime)); err == nil || !strings.Contains(err.Error(), "it ends a routine") {
		t.Errorf("got %v", err)
	}
}

// A failure that a step hands to palhm is one, in whatever it stands; so is what was
// never run and is returned by what nobody looks at.
func TestReturnOfAFailure(t *testing.T) {
	sick := errors.New("the disk is sick")
	rt := &fakeRuntime{run: func(context.Context, plan.Step) (*plan.Result, error) { return new(plan.Result), sick }}
	for body, want := range map[string]string{
		`ctx.run(exec("dump"), check = False)`:                                       "returned a result that is not ok: the disk is sick\n",
		`ctx.attempt(lambda: ctx.run(exec("dump")))`:                                 "returned a result that is not ok: ctx.run: the disk is sick\n",
		`ctx.attempt(lambda: ctx.run(exec("dump"), check = False))`:                  "returned a result that is not ok: the disk is sick\n",
		`ctx.parallel([lambda: None, lambda: ctx.run(exec("dump"), check = False)])`: "returned a result that is not ok: the disk is sick\n",
		`{"a": (1, [ctx.run(exec("dump"), check = False)])}`:                         "returned a result that is not ok: the disk is sick\n",
		`[1, exec("dump") | exec("zstd")]`:                                           "returned a pipeline, which has not been run\n",
		`ctx.defer(lambda: exec("umount"))`:                                          "returned an exec, which has not been run\n",
		`False`:                                                                      "returned False, which means nothing here\n",
	} {
		err := step(t, "routine(\"t\", lambda ctx: "+body+")").Run(t.Context(), rt)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", body, err, want)
		} else if strings.Contains(want, "sick") && !errors.Is(err, sick) {
			t.Errorf("%s: the cause is lost: %v", body, err)
		}
	}
	for _, body := range []string{
		`ctx.run(exec("dump"), check = False).stdout`,
		`ctx.defer(lambda: ctx.run(exec("umount"), check = False))`,
		`[ctx.run(exec("dump"), check = False).ok, False]`,
	} {
		if err := step(t, "routine(\"t\", lambda ctx: "+body+")").Run(t.Context(), rt); err != nil {
			t.Errorf("%s: got %v", body, err)
		}
	}
}

func TestObjectsOfAFunction(t *testing.T) {
	site, err := loadText(t, `
def f(ctx):
    return [object(p, exec("dump", p), min_size = 1) for p in ctx.run(exec("a", "b")).stdout.split()]
backup("b", null(), groups = [group("g", f)])
`)
	if err != nil {
		t.Fatal(err)
	}
	g := site.Task("b").Backup.Groups[0]
	objects, err := g.Make.Func.Objects(t.Context(), new(fakeRuntime))
	if err != nil || len(objects) != 2 || objects[1].Path != "b" || objects[1].Pipeline[0].Argv[1] != "b" {
		t.Errorf("got %v, %v", objects, err)
	}
}
