package plan

import (
	"strings"
	"testing"
)

func TestCheckLine(t *testing.T) {
	for _, s := range []string{"web1 is up", "Größe 🙂", " a ", "\u202fa", "\ufffd"} {
		if err := CheckLine(s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
	for s, want := range map[string]string{
		"": "one line of text", " ": "one line of text", "\u00a0\u3000": "one line of text",
		"a\xff": "not UTF-8", "a\n": "control", "a\x00": "control", "a\x7f": "control", "a\u0085b": "control",
		"a\u2028b": "control", "a\u2029b": "control", "a\ufeffb": "control", "a\ufffeb": "control", "a\uffffb": "control",
	} {
		if err := CheckLine(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", s, err, want)
		}
	}
}

// A line is made of anything, and a line stays as it is.
func TestLine(t *testing.T) {
	for in, want := range map[string]string{
		"web1 is up": "web1 is up", "Größe 🙂": "Größe 🙂", "a\xff\xfeb": "a\ufffdb", "a\r\nBcc: b\x1b": "a\ufffd\ufffdBcc: b\ufffd", "": "\ufffd", " \t": " \ufffd", "  ": "\ufffd",
	} {
		if got := Line(in); got != want || CheckLine(got) != nil {
			t.Errorf("%q: got %q (%v), want %q", in, got, CheckLine(got), want)
		}
	}
}

// What no mailer sends is no recipient either, whatever the mailer.
func TestCheckRecipientIsALine(t *testing.T) {
	for _, kind := range []string{MUAStdout, MUAMailx, MUASMTP, MUASNS} {
		for _, to := range []string{"", " ", " root@example.org", "a\u2028b@example.org", "a\xff@example.org", "a\ufffe@example.org"} {
			if err := (MUA{Kind: kind}).CheckRecipient(to); err == nil {
				t.Errorf("%s takes %q", kind, to)
			}
		}
	}
}
