// Package mail is the contract of what sends a message: mail programs, mail servers
// and notification services, one package each.
package mail

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"palhm/runtime/plan"
)

// Message is text for people, in UTF-8.
type Message struct {
	To      []string // addresses, as the mailer understands them
	Subject string   // one line
	Body    string   // see Text
}

// Mailer sends messages. It may be used by several goroutines.
type Mailer interface {
	// Send hands a message over, and returns when it is out of palhm's hands or
	// when that has failed: in bounded time, whatever the other side does, and soon
	// after ctx has ended. The first line of an error says what was attempted;
	// lines that may follow are what the other side complained. It wraps a
	// *PartlyError when some recipients have the message all the same.
	Send(ctx context.Context, m Message) error
}

// PartlyError says that some recipients have a message and others do not. To send it
// again would give it to the first twice.
type PartlyError struct{ Err error }

func (e *PartlyError) Error() string { return e.Err.Error() }
func (e *PartlyError) Unwrap() error { return e.Err }

// Check refuses a message whose recipients or subject could be taken for something
// else, such as another header. Every mailer calls it first; whether an address is
// one is for the mailer to say.
func (m Message) Check() error {
	if m.Subject == "" {
		return errors.New("the message has no subject")
	}
	if err := plan.CheckLine(m.Subject); err != nil {
		return fmt.Errorf("subject: %w", err)
	}
	for _, to := range m.To {
		if to == "" {
			return errors.New("a recipient is empty")
		}
		if err := plan.CheckLine(to); err != nil {
			return fmt.Errorf("recipient: %w", err)
		}
	}
	return nil
}

// CheckFor is Check for a mailer of that kind (see plan.MUA), which must have a
// recipient and knows what one looks like.
func (m Message) CheckFor(kind string) error {
	if err := m.Check(); err != nil {
		return err
	}
	if len(m.To) == 0 {
		return errors.New("the message has no recipient")
	}
	for _, to := range m.To {
		if err := (plan.MUA{Kind: kind}).CheckRecipient(to); err != nil {
			return err
		}
	}
	return nil
}

// Text is the body as any mailer can carry it: valid UTF-8 whose lines end in "\n",
// the last one too. Control characters and what is not UTF-8 become U+FFFD, tabs
// stay.
func (m Message) Text() string {
	text := strings.ReplaceAll(strings.ToValidUTF8(m.Body, "\ufffd"), "\r\n", "\n")
	text = strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && unicode.IsControl(r) {
			return '\ufffd'
		}
		return r
	}, text)
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text
}

// OneLine makes one line of what the other side has answered, for an error. What a
// terminal would obey becomes U+FFFD.
func OneLine(s string) string {
	line := strings.Join(strings.Fields(s), " ")
	if line == "" {
		return ""
	}
	return plan.Line(line)
}
