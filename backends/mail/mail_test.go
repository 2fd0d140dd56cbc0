package mail_test

import (
	"strings"
	"testing"

	"palhm/backends/mail"
)

func TestCheckRefusesOtherHeaders(t *testing.T) {
	for _, bad := range []string{"a\nBcc: x@y", "a\rb", "a\x00b", "a\x85b", "a\u2028b", "a\ufffeb", "a\x1b[2Jb", "a\xffb", " ", ""} {
		if err := (mail.Message{To: []string{"root"}, Subject: bad}).Check(); err == nil {
			t.Errorf("subject %q is let through", bad)
		}
		if err := (mail.Message{To: []string{"root", bad}, Subject: "s"}).Check(); err == nil {
			t.Errorf("recipient %q is let through", bad)
		} else if strings.ContainsAny(err.Error(), "\n\r\x1b\x00") {
			t.Errorf("the error has the control characters in it: %q", err)
		}
	}
	if err := (mail.Message{To: []string{"root"}, Subject: "Grüße {x} 100%"}).Check(); err != nil {
		t.Error(err)
	}
}

func TestTextIsSafe(t *testing.T) {
	for body, want := range map[string]string{
		"":                     "\n",
		"a\r\nb":               "a\nb\n",
		"tab\tand \x1b[31mred": "tab\tand \ufffd[31mred\n",
		"bad \xff\n":           "bad \ufffd\n",
		"nul\x00\x85\n\n":      "nul\ufffd\ufffd\n\n",
	} {
		if got := (mail.Message{Body: body}).Text(); got != want {
			t.Errorf("%q: got %q, want %q", body, got, want)
		}
	}
}
