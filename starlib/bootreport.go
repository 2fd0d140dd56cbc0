package starlib

import (
	"errors"
	"fmt"

	"go.starlark.net/starlark"

	"palhm/runtime/plan"
)

const (
	defaultBootSubject = "Boot report of {hostname}"
	defaultBootHeader  = "{hostname} has booted."
)

func bootReportNative() *builtin {
	return &builtin{
		Doc: Doc{
			Name: "boot_report",
			Text: `The mail that "palhm boot-report" sends when the host has booted, at most once in a site.
Its body is YAML as a whole: the header is a comment, and "boot-report" has what is switched on below. What the host cannot
tell is given as "not known", with the reason.`,
			Params: []Param{
				{Name: "mua", Type: "mua, such as mailx()", Doc: "what sends it"},
				{Name: "mail_to", Type: "list of strings", Default: "[]", Doc: "who gets it; only stdout() can do without"},
				{Name: "subject", Type: "string", Default: `"` + defaultBootSubject + `"`, KeywordOnly: true, Doc: "one line; {hostname} is replaced, and no other brace means anything"},
				{Name: "header", Type: "string", Default: `"` + defaultBootHeader + `"`, KeywordOnly: true, Doc: "stands above the report, as comments; {hostname} is replaced"},
				{Name: "uptime_since", Type: "bool", Default: "True", KeywordOnly: true, Doc: "when the kernel started"},
				{Name: "uptime", Type: "bool", Default: "True", KeywordOnly: true, Doc: "how long it has run"},
				{Name: "bootid", Type: "bool", Default: "True", KeywordOnly: true, Doc: "the kernel's id of this boot"},
				{Name: "last_boot", Type: "bool", Default: "True", KeywordOnly: true, Doc: "how the boot before this one ended: a clean shutdown, a kernel panic, a crash or power loss, as far as the journal, wtmp and pstore tell"},
				{Name: "kernel", Type: "bool", Default: "True", KeywordOnly: true, Doc: "the kernel before this boot and now"},
				{Name: "failed_units", Type: "bool", Default: "True", KeywordOnly: true, Doc: "what systemd could not start"},
				{Name: "cause", Type: "bool", Default: "True", KeywordOnly: true, Doc: "the routine of palhm that ran when the host went down"},
				{Name: "boot_wait", Type: "string", Default: "None", KeywordOnly: true, Doc: `"systemd" waits until systemd has started everything, half an hour at most; how that went is in the report`},
				{Name: "delay", Type: "duration", Default: "None", KeywordOnly: true, Doc: `a further wait, such as "30s"`},
			},
		},
		run:    declareBootReport,
		broken: func(*call) starlark.Value { return starlark.None },
	}
}

func declareBootReport(c *call) (starlark.Value, error) {
	b := &plan.BootReport{
		Pos: c.caller(), Subject: defaultBootSubject, Header: defaultBootHeader,
		UptimeSince: true, Uptime: true, BootID: true, LastBoot: true, Kernel: true, FailedUnits: true, Cause: true,
	}
	err := c.unpack(bootReportSetter(b))
	if err == nil {
		err = c.checkRecipients(b.MUA, b.To)
	}
	if regErr := c.registering(); regErr != nil {
		return nil, regErr
	}
	if first := c.l.bootAt; first != (plan.Pos{}) {
		return nil, &placedError{err: errors.New("given for the second time"), notes: []Note{{first, "the first time"}}}
	}
	c.l.bootAt, c.l.result.BootReport = b.Pos, b
	return starlark.None, err
}

// bootReportSetter takes the arguments of boot_report.
func bootReportSetter(b *plan.BootReport) func(string, starlark.Value) error {
	switches := map[string]*bool{
		"uptime_since": &b.UptimeSince, "uptime": &b.Uptime, "bootid": &b.BootID,
		"last_boot": &b.LastBoot, "kernel": &b.Kernel, "failed_units": &b.FailedUnits, "cause": &b.Cause,
	}
	return func(name string, v starlark.Value) error {
		if on := switches[name]; on != nil {
			return toBool(on, v)
		}
		switch name {
		case "mua":
			return toMUA(&b.MUA, v)
		case "mail_to":
			return toRecipients(&b.To, v)
		case "subject":
			if v == starlark.String("") {
				return errors.New("is empty, want one line")
			}
			return toSubject(&b.Subject, v)
		case "header":
			return toString(&b.Header, v)
		case "boot_wait":
			return toBootWait(&b.BootWait, v)
		case "delay":
			return noneMeans("no delay", toDuration(&b.Delay, v))
		}
		panic("boot_report has no parameter " + name)
	}
}

func toBootWait(dst *string, v starlark.Value) error {
	if err := toString(dst, v); err != nil {
		return err
	}
	if *dst != "systemd" {
		return fmt.Errorf(`got %s, want "systemd", or None for no waiting`, short(v))
	}
	return nil
}

// toSubject reads one line of text that every MUA can send, or "".
func toSubject(dst *string, v starlark.Value) error {
	if err := toString(dst, v); err != nil {
		return err
	}
	if *dst == "" {
		return nil
	}
	return plan.CheckLine(*dst)
}
