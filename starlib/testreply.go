package starlib

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"go.starlark.net/starlark"

	"palhm/runtime/plan"
	"palhm/runtime/simulate"
)

func testExit() *builtin {
	return testAnswer("t.exit", `A reply: a command that ends with an exit code. Whether that is a failure is for the ec of its exec to say. Of a task 0 is
success, 1 a failure, and 4 a task whose main work is safe while something after it failed.`,
		Param{Name: "code", Type: "int", Default: "0", Doc: "the exit code"})
}

func testKilled() *builtin {
	return testAnswer("t.killed", `A reply: a command that a signal kills.`,
		Param{Name: "signal", Type: "string", Default: `"TERM"`, Doc: `such as "KILL" or "SIGKILL"`})
}

func testAnswer(name, text string, end Param) *builtin {
	return &builtin{
		Doc: Doc{
			Name: name,
			Text: text,
			Params: []Param{
				end,
				{Name: "stdout", Type: "string", Default: "None", KeywordOnly: true, Doc: "what it prints; None is what the stage before it prints, or nothing"},
				{Name: "stderr", Type: "string", Default: `""`, KeywordOnly: true, Doc: "its error output"},
				{Name: "takes", Type: "duration", Default: "None", KeywordOnly: true, Doc: `how long it runs by the simulated clock, such as "10m": for time limits`},
			},
		},
		run: func(c *call) (starlark.Value, error) {
			v := &answerValue{call: name}
			if end.Name == "signal" {
				v.a.Signal = plan.Signal(syscall.SIGTERM)
			}
			return v, c.unpack(v.set)
		},
	}
}

// answerValue is a reply as a test sees it.
type answerValue struct {
	call string
	a    simulate.Answer
}

var _ starlark.Value = (*answerValue)(nil)

func (v *answerValue) String() string {
	if v.a.Signal != 0 {
		return fmt.Sprintf("t.killed(%q)", v.a.Signal)
	}
	return fmt.Sprintf("t.exit(%d)", v.a.Code)
}
func (v *answerValue) Type() string          { return "reply" }
func (v *answerValue) Freeze()               {}
func (v *answerValue) Truth() starlark.Bool  { return true }
func (v *answerValue) Hash() (uint32, error) { return unhashable(v) }

func (v *answerValue) set(name string, x starlark.Value) error {
	switch name {
	case "code":
		return toInt(&v.a.Code, x, 0, 255)
	case "signal":
		return toDeadly(&v.a.Signal, x)
	case "stdout":
		s, ok := starlark.AsString(x)
		if !ok {
			return fmt.Errorf("got %s, want a string", describe(x))
		}
		v.a.Stdout = &s
		return nil
	case "stderr":
		return toString(&v.a.Stderr, x)
	case "takes":
		return toDuration(&v.a.Takes, x)
	}
	panic(v.call + " has no parameter " + name)
}

// toDeadly reads a signal that kills.
func toDeadly(dst *plan.Signal, v starlark.Value) error {
	var s string
	err := toString(&s, v)
	switch name := strings.TrimPrefix(strings.ToUpper(s), "SIG"); {
	case err != nil:
	case name == "KILL": // which ParseSignal refuses, because nothing blocks it
		*dst = plan.Signal(syscall.SIGKILL)
	default:
		*dst, err = plan.ParseSignal(s)
	}
	return err
}

// toReplies reads what commands and tasks get, in the order of the dict.
func toReplies(dst *[]simulate.Reply, v starlark.Value) error {
	return eachEntry(v, "replies", func(pattern string, v starlark.Value) error {
		r := simulate.Reply{Pattern: pattern}
		var err error
		if list, ok := v.(*starlark.List); ok {
			r.InTurn = true
			err = eachElement(list, "replies", func(v starlark.Value) error { return addAnswer(&r, v) })
			if list.Len() == 0 {
				err = errors.New("the list of replies is empty")
			}
		} else {
			err = addAnswer(&r, v)
		}
		*dst = append(*dst, r)
		return err
	})
}

const replyForms = `t.exit(1), t.killed("TERM") or a string that is printed`

func addAnswer(r *simulate.Reply, v starlark.Value) error {
	var a simulate.Answer
	switch v := v.(type) {
	case *answerValue:
		a = v.a
	case starlark.String:
		s := string(v)
		a.Stdout = &s
	case starlark.Int:
		return fmt.Errorf("got %s, want %s; an exit code is t.exit(%s)", describe(v), replyForms, short(v))
	default:
		return fmt.Errorf("got %s, want %s, or a list of these", describe(v), replyForms)
	}
	r.Answers = append(r.Answers, a)
	if kind, _, _ := strings.Cut(r.Pattern, ":"); kind != string(simulate.Task) && kind != string(simulate.DNSSEC) {
		return nil
	}
	switch {
	case a.Stdout != nil:
		return errors.New("got a reply that prints something, and only commands print; want t.exit(...)")
	case a.Signal != 0:
		return errors.New("got a reply of a killed command, want t.exit(1)")
	}
	return nil
}
