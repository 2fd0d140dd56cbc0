package starlib

import (
	"fmt"

	"go.starlark.net/starlark"

	"palhm/runtime/plan"
)

func noticeNative() *builtin {
	return &builtin{
		Doc: Doc{
			Name: "notice",
			Text: `A message about a run, for settings(on_failure = ..., on_success = ...). Its body is YAML: host, task, site, start, duration,
exit code, copies with their sizes, what was rotated, warnings, and after a failure the error and the last lines that the failed
command wrote to stderr, or every command of a result below min_size. Secrets are not in it.`,
			Params: []Param{
				{Name: "mua", Type: "mua, such as mailx()", Doc: "stdout(), mailx(), smtp(...) or aws_sns()"},
				{Name: "mail_to", Type: "list of strings", Default: "[]", Doc: `who gets it: addresses, or the ARNs of topics for aws_sns; only stdout() can do without`},
				{Name: "subject", Type: "string", Default: "None", Doc: `the subject; {hostname} and {task} are replaced. The default says how the run ended`},
			},
		},
		run: func(c *call) (starlark.Value, error) {
			n := &noticeValue{}
			err := c.unpack(func(name string, v starlark.Value) error {
				switch name {
				case "mua":
					return toMUA(&n.notice.MUA, v)
				case "mail_to":
					return toRecipients(&n.notice.To, v)
				}
				return toSubject(&n.notice.Subject, v)
			})
			if err != nil {
				return nil, err
			}
			return n, c.checkRecipients(n.notice.MUA, n.notice.To)
		},
		broken: func(*call) starlark.Value { return &noticeValue{} },
	}
}

// noticeValue is a message about a run, as a site sees it.
type noticeValue struct{ notice plan.Notice }

func (n *noticeValue) String() string        { return fmt.Sprintf("notice(%s, ...)", &muaValue{n.notice.MUA}) }
func (n *noticeValue) Type() string          { return "notice" }
func (n *noticeValue) Freeze()               {}
func (n *noticeValue) Truth() starlark.Bool  { return true }
func (n *noticeValue) Hash() (uint32, error) { return unhashable(n) }

func toNotice(dst **plan.Notice, v starlark.Value) error {
	n, ok := v.(*noticeValue)
	if !ok {
		hint := callHint(v)
		if _, isMUA := v.(*muaValue); isMUA {
			hint = `; say to whom: notice(mailx(), ["root"])`
		}
		return fmt.Errorf(`got %s, want notice(mua, mail_to) of "@palhm//mail.star"%s`, describe(v), hint)
	}
	*dst = &n.notice
	return nil
}
