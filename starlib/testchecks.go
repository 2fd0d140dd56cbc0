package starlib

import (
	"errors"
	"fmt"
	"strings"

	"go.starlark.net/starlark"

	"palhm/runtime/simulate"
)

var (
	patternParam = Param{Name: "pattern", Type: "string", Doc: "as a key of replies"}
	textParam    = Param{Name: "text", Type: "string", Default: `""`, Doc: "a part of r.error"}
)

// resultCheck makes a check of what t.simulate gave. Each gives True or False, so that a
// test can stop where going on has no use; tell says more of a failure.
func resultCheck(r *tester, name, text string, params []Param, tell func(*simulatedValue) []string, check func(*simulatedValue, []string) error) *builtin {
	params = append([]Param{{Name: "r", Type: "result", Doc: "what t.simulate gave"}}, params...)
	return &builtin{Doc: Doc{Name: name, Text: text, Params: params}, run: func(c *call) (starlark.Value, error) {
		v, texts, err := c.unpackPatterns()
		if err != nil {
			return nil, err
		}
		if err := check(v, texts); err != nil {
			return r.fail(c, err, tell(v)...), nil
		}
		return starlark.True, nil
	}}
}

func testRan(r *tester) *builtin {
	return resultCheck(r, "t.ran", `Checks that something ran. Like each check it is True when all is well; else the failure is noted, the test goes on, and it is False.`,
		[]Param{patternParam}, (*simulatedValue).ran, func(v *simulatedValue, patterns []string) error {
			if v.find(patterns[0]) < 0 {
				return v.missing(patterns[0])
			}
			return nil
		})
}

func testNotRan(r *tester) *builtin {
	return resultCheck(r, "t.not_ran", `Checks that nothing ran that fits a pattern.`,
		[]Param{patternParam}, (*simulatedValue).ran, func(v *simulatedValue, patterns []string) error {
			if i := v.find(patterns[0]); i >= 0 {
				return fmt.Errorf("it ran: %s", clipTo(v.out.Events[i].Text, maxLine))
			}
			return nil
		})
}

func testOrder(r *tester) *builtin {
	return resultCheck(r, "t.order", `Checks that things ran one after the other. Others may have run in between.`,
		[]Param{{Name: "patterns", Type: "list of strings", Doc: "each as a key of replies"}}, (*simulatedValue).ran, func(v *simulatedValue, patterns []string) error {
			next := 0
			for _, e := range v.out.Events {
				if next < len(patterns) && simulate.Match(patterns[next], e) {
					next++
				}
			}
			switch {
			case next == len(patterns):
				return nil
			case v.find(patterns[next]) < 0:
				return v.missing(patterns[next])
			}
			return fmt.Errorf("%q did not run after %q", clip(patterns[next]), clip(patterns[next-1]))
		})
}

func testOK(r *tester) *builtin {
	return resultCheck(r, "t.ok", `Checks that a task went well, with no warning that makes exit code 4.`,
		nil, (*simulatedValue).story, func(v *simulatedValue, _ []string) error {
			if v.out.Exit != 0 {
				return fmt.Errorf("%s ended with exit code %d", v.out.Task, v.out.Exit)
			}
			return nil
		})
}

func testFails(r *tester) *builtin {
	return resultCheck(r, "t.fails", `Checks that a task failed, and that the reason has a text in it.`,
		[]Param{textParam}, (*simulatedValue).story, func(v *simulatedValue, texts []string) error {
			text := strings.Join(texts, "")
			switch {
			case v.out.Err == nil:
				return fmt.Errorf("%s went well, want a failure", v.out.Task)
			case !strings.Contains(v.out.Err.Error(), text):
				return fmt.Errorf("%s failed, but not with %q", v.out.Task, clip(text))
			}
			return nil
		})
}

