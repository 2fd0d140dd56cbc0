package smtp_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"palhm/backends/mail/smtp"
	"palhm/runtime/plan"
)

// eximConfig is a server that demands TLS and an account, and delivers to files.
const eximConfig = `primary_hostname = localhost
spool_directory = DIR/spool
log_file_path = DIR/log/%s
pid_file_path = DIR/exim.pid
daemon_smtp_ports = PORT
local_interfaces = 127.0.0.1
tls_advertise_hosts = *
tls_certificate = DIR/cert.pem
tls_privatekey = DIR/key.pem
auth_advertise_hosts = ${if eq{$tls_in_cipher}{}{}{*}}
acl_smtp_rcpt = check_rcpt
recipients_max = 2
smtputf8_advertise_hosts =
exim_user = EXIMUSER
keep_environment =
add_environment =
begin acl
check_rcpt:
  deny message = authenticate first
       !authenticated = *
  deny message = no such user here
       !local_parts = root : boss : cron
  accept
begin routers
everyone:
  driver = accept
  transport = file
begin transports
file:
  driver = appendfile
  file = DIR/mailbox
  user = EXIMUSER
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{web1}}{eq{$auth3}{PASSWORD}}}}
  server_set_id = $auth2
`

// exim starts a mail server of Debian's and returns options to reach it, and its
// mailbox.
func exim(t *testing.T) (o smtp.Options, mailbox string) {
	t.Helper()
	program, err := exec.LookPath("/usr/sbin/exim4")
	if err != nil {
		t.Skip("needs exim4")
	}
	account, err := user.Lookup("Debian-exim")
	if err != nil || os.Geteuid() != 0 {
		t.Skip("needs root, to start exim4")
	}
	dir, err := os.MkdirTemp("/var/tmp", "palhm-exim-") // t.TempDir is for root's eyes only
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	cert, ca := certificate(t)
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	config := strings.NewReplacer("DIR", dir, "PORT", strconv.Itoa(port), "EXIMUSER", account.Username, "PASSWORD", password).Replace(eximConfig)
	certPEM, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"exim.conf": []byte(config), "cert.pem": certPEM,
		"key.pem": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	uid, _ := strconv.Atoi(account.Uid)
	gid, _ := strconv.Atoi(account.Gid)
	for _, sub := range []string{"", "spool", "log"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(filepath.Join(dir, sub), uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	var output bytes.Buffer
	cmd := exec.Command(program, "-C", filepath.Join(dir, "exim.conf"), "-bdf")
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		cmd.Wait()         //nolint:errcheck // killed
		if t.Failed() {
			main, _ := os.ReadFile(filepath.Join(dir, "log", "main"))
			t.Logf("exim: %s\n%s", &output, main)
		}
	})
	address := fmt.Sprintf("127.0.0.1:%d", port)
	for range 500 {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	o = smtp.Options{Host: "localhost", Port: port, TLS: plan.TLSStart, CAFile: ca, From: "palhm@example.org"}
	return o, filepath.Join(dir, "mailbox")
}

func TestExim(t *testing.T) {
	o, mailbox := exim(t)
	m := message()
	m.To = []string{"root@localhost", "nobody@localhost"}
	wantError(t, smtp.New(o).Send(t.Context(), m), "550", "authenticate first")
	wantError(t, smtp.New(withPassword(o, "wrong "+password)).Send(t.Context(), m), "AUTH: 535")
	wantError(t, smtp.New(withPassword(o, password)).Send(t.Context(), m), "the others have it", "nobody@localhost", "no such user here")
	got := arrived(t, mailbox, 1)
	envelope, text, ok := strings.Cut(got, "\n")
	if !ok || !strings.HasPrefix(envelope, "From palhm@example.org ") {
		t.Fatalf("got mailbox %q", got)
	}
	text = strings.TrimSuffix(text, "\n") // between two messages of a mailbox
	checkMessage(t, strings.ReplaceAll(text, "\n", "\r\n"), m)
	if strings.Count(text, "\nSubject:") != 1 || !strings.Contains(text, "with esmtpsa") {
		t.Errorf("want one message over TLS by an account, got\n%s", text)
	}
}

// arrived waits for messages in a mailbox: exim delivers on its own.
func arrived(t *testing.T, mailbox string, messages int) string {
	t.Helper()
	for range 1500 {
		got, _ := os.ReadFile(mailbox)
		if bytes.Count(got, []byte("From palhm@example.org ")) == messages && bytes.HasSuffix(got, []byte("\n\n")) {
			return string(got)
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("%d messages have not come", messages)
	return ""
}

// A real server that takes two recipients at a time, and no address beyond ASCII.
func TestEximTakesFewRecipients(t *testing.T) {
	o, mailbox := exim(t)
	m := message()
	m.Subject = strings.Repeat("x", 1200)
	m.To = []string{"root@localhost", "grün@localhost", "boss@localhost", "cron@localhost"}
	err := smtp.New(withPassword(o, password)).Send(t.Context(), m)
	wantError(t, err, "the others have it", "<grün@localhost>: ", "SMTPUTF8")
	if got := arrived(t, mailbox, 3); strings.Contains(got, "grün") || strings.Contains(err.Error(), "cron") {
		t.Errorf("got %v and\n%s", err, got)
	}
}
