package smtp

import (
	"bytes"
	"fmt"
	"os/user"

	gomail "github.com/wneessen/go-mail"

	"palhm/backends/mail"
)

// compose writes a message as RFC 5322 has it, with headers encoded as RFC 2047 and
// the body as quoted-printable.
func compose(from string, m mail.Message) ([]byte, error) {
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := msg.From(from); err != nil {
		return nil, fmt.Errorf("sender: %w", err)
	}
	if err := msg.To(m.To...); err != nil {
		return nil, fmt.Errorf("recipient: %w", err)
	}
	msg.Subject(m.Subject)
	msg.SetDate()
	msg.SetMessageID()
	// Nobody's vacation message should answer it (RFC 3834).
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetBodyString(gomail.TypeTextPlain, m.Text())
	var b bytes.Buffer
	if _, err := msg.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("compose the message: %w", err)
	}
	return b.Bytes(), nil
}

// accountName is the account that palhm runs as. One without a name, as in a
// container, is "palhm".
func accountName() string {
	u, err := user.Current()
	if err != nil || u.Username == "" {
		return "palhm"
	}
	return u.Username
}
