package starlib

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"go.starlark.net/starlark"

	"palhm/runtime/plan"
)

// muaValue is what sends a message, as a site sees it.
type muaValue struct{ mua plan.MUA }

func (m *muaValue) String() string        { return m.mua.Kind + "(...)" }
func (m *muaValue) Type() string          { return "mua" }
func (m *muaValue) Freeze()               {}
func (m *muaValue) Truth() starlark.Bool  { return true }
func (m *muaValue) Hash() (uint32, error) { return unhashable(m) }

// toMUA reads what sends a message. There is nothing to say about stdout, so its
// name alone will do.
func toMUA(dst *plan.MUA, v starlark.Value) error {
	if b, ok := v.(*starlark.Builtin); ok && b.Name() == plan.MUAStdout {
		*dst = plan.MUA{Kind: plan.MUAStdout}
		return nil
	}
	m, ok := v.(*muaValue)
	if !ok {
		hint := callHint(v)
		if _, isString := v.(starlark.String); isString {
			hint = `; load("@palhm//mail.star", "mailx") and say mailx()`
		}
		return fmt.Errorf("got %s, want stdout(), mailx(), smtp(...) or aws_sns()%s", describe(v), hint)
	}
	*dst = m.mua
	return nil
}

// toRecipients reads a list of addresses. Whether the MUA can take them is checked
// when both are known.
func toRecipients(dst *[]string, v starlark.Value) error {
	if s, ok := starlark.AsString(v); ok {
		return fmt.Errorf("got the string %s, want a list; put it in brackets: [%s]", short(v), short(starlark.String(s)))
	}
	var to []string
	err := eachElement(v, "addresses", func(v starlark.Value) error {
		var s string
		err := toWord(&s, v, nil)
		to = append(to, s)
		return err
	})
	*dst = to
	return err
}

// checkRecipients refuses what the MUA cannot take, or takes for something else
// than an address.
func (c *call) checkRecipients(m plan.MUA, to []string) error {
	if len(to) == 0 && m.Kind != plan.MUAStdout {
		return errors.New(`missing argument mail_to; say who gets the mail: mail_to = ["root"]`)
	}
	var errs []error
	for i, address := range to {
		if err := m.CheckRecipient(address); err != nil {
			errs = append(errs, &elementError{i, err})
		}
	}
	if errs == nil {
		return nil
	}
	return c.about("mail_to", errors.Join(errs...))
}

func stdoutNative() *builtin {
	return &builtin{
		Doc: Doc{
			Name: "stdout",
			Text: `Prints the message to palhm's stdout: recipients and subject as comments, then the body, so that the whole is YAML.`,
		},
		run: func(c *call) (starlark.Value, error) {
			return &muaValue{plan.MUA{Kind: plan.MUAStdout, Pos: c.caller()}}, c.unpack(noArguments)
		},
		broken: brokenMUA,
	}
}

func mailxNative() *builtin {
	return &builtin{
		Doc: Doc{
			Name: "mailx",
			Text: `The program mailx, of bsd-mailx or of s-nail. It inherits the whole environment of palhm, so that its own settings hold.
A mailer that takes longer than a quarter of an hour is stopped. What it complains is in the error. A subject that is too long for
a line of mail is cut in its middle.`,
			Params: []Param{
				{Name: "exec", Type: "string", Default: `"mailx"`, Doc: "the program: a name that is looked up in PATH, or an absolute path"},
				{Name: "int_opts", Type: "list of strings", Default: "[]", Doc: `internal options, each given as -S OPTION, such as ["mta=/usr/sbin/sendmail"]; only s-nail has them`},
			},
		},
		run: func(c *call) (starlark.Value, error) {
			m := &plan.Mailx{Exec: "mailx"}
			return &muaValue{plan.MUA{Kind: plan.MUAMailx, Pos: c.caller(), Mailx: m}}, c.unpack(func(name string, v starlark.Value) error {
				if name == "exec" {
					return toProgram(&m.Exec, v)
				}
				return eachElement(v, "options", func(v starlark.Value) error {
					var option string
					err := toWord(&option, v, nil)
					m.Options = append(m.Options, option)
					return err
				})
			})
		},
		broken: brokenMUA,
	}
}

func toProgram(dst *string, v starlark.Value) error {
	var s string
	if err := toWord(&s, v, nil); err != nil {
		return err
	}
	if strings.Contains(s, "/") {
		return toAbsolute(dst, v)
	}
	if s == "." || s == ".." || strings.HasPrefix(s, "-") {
		return fmt.Errorf("got %s, want the name of a program", short(v))
	}
	*dst = s
	return nil
}

