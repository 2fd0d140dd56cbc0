// Package smtp sends mail to a mail server (RFC 5321), with STARTTLS (RFC 3207) or
// TLS from the first byte (RFC 8314).
package smtp

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/wneessen/go-mail/smtp"

	"palhm/backends/mail"
	"palhm/runtime/host"
	"palhm/runtime/plan"
)

// DefaultTimeout is how long each step of the conversation may take: the longest that
// RFC 5321, 4.5.3.2 has for any of them but the last, which may take twice as long.
const DefaultTimeout = 5 * time.Minute

const (
	connectTime = 30 * time.Second // for a connection, about which the RFC says nothing
	goodByeTime = 5 * time.Second  // for the answer to QUIT, which changes nothing
)

// Options say where the server is and how to talk to it.
type Options struct {
	Host     string // the name that its certificate is for
	Port     int    // 0 = the usual one for TLS
	TLS      plan.TLSMode
	User     string                                // "" = no authentication
	Password func(context.Context) (string, error) // called when a message is sent; nil = none
	From     string                                // "" = the account and the host that palhm runs on
	CAFile   string                                // "" = the system's
	Timeout  time.Duration                         // of each step, and half of what the last one may take; 0 = DefaultTimeout
}

// Mailer sends each message over a connection of its own.
type Mailer struct{ opt Options }

var _ mail.Mailer = (*Mailer)(nil)

// usualPorts are those of RFC 8314 and RFC 5321.
var usualPorts = map[plan.TLSMode]int{plan.TLSStart: 587, plan.TLSFull: 465, plan.TLSNone: 25}

// New returns a mailer. It connects to nothing yet.
func New(o Options) *Mailer {
	o.Timeout = cmp.Or(o.Timeout, DefaultTimeout)
	o.Port = cmp.Or(o.Port, usualPorts[o.TLS])
	return &Mailer{o}
}

// Send sends a message to all recipients that the server accepts, in as many
// transactions as it wants. That it refuses one is a *mail.PartlyError, and the others
// get the message all the same.
func (m *Mailer) Send(ctx context.Context, msg mail.Message) error {
	address := net.JoinHostPort(m.opt.Host, strconv.Itoa(m.opt.Port))
	password, err := m.send(ctx, address, msg)
	if err == nil {
		return nil
	}
	if _, partly := errors.AsType[*mail.PartlyError](err); ctx.Err() != nil && !partly {
		err = context.Cause(ctx)
	}
	return fmt.Errorf("send mail to %s: %w", address, &redacted{err, secretForms(m.opt.User, password)})
}

// send also returns the password, which must not be in the error.
func (m *Mailer) send(ctx context.Context, address string, msg mail.Message) (password string, err error) {
	if err := msg.CheckFor(plan.MUASMTP); err != nil {
		return "", err
	}
	from := cmp.Or(m.opt.From, sender())
	config, password, err := m.files(ctx)
	if err != nil {
		return "", err
	}
	s := &session{ctx: ctx, timeout: m.opt.Timeout, host: m.opt.Host}
	if err := s.connect(address); err != nil {
		return password, err
	}
	defer s.close()
	if err := s.open(m.opt.TLS, config); err != nil {
		return password, err
	}
	if err := s.login(m.opt.User, password); err != nil {
		return password, err
	}
	return password, s.deliver(from, msg)
}

// files reads what lies in files, in the time of one step.
func (m *Mailer) files(ctx context.Context) (config *tls.Config, password string, err error) {
	ctx, cancel := context.WithTimeout(ctx, m.opt.Timeout)
	defer cancel()
	if config, err = m.tlsConfig(ctx); err != nil {
		return nil, "", err
	}
	if m.opt.Password != nil {
		if password, err = m.opt.Password(ctx); err != nil {
			return nil, "", fmt.Errorf("read the password: %w", err)
		}
	}
	return config, password, nil
}

func (m *Mailer) tlsConfig(ctx context.Context) (*tls.Config, error) {
	c := &tls.Config{ServerName: m.opt.Host, MinVersion: tls.VersionTLS12}
	if m.opt.CAFile == "" {
		return c, nil
	}
	pem, err := host.ReadFile(ctx, m.opt.CAFile, plan.MaxCAFile)
	if err != nil {
		return nil, fmt.Errorf("read the CA file: %w", err)
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("the CA file %s has no certificate in PEM form", m.opt.CAFile)
	}
	return c, nil
}

// session is one conversation.
type session struct {
	ctx     context.Context
	timeout time.Duration
	host    string
	conn    net.Conn
	client  *smtp.Client
	stop    func() bool // undoes what ends the connection with ctx
	broken  bool        // the server is not in a state to be told QUIT
}

// step does one step of the conversation, in the time that a step has.
func (s *session) step(name string, do func() error) error { return s.within(s.timeout, name, do) }

func (s *session) within(limit time.Duration, name string, do func() error) error {
	if err := s.conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	err := do()
	s.broken = err != nil && answerCode(err) == 0
	var netErr net.Error
	switch {
	case err == nil:
		return nil
	case s.ctx.Err() != nil:
		return context.Cause(s.ctx)
	case errors.As(err, &netErr) && netErr.Timeout():
		return fmt.Errorf("%s: no answer within %s", name, limit)
	case answerCode(err) != 0:
		return fmt.Errorf("%s: %w", name, &refusal{err})
	}
	return fmt.Errorf("%s: %w", name, err)
}

func (s *session) connect(address string) error {
	dialer := &net.Dialer{Timeout: min(s.timeout, connectTime)}
	conn, err := dialer.DialContext(s.ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	s.conn = &bounded{Conn: conn, left: maxAnswers}
	s.stop = context.AfterFunc(s.ctx, func() { conn.Close() })
	return nil
}

// close says good-bye, which is politeness: by then the server has taken the message
// or has refused it.
func (s *session) close() {
	if s.client != nil && !s.broken {
		s.within(min(s.timeout, goodByeTime), "QUIT", s.client.Quit) //nolint:errcheck // see above
	}
	s.stop()
	s.conn.Close()
}

// open greets the server, inside TLS unless the mode is "none".
func (s *session) open(mode plan.TLSMode, config *tls.Config) error {
	wire := s.conn
	if mode == plan.TLSFull {
		encrypted := tls.Client(s.conn, config)
		if err := s.step("TLS", func() error { return encrypted.HandshakeContext(s.ctx) }); err != nil {
			return err
		}
		wire = encrypted
	}
	err := s.step("greeting", func() (err error) {
		s.client, err = smtp.NewClient(wire, s.host)
		return err
	})
	if err != nil {
		return err
	}
	if err := s.step("EHLO", func() error { return s.client.Hello(greeting(s.conn.LocalAddr())) }); err != nil {
		return err
	}
	if mode != plan.TLSStart {
		return nil
	}
	if ok, _ := s.client.Extension("STARTTLS"); !ok {
		return errors.New(`STARTTLS: the server does not offer it, and nothing is sent in the clear; is the port right, or is it tls = "tls"?`)
	}
	return s.step("STARTTLS", func() error { return s.client.StartTLS(config) })
}

// maxAnswers bounds what a server may say in a conversation, in bytes.
const maxAnswers = 1 << 20

// bounded is a connection that does not read without end.
type bounded struct {
	net.Conn
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errors.New("the server does not stop talking")
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
