package starlib

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.starlark.net/starlark"

	"palhm/runtime/plan"
	"palhm/runtime/simulate"
)

// testStart is when a simulation begins that does not say when.
const testStart = "2026-01-01T00:00:00Z"

func testSimulate(r *tester) *builtin {
	return &builtin{
		Doc: Doc{
			Name: "t.simulate",
			Text: `Plays a task: it runs as palhm run would run it, but every command and check is answered from replies. Nothing is started, and no file is
read or written. A command without a reply succeeds and prints nothing; in a pipeline it passes on what the stage before it prints. An
object that comes out empty or below its min_size fails, as in a run: give its last command a reply. A task without a reply is played too,
one thing after the other, as with nb_workers = 1. Time passes when ctx.sleep, a pause before an attempt or a reply with takes = ... lets it, and
ctx.parallel calls its functions one after the other. A secret has some value, unless env gives it one or says with None that there is none.

A key of replies is a pattern for a whole command line, as palhm plan writes it, in which * stands for any text: "systemctl reboot*". It
is compared with each command of a pipeline, or with the whole of it when it has " | ". "task:update" is the task update, and
"dnssec_check:example.org" a check. A value is t.exit(1), t.killed("TERM"), or a string that is printed; a list has one
for each time. The first key that fits counts. A reply that nobody asks for makes the test fail, because it may be misspelt.

The result r has

- r.ok, r.exit: whether the task went well, and the exit code of palhm run
- r.error: why it failed, or None
- r.skipped: what ctx.skip said, or None
- r.ran: what ran, a list of strings: command lines, and "task:save", "sigmask:block SIGTERM", "dnssec_check:example.org"
- r.objects: the paths of the objects that backups made, a list of strings
- r.log, r.warnings: what ctx.log and ctx.warn said, and what failed when the main work was safe; lists of strings
- r.end: the simulated time at the end, such as "2026-01-01T00:00:00Z"`,
			Params: []Param{
				{Name: "task", Type: "string", Doc: "the name of the task"},
				{Name: "replies", Type: "dict", Default: "{}", KeywordOnly: true, Doc: "what commands and tasks get"},
				{Name: "args", Type: "dict", Default: "{}", KeywordOnly: true, Doc: "arguments of the routine, as in ctx.args"},
				{Name: "files", Type: "dict", Default: "{}", KeywordOnly: true, Doc: "the text of each file, by its absolute path: all that ctx.exists and ctx.read see"},
				{Name: "now", Type: "string", Default: `"` + testStart + `"`, KeywordOnly: true, Doc: "when the task begins"},
				{Name: "host", Type: "dict", Default: "{}", KeywordOnly: true, Doc: "instead of that of t.site"},
				{Name: "env", Type: "dict", Default: "{}", KeywordOnly: true, Doc: "instead of that of t.site"},
			},
		},
		run: func(c *call) (starlark.Value, error) {
			p := &play{tester: r, call: c, facts: r.facts, setup: simulate.Setup{Now: startTime()}}
			if err := c.unpack(p.set); err != nil {
				return nil, err
			}
			return p.run()
		},
	}
}

func startTime() time.Time {
	t, _ := time.Parse(time.RFC3339, testStart) // it is one
	return t
}

// play is one call of t.simulate.
type play struct {
	*tester
	call  *call
	task  string
	args  *starlark.Dict
	facts facts
	setup simulate.Setup
}

func (p *play) set(name string, v starlark.Value) error {
	switch name {
	case "task":
		return toTestTask(&p.task, v)
	case "replies":
		return toReplies(&p.setup.Replies, v)
	case "args":
		d, ok := v.(*starlark.Dict)
		if !ok {
			return fmt.Errorf("got %s, want a dict of arguments", describe(v))
		}
		p.args = d
		return nil
	case "files":
		return p.files(v)
	case "now":
		return toMoment(&p.setup.Now, v)
	case "host":
		return p.facts.toHost(v)
	case "env":
		return p.facts.toEnv(v)
	}
	panic("t.simulate has no parameter " + name)
}

// toTestTask reads the name of a task.
func toTestTask(dst *string, v starlark.Value) error {
	if t, ok := v.(*taskValue); ok {
		return fmt.Errorf("got the task %q, want its name in quotes", t.task.Name)
	}
	return toString(dst, v)
}

