package smtp_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"mime"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	server "github.com/emersion/go-smtp"

	"palhm/backends/mail"
	"palhm/backends/mail/smtp"
	"palhm/runtime/plan"
)

const password = "hunter2 grün"

// box is a mail server in this process, and what has arrived.
type box struct {
	mu       sync.Mutex
	from     string
	to       []string
	message  string
	account  string // of the last session that authenticated
	refuse   map[string]error
	dataErr  error
	mailErr  error
	noAuth   bool
	login    bool // LOGIN is what is offered
	utf8     bool // SMTPUTF8 is offered
	sessions int
	most     int // recipients that a transaction takes; 0 = any number
	fail     int // the transaction whose message is refused, from 1; 0 = none

	transactions int
	taken        [][]string // the recipients of each message that was taken
}

func (b *box) NewSession(*server.Conn) (server.Session, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sessions++
	return &session{box: b}, nil
}

type session struct {
	box *box
	to  []string // of this transaction
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

func (s *session) AuthMechanisms() []string {
	if s.box.noAuth {
		return nil
	}
	if s.box.login {
		return []string{sasl.Login}
	}
	return []string{sasl.Plain}
}

// loginServer asks for the account and the password, and refuses both.
type loginServer struct{ asked int }

func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	l.asked++
	switch l.asked {
	case 1:
		return []byte("Username:"), false, nil
	case 2:
		return []byte("Password:"), false, nil
	}
	echo := base64.StdEncoding.EncodeToString(response)
	return nil, false, &server.SMTPError{Code: 535, EnhancedCode: server.EnhancedCode{5, 7, 8}, Message: "no: " + echo + " and " + string(response)}
}

func (s *session) Auth(string) (sasl.Server, error) {
	if s.box.login {
		return &loginServer{}, nil
	}
	return sasl.NewPlainServer(func(_, user, pw string) error {
		if user != "web1" || pw != password {
			echo := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + pw))
			return &server.SMTPError{Code: 535, EnhancedCode: server.EnhancedCode{5, 7, 8}, Message: "no: " + echo + " and " + pw}
		}
		s.box.mu.Lock()
		defer s.box.mu.Unlock()
		s.box.account = user
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *server.MailOptions) error {
	s.box.from = from
	s.box.transactions++
	s.to = nil
	return s.box.mailErr
}

func (s *session) Rcpt(to string, _ *server.RcptOptions) error {
	if err := s.box.refuse[to]; err != nil {
		return err
	}
	if s.box.most > 0 && len(s.to) == s.box.most {
		return &server.SMTPError{Code: 452, EnhancedCode: server.EnhancedCode{4, 5, 3}, Message: "too many recipients"}
	}
	s.to = append(s.to, to)
	s.box.to = append(s.box.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.box.message = string(data)
	if s.box.fail > 0 && s.box.transactions == s.box.fail {
		return &server.SMTPError{Code: 451, Message: "not now"}
	}
	if s.box.dataErr == nil {
		s.box.taken = append(s.box.taken, s.to)
	}
	return s.box.dataErr
}

// certificate makes one for localhost and its CA file.
func certificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// serve starts a server and returns options to reach it.
func serve(t *testing.T, b *box, mode plan.TLSMode) smtp.Options {
	t.Helper()
	cert, ca := certificate(t)
	s := server.NewServer(b)
	s.Domain, s.ErrorLog, s.EnableSMTPUTF8 = "localhost", discard{}, b.utf8
	s.AllowInsecureAuth = mode == plan.TLSNone
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{cert}}
	o := smtp.Options{Host: "localhost", Port: l.Addr().(*net.TCPAddr).Port, TLS: mode, CAFile: ca, From: "palhm@example.org", Timeout: 5 * time.Second}
	switch mode {
	case plan.TLSStart:
		s.TLSConfig = config
	case plan.TLSFull:
		l = tls.NewListener(l, config)
	case plan.TLSNone:
		o.CAFile = ""
	}
	go s.Serve(l) //nolint:errcheck // ends with Close
	t.Cleanup(func() { s.Close() })
	return o
}

type discard struct{}

func (discard) Printf(string, ...any) {}
func (discard) Println(...any)        {}

func withPassword(o smtp.Options, pw string) smtp.Options {
	o.User, o.Password = "web1", func(context.Context) (string, error) { return pw, nil }
	return o
}

func message() mail.Message {
	return mail.Message{To: []string{"root@example.org", "boss@example.org"}, Subject: "Grüße: " + strings.Repeat("ä", 60), Body: "a: grün\n.\n..b\n" + strings.Repeat("x", 3000)}
}

