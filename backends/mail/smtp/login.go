package smtp

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"slices"
	"strings"

	"github.com/wneessen/go-mail/smtp"

	"palhm/backends/mail"
)

// login authenticates, when there is an account to do it with (RFC 4954).
func (s *session) login(user, password string) error {
	if user == "" {
		return nil
	}
	if _, err := s.client.GetTLSConnectionState(); err != nil && !s.local() {
		return errors.New(`AUTH: the connection is not encrypted, and a password is not sent in the clear; use tls = "starttls" or "tls"`)
	}
	ok, offered := s.client.Extension("AUTH")
	if !ok {
		return errors.New("AUTH: the server offers no authentication; is the port right?")
	}
	auth := s.mechanism(strings.Fields(offered), user, password)
	if auth == nil {
		return fmt.Errorf("AUTH: the server offers %s, want PLAIN, LOGIN, SCRAM-SHA-256 or CRAM-MD5", mail.OneLine(offered))
	}
	return s.step("AUTH", func() error { return s.client.Auth(auth) })
}

// mechanism chooses how to authenticate. The simplest comes first: servers know the
// others for some accounts only, and the connection is safe, see login.
func (s *session) mechanism(offered []string, user, password string) smtp.Auth {
	const unencrypted = true // where login allows that
	switch {
	case slices.Contains(offered, "PLAIN"):
		return smtp.PlainAuth("", user, password, s.host, unencrypted)
	case slices.Contains(offered, "LOGIN"):
		return smtp.LoginAuth(user, password, s.host, unencrypted)
	case slices.Contains(offered, "SCRAM-SHA-256"):
		return smtp.ScramSHA256Auth(user, password)
	case slices.Contains(offered, "CRAM-MD5"):
		return smtp.CRAMMD5Auth(user, password)
	}
	return nil
}

// local reports whether the server is on this host.
func (s *session) local() bool {
	a, ok := s.conn.RemoteAddr().(*net.TCPAddr)
	return ok && a.IP.IsLoopback()
}

// answerCode is the code of an answer with which the server refuses something, and can be
// asked for something else; 0 = err is no such answer.
func answerCode(err error) int {
	if answer, ok := errors.AsType[*textproto.Error](err); ok {
		return answer.Code
	}
	return 0
}

// refusal shows the answer of a server as it was given; the library quotes it.
type refusal struct{ err error }

func (e *refusal) Error() string {
	answer, ok := errors.AsType[*textproto.Error](e.err)
	if !ok {
		return e.err.Error()
	}
	return fmt.Sprintf("%d %s", answer.Code, mail.OneLine(answer.Msg))
}

func (e *refusal) Unwrap() error { return e.err }

const maxError = 2000 // bytes

// redacted is an error without the forms of a password: a server may repeat what it
// was sent. It is one line, and not a long one.
type redacted struct {
	err     error
	secrets []string
}

func (e *redacted) Error() string {
	text := mail.OneLine(e.err.Error())
	for _, s := range e.secrets {
		text = strings.ReplaceAll(text, s, "(password)")
	}
	if len(text) > maxError {
		text = strings.ToValidUTF8(text[:maxError], "") + " ..."
	}
	return text
}

func (e *redacted) Unwrap() error { return e.err }

// secretForms are the forms in which a password is sent and shown again, the longest
// first.
func secretForms(user, password string) []string {
	if password == "" {
		return nil
	}
	encode := base64.StdEncoding.EncodeToString
	forms := []string{encode([]byte("\x00" + user + "\x00" + password)), encode([]byte(password)), password}
	if line := mail.OneLine(password); line != "" {
		forms = append(forms, line)
	}
	return forms
}