func toMoment(dst *time.Time, v starlark.Value) error {
	var s string
	if err := toString(&s, v); err != nil {
		return err
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return fmt.Errorf(`got %q, want a time such as "2026-01-31T22:05:00Z" or "2026-01-31T22:05:00+01:00"`, clip(s))
	}
	*dst = t
	return nil
}

func (p *play) files(v starlark.Value) error {
	p.setup.Files = map[string]string{}
	return eachEntry(v, "texts", func(path string, v starlark.Value) error {
		var clean string
		if err := toAbsolute(&clean, starlark.String(path)); err != nil {
			return err
		}
		text, ok := starlark.AsString(v)
		if !ok {
			return fmt.Errorf("got %s, want the text of the file", describe(v))
		}
		p.setup.Files[filepath.Clean(path)] = text
		return nil
	})
}

func (p *play) run() (starlark.Value, error) {
	site, task, err := p.find(p.call, p.facts, p.task)
	if err != nil {
		return nil, err
	}
	if err := p.arguments(task); err != nil {
		return nil, err
	}
	p.setup.Host, p.setup.Env = p.facts.config(p.cfg).Host.Name, p.facts.env
	out, err := p.player.Play(p.ctx, site, task, p.setup)
	v := newSimulated(out, taskNames(site))
	p.played = append(p.played, Simulated{p.call.caller(), out})
	if err != nil {
		return nil, p.end(p.call, err, v.ran()...)
	}
	for _, u := range out.Unused {
		p.fail(p.call, v.unused(u), v.ran()...)
	}
	for _, text := range out.Overused {
		p.fail(p.call, &argError{-1, "replies", "replies", fmt.Errorf("%q ran more often than its list has replies", clip(text))}, v.ran()...)
	}
	return v, nil
}

// find loads the site of the test, and finds a task of it.
func (r *tester) find(c *call, f facts, name string) (*plan.Site, *plan.Task, error) {
	site, err := r.load(c, f)
	if err != nil {
		return nil, nil, err
	}
	if t := site.Task(name); t != nil {
		return site, t, nil
	}
	return nil, nil, notFound(fmt.Errorf("%s has no task %q", site.File, clip(name)), name, taskNames(site), "its tasks are ")
}

// notFound is an error about a name that there is not, with a way out.
func notFound(err error, name string, names []string, have string) error {
	switch n := Nearest(name, names); {
	case n != "":
		return &hintError{err, fmt.Sprintf("did you mean %q?", n)}
	case len(names) > 0:
		return &hintError{err, have + joinWords(names)}
	}
	return err
}

func taskNames(site *plan.Site) []string {
	names := make([]string, len(site.Tasks))
	for i, t := range site.Tasks {
		names[i] = t.Name
	}
	return names
}

// arguments checks what is given for the arguments of a routine, as the command line
// does.
func (p *play) arguments(t *plan.Task) error {
	fail := func(err error) error { return &argError{-1, "args", "args", err} }
	var known []plan.Arg
	if t.Routine != nil {
		known = t.Routine.Args
	}
	given := map[string]any{}
	if p.args != nil {
		err := eachEntry(p.args, "arguments", func(name string, v starlark.Value) (err error) {
			i := slices.IndexFunc(known, func(a plan.Arg) bool { return a.Name == name })
			if i < 0 {
				return unknownArg(t, name, known)
			}
			given[name], err = argValue(known[i], v)
			return err
		})
		if err != nil {
			return fail(err)
		}
	}
	if t.Routine != nil {
		if _, err := t.Routine.ArgValues(given); err != nil {
			return fail(err)
		}
	}
	p.setup.Args = given
	return nil
}

func unknownArg(t *plan.Task, name string, known []plan.Arg) error {
	names := make([]string, len(known))
	for i, a := range known {
		names[i] = a.Name
	}
	err := fmt.Errorf("task %q has no such argument", t.Name)
	if len(names) == 0 {
		return &hintError{err, "it has none"}
	}
	return notFound(err, name, names, "it has ")
}

// argValue reads what is given for an argument. As on the command line, but a value is not
// read out of a string unless it is one.
func argValue(a plan.Arg, v starlark.Value) (any, error) {
	text, isString := starlark.AsString(v)
	if !isString {
		text = v.String()
	}
	value, err := a.Parse(text)
	if _, textual := value.(string); err == nil && textual != isString {
		err = fmt.Errorf("want a value of the kind %s", a.Kind)
	}
	if err != nil {
		return nil, fmt.Errorf("got %s, %w", describe(v), err)
	}
	return value, nil
}