func smtpNative() *builtin {
	optional := func(name, typ, doc string) Param {
		return Param{Name: name, Type: typ, Default: "None", KeywordOnly: true, Doc: doc}
	}
	return &builtin{
		Doc: Doc{
			Name: "smtp",
			Text: `A mail server. With tls = "starttls" a server that does not switch to TLS gets nothing: there is no way back to plain text.
A password is never sent in the clear, except to this host itself. Each answer may take five minutes, and that to the whole message
ten (RFC 5321). Recipients that are too many for the server at once get the message in further transactions; one whose address is not
ASCII is refused when the server does not offer SMTPUTF8, and the others get it.`,
			Params: []Param{
				{Name: "host", Type: "string", Doc: "the name or address of the server; its certificate must be for it"},
				{Name: "port", Type: "int", Default: "None", Doc: "587 for starttls, 465 for tls and 25 for none, unless it is given"},
				{Name: "tls", Type: "string", Default: `"starttls"`, KeywordOnly: true, Doc: `"starttls", "tls" (from the first byte) or "none"`},
				optional("user", "string", "the account; without it there is no authentication"),
				optional("password", "secret", `its password: secret(file = "/path") or secret(env = "NAME"), read when a mail is sent`),
				optional("from_addr", "string", "the sender; the default is the account and the host that palhm runs on, as far as they make an address"),
				optional("ca_file", "string", "a file of PEM certificates to trust instead of the system's, an absolute path"),
			},
		},
		run: func(c *call) (starlark.Value, error) {
			s := &plan.SMTP{TLS: plan.TLSStart}
			if err := c.unpack(func(name string, v starlark.Value) error { return setSMTP(s, name, v) }); err != nil {
				return nil, err
			}
			return &muaValue{plan.MUA{Kind: plan.MUASMTP, Pos: c.caller(), SMTP: s}}, checkSMTP(s)
		},
		broken: brokenMUA,
	}
}

func setSMTP(s *plan.SMTP, name string, v starlark.Value) error {
	switch name {
	case "host":
		return toServer(&s.Host, v)
	case "port":
		return toInt(&s.Port, v, 1, 65535)
	case "tls":
		return toWord((*string)(&s.TLS), v, []string{string(plan.TLSStart), string(plan.TLSFull), string(plan.TLSNone)})
	case "user":
		return toWord(&s.User, v, nil)
	case "password":
		secret, ok := v.(*secretValue)
		if !ok {
			return fmt.Errorf(`got %s, want secret(file = "/path") or secret(env = "NAME"), never the password itself`, typeOnly(v))
		}
		s.Password = secret.secret
		return nil
	case "from_addr":
		if err := toWord(&s.From, v, nil); err != nil {
			return err
		}
		return plan.MUA{Kind: plan.MUASMTP}.CheckRecipient(s.From)
	case "ca_file":
		return toAbsolute(&s.CAFile, v)
	}
	panic("smtp has no parameter " + name)
}

// typeOnly names the type of a value that must not be printed.
func typeOnly(v starlark.Value) string { return "a " + v.Type() }

// checkSMTP refuses what only together makes no sense.
func checkSMTP(s *plan.SMTP) error {
	switch {
	case s.Password != nil && s.User == "":
		return errors.New("password needs user, the account that it is for")
	case s.User != "" && s.Password == nil:
		return errors.New(`user needs password = secret(file = "/path") or secret(env = "NAME")`)
	case s.Password != nil && s.TLS == plan.TLSNone && !loopback(s.Host):
		return fmt.Errorf(`tls = "none" would send the password to %s in the clear; use tls = "starttls" or "tls"`, s.Host)
	case s.CAFile != "" && s.TLS == plan.TLSNone:
		return errors.New(`ca_file has no meaning with tls = "none"`)
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// toServer reads the name or the address of a server.
func toServer(dst *string, v starlark.Value) error {
	var s string
	if err := toWord(&s, v, nil); err != nil {
		return err
	}
	bare := strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	if net.ParseIP(bare) != nil {
		*dst = bare
		return nil
	}
	if host, port, err := net.SplitHostPort(s); err == nil {
		return fmt.Errorf("got %s, want the host alone; say host = %q, port = %s", short(v), host, port)
	}
	if strings.ContainsAny(s, "/:@[] ") {
		return fmt.Errorf(`got %s, want the name of a server, such as "mail.example.org"`, short(v))
	}
	*dst = s
	return nil
}

func snsNative() *builtin {
	return &builtin{
		Doc: Doc{
			Name: "aws_sns",
			Text: `Amazon's notification service: each recipient is a topic, named by its ARN. Credentials come from where AWS's own tools
find them. A subject is cut to 100 characters of ASCII, and a body to 256 KiB, which is what the service takes.`,
			Params: []Param{
				{Name: "profile", Type: "string", Default: "None", Doc: "the profile of AWS's shared files"},
				{Name: "region", Type: "string", Default: "None", Doc: "where to ask for the topics; the default is what each ARN says"},
			},
		},
		run: func(c *call) (starlark.Value, error) {
			s := &plan.SNS{}
			return &muaValue{plan.MUA{Kind: plan.MUASNS, Pos: c.caller(), SNS: s}}, c.unpack(func(name string, v starlark.Value) error {
				if name == "profile" {
					return toWord(&s.Profile, v, nil)
				}
				return toWord(&s.Region, v, nil)
			})
		},
		broken: brokenMUA,
	}
}

// brokenMUA takes any recipient, so that a mistake is reported once.
func brokenMUA(c *call) starlark.Value {
	return &muaValue{plan.MUA{Kind: plan.MUAStdout, Pos: c.caller()}}
}