func TestMessageArrives(t *testing.T) {
	for _, mode := range []plan.TLSMode{plan.TLSStart, plan.TLSFull, plan.TLSNone} {
		t.Run(string(mode), func(t *testing.T) {
			b := &box{}
			if err := smtp.New(withPassword(serve(t, b, mode), password)).Send(t.Context(), message()); err != nil {
				t.Fatal(err)
			}
			if b.from != "palhm@example.org" || strings.Join(b.to, " ") != "root@example.org boss@example.org" || b.account != "web1" {
				t.Errorf("got %s, %v, %s", b.from, b.to, b.account)
			}
			checkMessage(t, b.message, message())
		})
	}
}

func checkMessage(t *testing.T, got string, want mail.Message) {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(got))
	if err != nil {
		t.Fatalf("%v\n%s", err, got)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || subject != want.Subject {
		t.Errorf("got subject %q (%v)", subject, err)
	}
	body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if text := strings.ReplaceAll(string(body), "\r\n", "\n"); err != nil || text != want.Text() {
		t.Errorf("got body %q (%v)", text, err)
	}
	for line := range strings.SplitSeq(got, "\r\n") {
		if len(line) > 998 || strings.ContainsFunc(line, func(r rune) bool { return r > 126 }) {
			t.Errorf("not a line of mail: %q", line)
		}
	}
	if m.Header.Get("Auto-Submitted") != "auto-generated" || m.Header.Get("Message-Id") == "" || m.Header.Get("Date") == "" {
		t.Errorf("got header %v", m.Header)
	}
}