// simulatedValue is what t.simulate gives.
type simulatedValue struct {
	*testValue // with what t.simulate documents
	out        *simulate.Outcome
	tasks      []string // of the site
}

func newSimulated(o *simulate.Outcome, tasks []string) *simulatedValue {
	ran := make([]string, len(o.Events))
	for i, e := range o.Events {
		ran[i] = e.Text
	}
	why := ""
	if o.Err != nil {
		why = o.Err.Error()
	}
	return &simulatedValue{&testValue{"simulated", starlark.StringDict{
		"ok":       starlark.Bool(o.Err == nil),
		"exit":     starlark.MakeInt(o.Exit),
		"error":    textOrNone(why),
		"skipped":  textOrNone(o.Skipped),
		"ran":      stringList(ran),
		"objects":  stringList(o.Objects),
		"log":      stringList(o.Log),
		"warnings": stringList(o.Warnings),
		"end":      starlark.String(o.End.Format(time.RFC3339)),
	}}, o, tasks}
}

// String tells how it ended.
func (v *simulatedValue) String() string {
	return fmt.Sprintf("simulated(%q, ok = %s)", v.out.Task, starlark.Bool(v.out.Err == nil))
}

func stringList(texts []string) *starlark.List {
	list := make([]starlark.Value, len(texts))
	for i, s := range texts {
		list[i] = starlark.String(s)
	}
	return starlark.NewList(list)
}

// unused is the error for a reply that was asked for less often than it has answers.
func (v *simulatedValue) unused(u simulate.Unused) error {
	err := errors.New("nothing asked for this reply")
	hint := v.meant(u.Pattern)
	if u.Asked > 0 {
		err, hint = fmt.Errorf("of %d replies %d were asked for", u.Answers, u.Asked), ""
	} else if v.find(u.Pattern) >= 0 {
		hint = "a key above it fits everything that it would fit"
	}
	return &argError{-1, "replies", "replies", &entryError{u.Pattern, &hintError{err, hint}}}
}

// find gives the place of the first thing that ran and fits a pattern, or -1.
func (v *simulatedValue) find(pattern string) int {
	return slices.IndexFunc(v.out.Events, func(e simulate.Event) bool { return simulate.Match(pattern, e) })
}

// meant says what a pattern that fits nothing may have been meant to fit, or "".
func (v *simulatedValue) meant(pattern string) string {
	candidates := map[string]bool{}
	for _, e := range v.out.Events {
		candidates[e.Text] = true
		for _, s := range e.Stages {
			candidates[s] = true
		}
	}
	literal := strings.ReplaceAll(pattern, "*", "")
	var starts []string
	whole := map[string]string{}
	for _, text := range slices.Sorted(maps.Keys(candidates)) {
		if !strings.Contains(pattern, "*") && strings.HasPrefix(text, pattern) {
			return fmt.Sprintf("a pattern is for a whole command line; %q fits %q", clip(pattern)+"*", clip(text))
		}
		start := text
		if strings.HasSuffix(pattern, "*") && len(start) > len(literal) {
			start = strings.ToValidUTF8(start[:len(literal)], "")
		}
		starts = append(starts, start)
		whole[start] = cmp.Or(whole[start], text)
	}
	if n := Nearest(literal, starts); n != "" {
		return fmt.Sprintf("did you mean %q?", clip(whole[n]))
	}
	return ""
}

// maxRan bounds the lines that say what ran.
const maxRan = 40

// ran says what ran.
func (v *simulatedValue) ran() []string {
	events := v.out.Events
	if len(events) == 0 {
		return []string{"nothing ran"}
	}
	lines := []string{"what ran:"}
	for _, e := range events[:min(len(events), maxRan)] {
		lines = append(lines, "  "+EventText(e))
	}
	if n := len(events) - maxRan; n > 0 {
		lines = append(lines, fmt.Sprintf("  and %d more", n))
	}
	return lines
}

// EventText is an event in a line: what ran, and how it ended when that is not well.
func EventText(e simulate.Event) string {
	text := clipTo(e.Text, maxLine)
	if e.Result != "ok" {
		why := strings.TrimPrefix(e.Result, e.Text+": ")
		if e.Kind == simulate.Task {
			why = strings.TrimPrefix(why, strings.Replace(e.Text, ":", " ", 1)+": ")
		}
		text += ": " + clipTo(why, maxLine)
	}
	return text
}

const maxLine = 200
