package main

import (
	"context"
	"fmt"
	"strings"

	"palhm/runtime/host"
	"palhm/runtime/plan"
	"palhm/runtime/secret"
	"palhm/runtime/words"
)

// A message is what a site sends besides what its tasks do.
type message struct {
	what string
	mua  plan.MUA
	to   []string
	pos  plan.Pos
}

// messages lists the boot report and the notices of a site.
func messages(site *plan.Site) (list []message) {
	if r := site.BootReport; r != nil {
		list = append(list, message{"boot report", r.MUA, r.To, r.Pos})
	}
	for _, n := range []struct {
		what   string
		notice *plan.Notice
	}{{"notice of a failure", site.Settings.OnFailure}, {"notice of a success", site.Settings.OnSuccess}} {
		if n.notice != nil {
			list = append(list, message{n.what, n.notice.MUA, n.notice.To, n.notice.MUA.Pos})
		}
	}
	return list
}

func messageText(m message) string {
	to := ""
	if len(m.to) > 0 {
		to = " to " + words.Visible(strings.Join(m.to, ", "))
	}
	return fmt.Sprintf("%s%s by %s (%s)", m.what, to, muaText(m.mua), m.pos)
}

func muaText(m plan.MUA) string {
	switch {
	case m.Mailx != nil:
		return words.Visible(m.Mailx.Exec)
	case m.SMTP != nil:
		return fmt.Sprintf("%s %s (%s)", m.Kind, words.Visible(m.SMTP.Host), m.SMTP.TLS)
	case m.SNS != nil:
		return strings.TrimSpace(m.Kind + " " + words.Visible(m.SNS.Region))
	}
	return m.Kind
}

// lacksMUA says what a message needs and this host does not have, or nil.
func lacksMUA(ctx context.Context, m plan.MUA, environ []string) (err error) {
	switch {
	case m.Mailx != nil:
		_, err = host.FindProgram(m.Mailx.Exec, "", environ)
	case m.SMTP != nil && m.SMTP.Password != nil:
		_, err = secret.Check(ctx, m.SMTP.Password, environ)
	}
	return err
}