// wantError checks an error that must be one line, and must not have the password.
func wantError(t *testing.T, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("got no error")
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("got %q, want %q in it", err, w)
		}
	}
	for _, never := range []string{"hunter2", "\n", base64.StdEncoding.EncodeToString([]byte("\x00web1\x00wrong " + password))} {
		if strings.Contains(err.Error(), never) {
			t.Errorf("%q is in the error %q", never, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	gone := &server.SMTPError{Code: 550, EnhancedCode: server.EnhancedCode{5, 1, 1}, Message: "no such user"}
	t.Run("one recipient", func(t *testing.T) {
		b := &box{refuse: map[string]error{"boss@example.org": gone}}
		err := smtp.New(serve(t, b, plan.TLSStart)).Send(t.Context(), message())
		wantError(t, err, "RCPT TO:<boss@example.org>: 550", "no such user", "the others have it")
		if _, partly := errors.AsType[*mail.PartlyError](err); !partly {
			t.Errorf("%v is not told from a message that nobody has", err)
		}
		checkMessage(t, b.message, message())
	})
	t.Run("all recipients", func(t *testing.T) {
		b := &box{refuse: map[string]error{"boss@example.org": gone, "root@example.org": gone}}
		err := smtp.New(serve(t, b, plan.TLSStart)).Send(t.Context(), message())
		wantError(t, err, "<root@example.org>: 550", "<boss@example.org>: 550")
		if _, partly := errors.AsType[*mail.PartlyError](err); partly || b.message != "" || strings.Contains(err.Error(), "the others") {
			t.Errorf("got %v and message %q", err, b.message)
		}
	})
	t.Run("sender", func(t *testing.T) {
		b := &box{mailErr: &server.SMTPError{Code: 553, Message: "not your address"}}
		wantError(t, smtp.New(serve(t, b, plan.TLSStart)).Send(t.Context(), message()), "MAIL FROM:<palhm@example.org>: 553", "not your address")
	})
	t.Run("for now", func(t *testing.T) {
		b := &box{dataErr: &server.SMTPError{Code: 451, EnhancedCode: server.EnhancedCode{4, 3, 1}, Message: "mail system full\ntry later"}}
		wantError(t, smtp.New(serve(t, b, plan.TLSStart)).Send(t.Context(), message()), "DATA: 451", "mail system full", "try later")
	})
	t.Run("password", func(t *testing.T) {
		b := &box{}
		wantError(t, smtp.New(withPassword(serve(t, b, plan.TLSStart), "wrong "+password)).Send(t.Context(), message()), "AUTH: 535", "(password)")
		if b.message != "" {
			t.Error("the mail was sent all the same")
		}
	})
	t.Run("password of LOGIN", func(t *testing.T) {
		const wrong = "two  blanks"
		err := smtp.New(withPassword(serve(t, &box{login: true}, plan.TLSStart), wrong)).Send(t.Context(), message())
		wantError(t, err, "AUTH: 535", "no: (password) and (password)")
		if err != nil && strings.Contains(err.Error(), "blanks") {
			t.Errorf("the password is in %v", err)
		}
	})
	t.Run("no authentication", func(t *testing.T) {
		wantError(t, smtp.New(withPassword(serve(t, &box{noAuth: true}, plan.TLSStart), password)).Send(t.Context(), message()), "AUTH: the server offers")
	})
	t.Run("no password", func(t *testing.T) {
		o := withPassword(serve(t, &box{}, plan.TLSStart), "")
		o.Password = func(context.Context) (string, error) { return "", errors.New(`secret(file = "smtp"): no such file`) }
		wantError(t, smtp.New(o).Send(t.Context(), message()), "read the password", "no such file")
	})
}

// What a server has no room for in one transaction gets the message in the next (RFC
// 5321, 4.5.3.1.10).
func TestManyRecipients(t *testing.T) {
	var all []string
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		all = append(all, name+"@example.org")
	}
	gone := &server.SMTPError{Code: 550, EnhancedCode: server.EnhancedCode{5, 1, 1}, Message: "no such user"}
	full := &server.SMTPError{Code: 452, EnhancedCode: server.EnhancedCode{4, 2, 2}, Message: "mailbox full"}
	for name, test := range map[string]struct {
		box   *box
		taken string
		fails []string // nil = everybody has the message
	}{
		"two at a time":                 {&box{most: 2}, "[[a b] [c d] [e]]", nil},
		"one at a time":                 {&box{most: 1}, "[[a] [b] [c] [d] [e]]", nil},
		"one is gone":                   {&box{most: 2, refuse: map[string]error{"c@example.org": gone}}, "[[a b] [d e]]", []string{"<c@example.org>: 550"}},
		"one is full":                   {&box{refuse: map[string]error{"c@example.org": full}}, "[[a b] [d e]]", []string{"<c@example.org>: 452", "mailbox full"}},
		"first is full":                 {&box{refuse: map[string]error{"a@example.org": full}}, "[[b c d e]]", []string{"<a@example.org>: 452"}},
		"the second message is refused": {&box{most: 2, fail: 2}, "[[a b]]", []string{"c@example.org, d@example.org, e@example.org: ", "451", "not now"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := message()
			m.To = all
			err := smtp.New(serve(t, test.box, plan.TLSStart)).Send(t.Context(), m)
			if got := strings.ReplaceAll(fmt.Sprint(test.box.taken), "@example.org", ""); got != test.taken {
				t.Errorf("the messages went to %s, want %s", got, test.taken)
			}
			if test.fails == nil && err != nil {
				t.Fatal(err)
			}
			if test.fails != nil {
				wantError(t, err, append(test.fails, "the others have it")...)
				if _, partly := errors.AsType[*mail.PartlyError](err); !partly {
					t.Errorf("%v is not told from a message that nobody has", err)
				}
			}
			checkMessage(t, test.box.message, m)
		})
	}
}

// A server that does not know addresses that are not ASCII gets none (RFC 6531, 3.1),
// and the other recipients have the message.
func TestAddressesBeyondASCII(t *testing.T) {
	m := message()
	m.To = []string{"grün@example.org", "root@example.org"}
	t.Run("offered", func(t *testing.T) {
		b := &box{utf8: true}
		if err := smtp.New(serve(t, b, plan.TLSStart)).Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(b.taken) != "[[grün@example.org root@example.org]]" || !strings.Contains(b.message, "grün@example.org") {
			t.Errorf("got %v and\n%s", b.taken, b.message)
		}
	})
	t.Run("not offered", func(t *testing.T) {
		b := &box{}
		err := smtp.New(serve(t, b, plan.TLSStart)).Send(t.Context(), m)
		wantError(t, err, "<grün@example.org>: ", "SMTPUTF8", "the others have it")
		if _, partly := errors.AsType[*mail.PartlyError](err); !partly || fmt.Sprint(b.taken) != "[[root@example.org]]" {
			t.Errorf("got %v, and the message went to %v", err, b.taken)
		}
		checkMessage(t, b.message, m)
	})
	t.Run("nobody else", func(t *testing.T) {
		b := &box{}
		alone := m
		alone.To = m.To[:1]
		err := smtp.New(serve(t, b, plan.TLSStart)).Send(t.Context(), alone)
		wantError(t, err, "<grün@example.org>: ", "SMTPUTF8")
		if _, partly := errors.AsType[*mail.PartlyError](err); partly || b.transactions > 0 {
			t.Errorf("got %v after %d transactions", err, b.transactions)
		}
	})
	t.Run("sender", func(t *testing.T) {
		b := &box{}
		o := serve(t, b, plan.TLSStart)
		o.From = "grün@example.org"
		wantError(t, smtp.New(o).Send(t.Context(), message()), "MAIL FROM:<grün@example.org>: ", "SMTPUTF8")
		if b.transactions > 0 {
			t.Errorf("it was sent from %s", b.from)
		}
	})
}

// RFC 5322, 2.1.1: no line has more than 998 bytes, whatever the subject is.
func TestLongSubject(t *testing.T) {
	for _, subject := range []string{
		strings.Repeat("word ", 500) + "end", strings.Repeat("x", 3000), "a" + strings.Repeat(" ", 2000) + "b", "x " + strings.Repeat("ä", 2000), strings.Repeat("=?utf-8?q?a?= ", 200) + "b",
	} {
		b := &box{}
		m := message()
		m.Subject = subject
		if err := smtp.New(serve(t, b, plan.TLSNone)).Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		checkMessage(t, b.message, m)
	}
}

func TestNothingInTheClear(t *testing.T) {
	t.Run("no STARTTLS", func(t *testing.T) {
		b := &box{}
		o := serve(t, b, plan.TLSNone)
		o.TLS = plan.TLSStart
		wantError(t, smtp.New(withPassword(o, password)).Send(t.Context(), message()), "STARTTLS: the server does not offer it")
		if b.account != "" || b.message != "" {
			t.Errorf("got account %q and message %q", b.account, b.message)
		}
	})
	t.Run("unknown CA", func(t *testing.T) {
		for _, mode := range []plan.TLSMode{plan.TLSStart, plan.TLSFull} {
			b := &box{}
			o := serve(t, b, mode)
			o.CAFile = ""
			wantError(t, smtp.New(withPassword(o, password)).Send(t.Context(), message()), "TLS: ", "certificate")
			if b.message != "" {
				t.Error("the mail was sent all the same")
			}
		}
	})
	t.Run("another name", func(t *testing.T) {
		o := serve(t, &box{}, plan.TLSStart)
		o.Host = "127.0.0.1"
		wantError(t, smtp.New(o).Send(t.Context(), message()), "STARTTLS: ", "127.0.0.1")
	})
	t.Run("no CA in the file", func(t *testing.T) {
		o := serve(t, &box{}, plan.TLSStart)
		o.CAFile = os.DevNull
		wantError(t, smtp.New(o).Send(t.Context(), message()), "has no certificate")
	})
	t.Run("password to another host", func(t *testing.T) {
		address := otherAddress(t)
		l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
		if err != nil {
			t.Skipf("needs to listen on an address of its own: %v", err)
		}
		b := &box{}
		s := server.NewServer(b)
		s.AllowInsecureAuth, s.ErrorLog = true, discard{}
		go s.Serve(l) //nolint:errcheck // ends with Close
		t.Cleanup(func() { s.Close() })
		o := smtp.Options{Host: address, Port: l.Addr().(*net.TCPAddr).Port, TLS: plan.TLSNone, From: "a@example.org"}
		wantError(t, smtp.New(withPassword(o, password)).Send(t.Context(), message()), "AUTH: the connection is not encrypted")
		if b.account != "" {
			t.Error("the password was sent")
		}
		if err := smtp.New(o).Send(t.Context(), message()); err != nil {
			t.Errorf("without a password: %v", err)
		}
	})
}

// otherAddress is an address of this host that is not the loopback's.
func otherAddress(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if ip, ok := a.(*net.IPNet); ok && !ip.IP.IsLoopback() && ip.IP.To4() != nil {
			return ip.IP.String()
		}
	}
	t.Skip("needs an address that is not the loopback's")
	return ""
}

