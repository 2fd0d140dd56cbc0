package starlib

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"go.starlark.net/starlark"

	"palhm/runtime/plan"
)

func stdoutNative() *builtin {
	return &builtin{
		Doc: Doc{
			Name: "stdout",
			Text: `Sends nothing: the message is printed to palhm's standard output.`,
		},
		run: func(c *call) (starlark.Value, error) {
			return &muaValue{plan.MUA{Kind: "stdout", Pos: c.caller()}}, c.unpack(noArguments)
		},
		broken: brokenMUA,
	}
}

func brokenMUA(c *call) starlark.Value { return &muaValue{plan.MUA{Kind: "stdout", Pos: c.caller()}} }

// muaValue is what sends a message, as a site sees it.
type muaValue struct{ mua plan.MUA }

func (m *muaValue) String() string        { return m.mua.Kind + "(...)" }
func (m *muaValue) Type() string          { return "mua" }
func (m *muaValue) Freeze()               {}
func (m *muaValue) Truth() starlark.Bool  { return true }
func (m *muaValue) Hash() (uint32, error) { return unhashable(m) }

func toMUA(dst *plan.MUA, v starlark.Value) error {
	m, ok := v.(*muaValue)
	if !ok {
		return fmt.Errorf("got %s, want what sends the mail, such as mailx() or stdout()%s", describe(v), callHint(v))
	}
	*dst = m.mua
	return nil
}

// toRecipients reads a list of addresses.
func toRecipients(dst *[]string, v starlark.Value) error {
	if s, ok := v.(starlark.String); ok {
		return fmt.Errorf("got the string %s, want a list; put it in brackets: [%s]", short(s), short(s))
	}
	return eachElement(v, "addresses", func(v starlark.Value) error {
		var to string
		if err := toString(&to, v); err != nil {
			return err
		}
		if strings.TrimSpace(to) == "" {
			return errors.New("is empty, want an address")
		}
		if strings.ContainsFunc(to, unicode.IsControl) {
			return fmt.Errorf("got %s, which has a control character", short(v))
		}
		*dst = append(*dst, to)
		return nil
	})
}
