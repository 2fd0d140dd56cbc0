package smtp

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

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
	msg.Subject(foldable(m.Subject))
	msg.SetDate()
	msg.SetMessageIDWithValue(rand.Text() + "@" + domain())
	// Nobody's vacation message should answer it (RFC 3834).
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetBodyString(gomail.TypeTextPlain, m.Text())
	var b bytes.Buffer
	if _, err := msg.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("compose the message: %w", err)
	}
	return b.Bytes(), nil
}

const (
	maxSubject = 900 // bytes of a subject in one piece; RFC 5322, 2.1.1 has 998 for the line
	maxWord    = 45  // bytes of a text in an encoded word, which has 75 at most (RFC 2047, 2)
)

// foldable is a subject that can be folded without a loss. A long one is made of
// encoded words: the blanks of a plain one are all that it could be folded at, as far as
// it has any.
func foldable(subject string) string {
	if len(subject) <= maxSubject {
		return subject
	}
	var encoded []string
	for subject != "" {
		n := min(len(subject), maxWord)
		for n < len(subject) && !utf8.RuneStart(subject[n]) {
			n--
		}
		encoded = append(encoded, "=?utf-8?b?"+base64.StdEncoding.EncodeToString([]byte(subject[:n]))+"?=")
		subject = subject[n:]
	}
	return strings.Join(encoded, " ")
}
