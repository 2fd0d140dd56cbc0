package starlib_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"palhm/runtime/plan"
	"palhm/starlib"
)

// Values that are nested without end, or grow without end, would take palhm down: Go
// cannot recover from a stack or a memory that is used up. Each error has its place.
func TestRunawayValues(t *testing.T) {
	const deep = "nested more than 1000 deep"
	for name, c := range map[string]struct{ body, want string }{
		"tuple that is printed":      {"x = 1\nfor i in range(10000000):\n    x = (x,)\nprint(\"%s\" % (x,))", deep},
		"list that is frozen":        {"x = 1\nfor i in range(100000000):\n    x = [x]", deep},
		"dict":                       {"x = 1\nfor i in range(100000000):\n    x = {1: x}", deep},
		"struct":                     {"x = 1\nfor i in range(100000000):\n    x = struct(x = x)", deep},
		"key of a dict":              {"x = 1\nfor i in range(100000000):\n    x = (x,)\ny = {x: 1}", deep},
		"zip":                        {"x = [1]\nfor i in range(100000000):\n    x = zip(x)", deep},
		"lambda":                     {"x = None\nfor i in range(100000000):\n    x = lambda x = x: x", deep},
		"method":                     {"x = []\nfor i in range(100000000):\n    x = [x.append]", deep},
		"in a set":                   {"x = 1\nfor i in range(100000000):\n    x = (set([(x,)]),)[0].union\n", deep},
		"json of it":                 {"x = 1\nfor i in range(1100):\n    x = [x]\njson.encode(x)", deep},
		"indented":                   {"x = 1\nfor i in range(1100):\n    x = [x]\njson.encode_indent(x)", deep},
		"a list of a range":          {"x = list(range(10000000000))", "list: got a range of 10000000000 elements, want at most 10000000"},
		"sorted":                     {"x = sorted(range(1 << 40), reverse = True)", "sorted: got a range"},
		"max":                        {"x = max(range(1 << 40))", "max: got a range"},
		"zip of one":                 {"x = zip([1], range(1 << 40))", "zip: got a range"},
		"json.decode":                {"x = json.decode(\"[\" * 5000000)", "json.decode: at offset 1000, more than 1000 brackets are open"},
		"json.decode of objects":     {"x = json.decode('{\"a\":' * 1000000)", "more than 1000 brackets are open"},
		"json.decode of many":        {"x = json.decode(\"[\" + \"{},\" * 1000001 + \"1]\")", "more than 1000000 lists and objects"},
		"json.decode behind a quote": {`x = json.decode('["\\"[",' + "[" * 5000000)`, "at offset 1006, more than 1000 brackets"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := loadText(t, c.body+"\n")
			check(t, err, c.want)
			f := step(t, "def f(ctx):\n    "+strings.ReplaceAll(c.body, "\n", "\n    ")+"\n    json.encode([x])\nroutine(\"t\", f)\n")
			check(t, f.Run(t.Context(), new(fakeRuntime)), c.want)
		})
	}
}

func check(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	} else if !strings.HasPrefix(err.Error(), "site.star:") {
		t.Errorf("got %v, which has no place", err)
	}
}

func TestRunawayList(t *testing.T) {
	_, err := loadText(t, "x = [1] * 10000001\nfor i in range(1 << 40):\n    pass\n")
	check(t, err, "more than 10000000 values")
}

// Deep data from a command is bad data, for which a site may have said what to do.
func TestDeepJSON(t *testing.T) {
	rt := &fakeRuntime{run: func(context.Context, plan.Step) (*plan.Result, error) {
		return &plan.Result{Stdout: []byte(strings.Repeat("[", plan.MaxCapture))}, nil
	}}
	f := step(t, `
def f(ctx):
    text = ctx.run(exec("lsblk")).stdout
    ctx.log("%s %s" % (json.decode(text, default = None), json.decode(text, "bad")))
    ctx.log(ctx.attempt(json.decode, text).error)
    ctx.log("%s %s" % (json.decode("[" * 1000 + "]" * 1000) != [], json.decode('["[{\\"[", 1]')))
    ctx.log(json.encode({"a": [1, (2, 3)]}) + json.indent("[1]"))
routine("t", f)`)
	if err := f.Run(t.Context(), rt); err != nil {
		t.Fatal(err)
	}
	want := `[None bad json.decode: at offset 1000, more than 1000 brackets are open True ["[{\"[", 1] {"a":[1,[2,3]]}[
	1
]]`
	if got := fmt.Sprint(rt.log); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// What ends one function because of its values is no reason to give up what it deferred.
func TestRunawayIsCleanedUp(t *testing.T) {
	f := step(t, `
def f(ctx):
    ctx.defer(lambda: ctx.log("cleaned"))
    ctx.attempt(grow)
    ctx.log("goes on")
def grow():
    x = 1
    for i in range(1 << 40):
        x = [x]
routine("t", f)`)
	rt := new(fakeRuntime)
	check(t, f.Run(t.Context(), rt), "nested more than 1000 deep")
	if got := fmt.Sprint(rt.log); got != "[cleaned]" {
		t.Errorf("got the log %s", got)
	}
}

// Between two looks at the values of a thread a text can grow without end.
func TestRunawayText(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"site.star": `
texts = []
for i in range(10000):
    texts.append("%d" % i + "a" * 1000000)
`})
	_, _, err := starlib.LoadInMemory(t.Context(), testConfig(dir), "site.star", 200<<20)
	check(t, err, "it takes more memory than any site needs")
}

// What execs have in them is no deeper than what a plan shows.
func TestInverseHasNoInverse(t *testing.T) {
	site, err := loadText(t, `
x = exec("a", "0")
for i in range(1, 100):
    x = exec("a", str(i), inverse = x)
if x.inverse.argv != ("a", "98") or x.inverse.inverse != None:
    fail(x.inverse, x.inverse.inverse)
routine("t", x)
`)
	if err != nil {
		t.Fatal(err)
	}
	if undo := site.Task("t").Routine.Steps[0].Pipeline[0].Inverse; undo == nil || undo.Inverse != nil {
		t.Errorf("got the inverse %v", undo)
	}
}

// A site may call its own things as Starlark calls its.
func TestBoundedNamesAreFree(t *testing.T) {
	if _, err := loadText(t, `
list = sorted(enumerate(reversed(list(zip(tuple(set([2]), ), [1])))))
if list != [(0, (2, 1))]:
    fail(list)
`); err != nil {
		t.Error(err)
	}
}
