package starlib_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// Whatever a function of a site has captured is read only when it runs: two runs at the
// same time share it, and so do two runs one after the other.
func TestFunctionsShareNothingThatChanges(t *testing.T) {
	for name, text := range map[string]string{
		"captured dict": `
def make():
    seen = {}
    def f(ctx):
        seen[len(seen)] = 1
    return f
routine("t", make())`,
		"captured by what is captured": `
def make():
    seen = []
    helper = [lambda: seen.append(1)]
    return lambda ctx: helper[0]()
routine("t", make())`,
		"default of a parameter": `
def make():
    def f(ctx, seen = []):
        seen.append(1)
    return f
routine("t", make())`,
		"default of a lambda": `routine("t", lambda ctx, seen = set(): seen.add(1))`,
		"captured variable of a comprehension": `
routine("t", [lambda ctx, seen = seen: seen.update({len(seen): 1}) for seen in [{}]])`,
		"captured, and handed on": `
def add(ctx, to):
    to.append(1)
def make():
    seen = []
    return lambda ctx: ctx.attempt(add, ctx, seen).ok or ctx.fail(ctx.attempt(add, ctx, seen).error)
routine("t", make())`,
		"captured struct": `
def make():
    s = struct(seen = [])
    return lambda ctx: s.seen.append(1)
routine("t", make())`,
		"given to branches": `
def f(ctx):
    seen = []
    ctx.parallel([lambda: seen.append(1)] * 4)
routine("t", f)`,
		"a method of what is shared": `
def f(ctx):
    seen = []
    ctx.parallel([lambda: ctx.attempt(seen.append, 1).ok or ctx.fail("cannot append to frozen list; list(x) is a copy")] * 4)
routine("t", f)`,
		"a global, of a module too": `
seen = []
routine("t", lambda ctx: seen.append(1))`,
	} {
		t.Run(name, func(t *testing.T) {
			f := step(t, text)
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					err := f.Run(t.Context(), new(fakeRuntime))
					if err == nil || !strings.Contains(err.Error(), "frozen") || !strings.Contains(err.Error(), "list(x)") {
						t.Errorf("got %v, want an error that says what to do", err)
					}
				})
			}
			wg.Wait()
		})
	}
}

// Functions that give the objects of two groups run at the same time: what they share
// cannot be changed by either.
func TestGroupFunctionsShareNothing(t *testing.T) {
	site, err := loadText(t, `
def make(prefix):
    numbers = {}
    def f(ctx):
        for i in range(100):
            numbers[prefix + str(i)] = len(numbers)
        return [object("%s/%d" % (prefix, n), exec("true")) for n in numbers.values()]
    return f
f = make("x")
backup("b", null(), groups = [group("a", f), group("b", f)])
`)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, g := range site.Task("b").Backup.Groups {
		wg.Go(func() {
			objects, err := g.Make.Func.Objects(t.Context(), new(fakeRuntime))
			if err == nil || !strings.Contains(err.Error(), "frozen") {
				t.Errorf("got %d objects, %v", len(objects), err)
			}
		})
	}
	wg.Wait()
}

// What a function makes is its own, and its deferred functions see how it was changed.
func TestFunctionChangesItsOwn(t *testing.T) {
	f := step(t, `
def make():
    names = []
    def f(ctx):
        mine = list(names)
        made = {}
        ctx.defer(lambda: ctx.log("removes %s" % sorted(made)))
        for n in mine:
            made[n] = ctx.parallel([lambda: [n]])[0]
            made[n].append("x")
            ctx.attempt(mine.append, n)
        ctx.log("%s %s" % (made, len(mine)))
    routine("t", f)
    names.append("a") # the site goes on loading
    names.append("b")
make()
`)
	for range 2 {
		rt := new(fakeRuntime)
		if err := f.Run(t.Context(), rt); err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprint(rt.log), `[{"a": ["a", "x"], "b": ["b", "x"]} 2 removes ["a", "b"]]`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// A function that names itself is a circle, in which Starlark's own Freeze would not end.
func TestFunctionInACircle(t *testing.T) {
	for name, text := range map[string]string{
		"itself": `
def make():
    def f(ctx):
        if ctx.args.force:
            f(ctx)
    return f
routine("t", make())`,
		"two": `
def make():
    def f(ctx):
        later(ctx)
    def later(ctx):
        f(ctx)
    return f
f = make()`,
		"in a tuple": `
def make():
    both = None
    def f(ctx):
        both[0](ctx)
    both = (f, 1)
    return both
f = make()`,
		"in what a list holds": `
def make():
    def f(ctx):
        f(ctx)
    return [[f]]
fs = make()`,
		"beside a list that is in a circle": `
def make():
    def f(ctx):
        all[0](ctx)
        g(ctx)
    def g(ctx):
        f(ctx)
    all = [f, g]
    return f
f = make()`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := loadText(t, text)
			if err == nil || !strings.Contains(err.Error(), "uses itself") || !strings.Contains(err.Error(), "write a loop") {
				t.Errorf("got %v", err)
			}
		})
	}
	f := step(t, `
def f(ctx):
    def again():
        again()
    ctx.parallel([again])
routine("t", f)`)
	if err := f.Run(t.Context(), new(fakeRuntime)); err == nil || !strings.Contains(err.Error(), "site.star:5:5: ctx.parallel: the function again uses itself") {
		t.Errorf("got %v", err)
	}
	// A list or dict in between ends the circle.
	f = step(t, `
def make():
    all = {}
    def f(ctx):
        ctx.log(", ".join(all.keys()))
    all["f"] = f
    return f
f = make()
loop = [f]
loop.append(loop)
routine("t", f)`)
	if err := f.Run(t.Context(), new(fakeRuntime)); err != nil {
		t.Errorf("got %v", err)
	}
}
