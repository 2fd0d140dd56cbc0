// Package stdout prints messages, for a program or a log that takes them from there.
package stdout

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"palhm/backends/mail"
)

// Mailer prints messages to Out. Recipients and subject are comments, so that a body
// that is YAML is a document as a whole.
type Mailer struct{ Out io.Writer }

var _ mail.Mailer = Mailer{}

// Send prints a message in one Write.
func (o Mailer) Send(_ context.Context, m mail.Message) error {
	if err := m.Check(); err != nil {
		return fmt.Errorf("print the message: %w", err)
	}
	var b bytes.Buffer
	if len(m.To) > 0 {
		fmt.Fprintf(&b, "# To: %s\n", strings.Join(m.To, ", "))
	}
	fmt.Fprintf(&b, "# Subject: %s\n%s", m.Subject, m.Text())
	if _, err := o.Out.Write(b.Bytes()); err != nil {
		return fmt.Errorf("print the message: %w", err)
	}
	return nil
}
