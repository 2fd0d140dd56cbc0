package starlib

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.starlark.net/starlark"

	"palhm/runtime/plan"
)

func sigmaskBuiltin() *builtin {
	return &builtin{
		Doc: Doc{
			Name: "sigmask",
			Text: `A step of a routine that blocks signals for what follows, or unblocks them again, as around a reboot:
sigmask(block = ["TERM"]). palhm heeds a blocked signal when it is unblocked, and not before. Processes that are started meanwhile
begin with the same signals blocked; some shells, such as dash, unblock them. A process that has SIGTERM blocked can be stopped by
SIGKILL only, after the grace period. The mask belongs to the task that palhm run was given and to all tasks in it. When that
ends the mask ends, and signals that came and were not unblocked are dropped.`,
			Params: sigmaskParams(),
		},
		run:    runSigmask,
		broken: func(*call) starlark.Value { return &sigmaskValue{mask: new(plan.Sigmask)} },
	}
}

func sigmaskParams() []Param {
	return []Param{
		{Name: "block", Type: "list of signals", Default: "[]", KeywordOnly: true, Doc: `names such as "TERM" or "SIGTERM", in any case, or numbers; KILL and STOP cannot be blocked, and 32, 33 and 34 only in processes`},
		{Name: "unblock", Type: "list of signals", Default: "[]", KeywordOnly: true, Doc: "the same; one that is not blocked stays so"},
	}
}

func runSigmask(c *call) (starlark.Value, error) {
	m, err := c.sigmask()
	if err != nil {
		return nil, err
	}
	return &sigmaskValue{mask: &m, pos: c.caller()}, nil
}

// sigmask reads the arguments of sigmask and of ctx.sigmask.
func (c *call) sigmask() (m plan.Sigmask, err error) {
	err = c.unpack(func(name string, v starlark.Value) error {
		if name == "block" {
			return toSignals(&m.Block, v)
		}
		return toSignals(&m.Unblock, v)
	})
	if err != nil {
		return m, err
	}
	for _, s := range m.Unblock {
		if slices.Contains(m.Block, s) {
			return m, c.about("unblock", fmt.Errorf("%v is in both lists", s))
		}
	}
	if len(m.Block)+len(m.Unblock) == 0 {
		return m, errors.New(`names no signal, such as block = ["TERM"]`)
	}
	return m, nil
}

// sigmaskValue is a change of the mask as a site sees it.
type sigmaskValue struct {
	mask *plan.Sigmask
	pos  plan.Pos
}

func (s *sigmaskValue) String() string {
	return fmt.Sprintf("sigmask(block = %v, unblock = %v)", s.mask.Block, s.mask.Unblock)
}
func (s *sigmaskValue) Type() string          { return "sigmask" }
func (s *sigmaskValue) Freeze()               {}
func (s *sigmaskValue) Truth() starlark.Bool  { return true }
func (s *sigmaskValue) Hash() (uint32, error) { return unhashable(s) }

// toSignals reads a list of signals, each of which it keeps once.
func toSignals(dst *[]plan.Signal, v starlark.Value) error {
	if text, ok := starlark.AsString(v); ok {
		return fmt.Errorf("got the string %s, want a list; write [%s]", short(v), starlark.String(clip(text)))
	}
	return eachElement(v, "signals", func(v starlark.Value) error {
		s, err := toSignal(v)
		if err == nil && !slices.Contains(*dst, s) {
			*dst = append(*dst, s)
		}
		return err
	})
}

func toSignal(v starlark.Value) (plan.Signal, error) {
	switch v := v.(type) {
	case starlark.Int:
		return plan.ParseSignal(short(v))
	case starlark.String:
		s, err := plan.ParseSignal(clip(string(v)))
		if errors.Is(err, plan.ErrNoSignal) {
			if n := Nearest(strings.TrimPrefix(strings.ToUpper(string(v)), "SIG"), plan.SignalNames()); n != "" {
				return 0, fmt.Errorf("%w (did you mean %q?)", err, n)
			}
		}
		return s, err
	}
	return 0, fmt.Errorf("got %s, %w", describe(v), plan.ErrNoSignal)
}