// stalling is a server that follows the protocol up to a point, and then says nothing
// more.
func stalling(t *testing.T, answers ...string) smtp.Options {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		t.Cleanup(func() { conn.Close() })
		buffer := make([]byte, 1<<16)
		for i, answer := range answers {
			if i > 0 {
				if _, err := conn.Read(buffer); err != nil {
					return
				}
			}
			io.WriteString(conn, answer) //nolint:errcheck // the client finds out
		}
		io.Copy(io.Discard, conn) //nolint:errcheck // until the client goes away
	}()
	return smtp.Options{Host: "localhost", Port: l.Addr().(*net.TCPAddr).Port, TLS: plan.TLSNone, From: "a@example.org", Timeout: 200 * time.Millisecond}
}

const (
	hello    = "220 localhost ready\r\n"
	features = "250-localhost\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n"
	okay     = "250 fine\r\n"
)

func TestServerThatStalls(t *testing.T) {
	for step, test := range map[string]struct {
		mode    plan.TLSMode
		auth    bool
		answers []string
	}{
		"greeting":    {mode: plan.TLSNone},
		"TLS":         {mode: plan.TLSFull},
		"EHLO":        {mode: plan.TLSNone, answers: []string{hello}},
		"STARTTLS":    {mode: plan.TLSStart, answers: []string{hello, features}},
		"AUTH":        {mode: plan.TLSNone, auth: true, answers: []string{hello, features}},
		"MAIL FROM:<": {mode: plan.TLSNone, answers: []string{hello, features}},
		"RCPT TO:<":   {mode: plan.TLSNone, answers: []string{hello, features, okay}},
		"DATA":        {mode: plan.TLSNone, answers: []string{hello, features, okay, okay, okay}},
	} {
		t.Run(step, func(t *testing.T) {
			o := stalling(t, test.answers...)
			o.TLS = test.mode
			if test.auth {
				o = withPassword(o, password)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // which is not what ends it
			defer cancel()
			wantError(t, smtp.New(o).Send(ctx, message()), step, "no answer within 200ms")
		})
	}
	// To give up then may mean that the message comes twice, so RFC 5321, 4.5.3.2.6 is
	// more patient.
	t.Run("answer to the message", func(t *testing.T) {
		o := stalling(t, hello, features, okay, okay, okay, "354 go\r\n")
		wantError(t, smtp.New(o).Send(t.Context(), message()), "end of DATA: no answer within 400ms", "whether the server has taken the message is not known")
	})
	t.Run("handshake after STARTTLS", func(t *testing.T) {
		o := stalling(t, hello, features, "220 go\r\n")
		o.TLS = plan.TLSStart
		wantError(t, smtp.New(o).Send(t.Context(), message()), "STARTTLS: no answer within")
	})
}

func TestServerThatMisbehaves(t *testing.T) {
	for name, test := range map[string]struct{ answer, want string }{
		"gone":       {"421 too many connections\r\n", "421 too many connections"},
		"not SMTP":   {"HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP/1.1"},
		"control":    {"554 \x1b[2Jgo away\r\n", "554 \ufffd[2Jgo away"},
		"no end":     {"220-" + strings.Repeat("x", 4<<20), "does not stop talking"},
		"many lines": {strings.Repeat("220-x\r\n", 1<<18), "does not stop talking"},
		"long story": {strings.Repeat("554-x\r\n", 1<<15) + "554 x\r\n", "554 x x x"},
	} {
		t.Run(name, func(t *testing.T) {
			o := stalling(t, test.answer)
			o.Timeout = 10 * time.Second
			err := smtp.New(o).Send(t.Context(), message())
			wantError(t, err, "greeting: ", test.want)
			if len(err.Error()) > 4<<10 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

func TestCancelIsHeeded(t *testing.T) {
	o := stalling(t, hello)
	o.Timeout = time.Minute
	cause := errors.New("told to stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(100*time.Millisecond, func() { cancel(cause) })
	if err := smtp.New(o).Send(ctx, message()); !errors.Is(err, cause) {
		t.Errorf("got %v, want the cause", err)
	}
}

func TestNobodyListens(t *testing.T) {
	wantError(t, smtp.New(smtp.Options{Host: "localhost", Port: 1, TLS: plan.TLSNone, From: "a@example.org"}).Send(t.Context(), message()), "send mail to localhost:1", "connection refused")
}

func TestAddressesAreNoCommands(t *testing.T) {
	for _, to := range []string{"a@b>\r\nRCPT TO:<c@d", "root", "A <a@example.org>", "a@b, c@d", "<a@b>", ""} {
		m := message()
		m.To = []string{to}
		b := &box{}
		if err := smtp.New(serve(t, b, plan.TLSNone)).Send(t.Context(), m); err == nil || b.sessions > 0 {
			t.Errorf("%q: got %v after %d sessions", to, err, b.sessions)
		}
	}
}

// The default sender is the account at this host.
func TestDefaultSender(t *testing.T) {
	b := &box{}
	o := serve(t, b, plan.TLSNone)
	o.From = ""
	if err := smtp.New(o).Send(t.Context(), message()); err != nil {
		t.Fatal(err)
	}
	host, _ := os.Hostname()
	if _, at, ok := strings.Cut(b.from, "@"); !ok || at != host {
		t.Errorf("got sender %q, want one at %s", b.from, host)
	}
}
