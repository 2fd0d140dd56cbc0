package smtp

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"palhm/backends/mail"
)

// delivery is a message on its way to the recipients that are left.
type delivery struct {
	*session
	from     string
	text     []byte
	left     []string
	accepted []string // in the transaction that is under way
	refused  []string // recipients who do not get it, and why
	taken    bool     // a part of the recipients have it
}

// deliver sends the message, and says which recipients were refused.
func (s *session) deliver(from string, msg mail.Message) error {
	d := &delivery{session: s, from: from, left: msg.To}
	if err := d.speakable(); err != nil {
		return err
	}
	var err error
	if msg.To = d.left; len(msg.To) > 0 {
		d.text, err = compose(from, msg)
	}
	for len(d.left) > 0 && err == nil {
		err = d.transaction()
	}
	if err != nil && d.taken {
		err = fmt.Errorf("%s: %w", strings.Join(append(d.accepted, d.left...), ", "), err)
	}
	if err != nil {
		d.refused = append(d.refused, err.Error())
	}
	switch {
	case d.refused == nil:
		return nil
	case d.taken:
		return &mail.PartlyError{Err: fmt.Errorf("the others have it, but %s", strings.Join(d.refused, "; "))}
	}
	return errors.New(strings.Join(d.refused, "; "))
}

// speakable leaves out the recipients that the server has no words for. The extension is
// asked for only where it is needed: a server further on that lacks it would have to
// refuse the message (RFC 6531, 3.2).
func (d *delivery) speakable() error {
	const why = "%s:<%s>: the server takes no address that is not ASCII (it does not offer SMTPUTF8)"
	if offered, _ := d.client.Extension("SMTPUTF8"); !offered {
		if !isASCII(d.from) {
			return fmt.Errorf(why, "MAIL FROM", d.from)
		}
		var left []string
		for _, to := range d.left {
			if isASCII(to) {
				left = append(left, to)
			} else {
				d.refused = append(d.refused, fmt.Sprintf(why, "RCPT TO", to))
			}
		}
		d.left = left
	}
	d.client.SkipSMTPUTF8(isASCII(d.from + strings.Join(d.left, "")))
	return nil
}

// transaction sends the message to as many of those who are left as the server takes at
// once. "452" to one of several recipients means that there are too many, and the others
// are for the next transaction (RFC 5321, 4.5.3.1.10); to the first it is about that one.
func (d *delivery) transaction() error {
	if err := d.step("MAIL FROM:<"+d.from+">", func() error { return d.client.Mail("<" + d.from + ">") }); err != nil {
		return err
	}
	for len(d.left) > 0 {
		to := d.left[0]
		err := d.step("RCPT TO:<"+to+">", func() error { return d.client.Rcpt("<" + to + ">") })
		code := answerCode(err)
		switch {
		case err == nil:
			d.accepted = append(d.accepted, to)
		case code == 0 || code == closing:
			return err
		case len(d.accepted) > 0 && (code == tooMany || code == tooManyOnce):
			return d.data()
		default:
			d.refused = append(d.refused, err.Error())
		}
		d.left = d.left[1:]
	}
	if len(d.accepted) == 0 {
		return nil
	}
	return d.data()
}

// Codes of answers (RFC 5321, 4.2.3).
const (
	closing     = 421
	tooMany     = 452
	tooManyOnce = 552 // for the same; of servers before RFC 2821
)

// data sends the text to the recipients that the server has accepted.
func (d *delivery) data() error {
	var w io.WriteCloser
	err := d.step("DATA", func() (err error) {
		if w, err = d.client.Data(); err != nil {
			return err
		}
		_, err = w.Write(d.text)
		return err
	})
	if err != nil {
		return err
	}
	err = d.within(2*d.timeout, "end of DATA", w.Close)
	if err != nil && answerCode(err) == 0 {
		return fmt.Errorf("%w; whether the server has taken the message is not known", err)
	}
	if err == nil {
		d.taken, d.accepted = true, nil
	}
	return err
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}
