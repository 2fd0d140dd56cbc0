package words_test

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"palhm/runtime/words"
)

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"plain ünïcödé\ttab":        "plain ünïcödé\ttab",
		"\x1b[31mred\x1b[0m":        `\x1b[31mred\x1b[0m`,
		"bad \xff\xfe utf-8":        `bad \xff\xfe utf-8`,
		"c1 \u009b and bidi \u202e": `c1 \u009b and bidi \u202e`,
		"cr\rbell\a":                `cr\rbell\a`,
		"real \ufffd":               "real \ufffd",
	} {
		if got := words.Visible(in); got != want {
			t.Errorf("Visible(%q): got %q, want %q", in, got, want)
		}
	}
}

func TestUnits(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "0.98 KiB", 1024: "1.00 KiB", 10 << 20: "10.0 MiB",
		999 << 20: "999 MiB", 1000 << 20: "0.98 GiB", 1536 << 30: "1.50 TiB", 1<<63 - 1: "8.00 EiB",
	} {
		if got := words.Bytes(n); got != want {
			t.Errorf("Bytes(%d): got %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		1234567 * time.Nanosecond: "1ms", 12345 * time.Millisecond: "12.3s", 3725 * time.Second: "1h2m5s",
	} {
		if got := words.Duration(d); got != want {
			t.Errorf("Duration(%v): got %q, want %q", d, got, want)
		}
	}
}

// Whatever a process prints, nothing in it reaches the terminal as a command.
func FuzzVisible(f *testing.F) {
	for _, s := range []string{"plain", "\x1b[2J", "\xff", "\u009b1m", "\u202e", "a\nb", "\ufffd"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := words.Visible(s)
		if !utf8.ValidString(got) {
			t.Errorf("Visible(%q) is %q, which is not UTF-8", s, got)
		}
		if i := strings.IndexFunc(got, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }); i >= 0 {
			t.Errorf("Visible(%q) is %q, with a control character at %d", s, got, i)
		}
	})
}
