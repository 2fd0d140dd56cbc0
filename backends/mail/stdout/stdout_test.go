package stdout_test

import (
	"bytes"
	"testing"

	"palhm/backends/mail"
	"palhm/backends/mail/stdout"
)

func TestOutputIsADocument(t *testing.T) {
	var b bytes.Buffer
	m := mail.Message{To: []string{"root", "a@example.org"}, Subject: "Boot: web1", Body: "boot-report:\n  hostname: web1"}
	if err := (stdout.Mailer{Out: &b}).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	const want = "# To: root, a@example.org\n# Subject: Boot: web1\nboot-report:\n  hostname: web1\n"
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
	b.Reset()
	m.Subject = "x\nboot-report: forged"
	if err := (stdout.Mailer{Out: &b}).Send(t.Context(), m); err == nil || b.Len() > 0 {
		t.Errorf("a subject of two lines: got %v and %q", err, b.String())
	}
}