func testEq(r *tester) *builtin {
	return &builtin{
		Doc: Doc{
			Name: "t.eq",
			Text: `Checks that two values are equal.`,
			Params: []Param{
				{Name: "got", Type: "any", Doc: "what is there"},
				{Name: "want", Type: "any", Doc: "what should be"},
			},
		},
		run: func(c *call) (starlark.Value, error) {
			var got, want starlark.Value
			err := c.unpack(func(name string, v starlark.Value) error {
				if name == "got" {
					got = v
				} else {
					want = v
				}
				return nil
			})
			if err != nil {
				return nil, err
			}
			same, err := starlark.Equal(got, want)
			if err != nil || same {
				return starlark.Bool(same), err
			}
			return r.fail(c, errors.New("the values differ"), "got:  "+shown(got, want), "want: "+shown(want, got)), nil
		},
	}
}

// shown prints a value that differs from another one, with its type when that differs.
func shown(v, other starlark.Value) string {
	text := clipTo(v.String(), maxLine)
	if v.Type() != other.Type() {
		text += " (" + v.Type() + ")"
	}
	return text
}

func testTrue(r *tester) *builtin {
	return &builtin{
		Doc: Doc{
			Name: "t.true",
			Text: `Checks that a condition holds.`,
			Params: []Param{
				{Name: "condition", Type: "bool", Doc: "what should be True"},
				{Name: "msg", Type: "string", Default: `""`, Doc: "what to say when it is not"},
			},
		},
		run: func(c *call) (starlark.Value, error) {
			var holds bool
			msg := "got False, want True"
			err := c.unpack(func(name string, v starlark.Value) error {
				if name == "msg" {
					return toString(&msg, v)
				}
				if _, ok := v.(*simulatedValue); ok {
					return errors.New("got a result, want True or False; t.ok(r) checks that it went well")
				}
				return toBool(&holds, v)
			})
			if err != nil || holds {
				return starlark.True, err
			}
			return r.fail(c, errors.New(msg)), nil
		},
	}
}

// unpackPatterns reads a result, and the patterns or the text that are looked for in it.
// A result that is given after them by its name is checked without the names of its tasks.
func (c *call) unpackPatterns() (v *simulatedValue, patterns []string, err error) {
	err = c.unpack(func(name string, x starlark.Value) error {
		switch name {
		case "r":
			var ok bool
			if v, ok = x.(*simulatedValue); !ok {
				return fmt.Errorf("got %s, want what t.simulate gave", describe(x))
			}
			return nil
		case "patterns":
			return eachElement(x, "strings", func(x starlark.Value) error { return addPattern(&patterns, v, x) })
		case "pattern":
			return addPattern(&patterns, v, x)
		}
		return addText(&patterns, x)
	})
	return v, patterns, err
}

func addPattern(dst *[]string, v *simulatedValue, x starlark.Value) error {
	if err := addText(dst, x); err != nil || v == nil {
		return err
	}
	return v.unknownTask((*dst)[len(*dst)-1])
}

func addText(dst *[]string, v starlark.Value) error {
	var s string
	err := toString(&s, v)
	*dst = append(*dst, s)
	return err
}

// unknownTask refuses the pattern for a task that the site does not have: such a check
// would never find anything.
func (v *simulatedValue) unknownTask(pattern string) error {
	name, ok := strings.CutPrefix(pattern, string(simulate.Task)+":")
	if !ok {
		return nil
	}
	names := make([]string, len(v.tasks))
	for i, t := range v.tasks {
		names[i] = string(simulate.Task) + ":" + t
		if simulate.Match(pattern, simulate.Event{Kind: simulate.Task, Text: names[i]}) {
			return nil
		}
	}
	return notFound(fmt.Errorf("the site has no task %q", clip(name)), pattern, names, "its tasks are ")
}

// missing is the error for something that did not run.
func (v *simulatedValue) missing(pattern string) error {
	return &hintError{fmt.Errorf("nothing ran that fits %q", clip(pattern)), v.meant(pattern)}
}

// story says what happened: why a task failed, what it warned of, and what ran.
func (v *simulatedValue) story() []string {
	var lines []string
	if v.out.Err != nil {
		lines = append(lines, strings.Split("error: "+v.out.Err.Error(), "\n")...)
	}
	if v.out.Skipped != "" {
		lines = append(lines, "skipped: "+v.out.Skipped)
	}
	for _, w := range v.out.Warnings[:min(len(v.out.Warnings), maxRan)] {
		lines = append(lines, "warning: "+clipTo(w, maxLine))
	}
	return append(lines, v.ran()...)
}
