package all

import (
	"context"
	"fmt"
	"io"

	"palhm/backends/mail"
	"palhm/backends/mail/mailx"
	"palhm/backends/mail/smtp"
	"palhm/backends/mail/sns"
	"palhm/backends/mail/stdout"
	"palhm/runtime/plan"
	"palhm/runtime/secret"
)

// Surroundings are what mailers use of the process.
type Surroundings struct {
	Stdout  io.Writer // gets what the mailer "stdout" prints
	Environ []string  // what programs inherit and where secrets are looked for, "NAME=value"
}

// OpenMailer returns the mailer that a plan names. It touches nothing yet: secrets
// are read when a message is sent.
func OpenMailer(m plan.MUA, s Surroundings) (mail.Mailer, error) {
	switch {
	case m.Kind == plan.MUAStdout:
		return stdout.Mailer{Out: s.Stdout}, nil
	case m.Kind == plan.MUAMailx && m.Mailx != nil:
		return mailx.New(mailx.Options{Program: m.Mailx.Exec, Options: m.Mailx.Options, Environ: s.Environ}), nil
	case m.Kind == plan.MUASMTP && m.SMTP != nil:
		return openSMTP(m.SMTP, s.Environ), nil
	case m.Kind == plan.MUASNS && m.SNS != nil:
		return sns.New(sns.Options{Profile: m.SNS.Profile, Region: m.SNS.Region}), nil
	}
	return nil, fmt.Errorf("got mua %q, want stdout, mailx, smtp or aws_sns", m.Kind)
}

func openSMTP(s *plan.SMTP, environ []string) mail.Mailer {
	o := smtp.Options{Host: s.Host, Port: s.Port, TLS: s.TLS, User: s.User, From: s.From, CAFile: s.CAFile}
	if s.Password != nil {
		o.Password = func(ctx context.Context) (string, error) { return secret.Value(ctx, s.Password, environ) }
	}
	return smtp.New(o)
}
