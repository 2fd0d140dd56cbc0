package words_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"palhm/runtime/words"
)

func TestLastLines(t *testing.T) {
	for _, c := range []struct {
		in   string
		most int
		want []string
	}{
		{"", 3, nil},
		{"\r\n\r\n", 3, nil},
		{"a", 3, []string{"a"}},
		{"a\n\nb\n", 3, []string{"a", "", "b"}},
		{"a\nb\nc\nd\n\n", 2, []string{"c", "d"}},
		{"dos\r\nlines\r\n", 3, []string{"dos", "lines"}},
		{"10%\r50%\r100%\nwhy\n", 3, []string{"100%", "why"}},
		{"10%\r50%\rdisk full\n", 3, []string{"disk full"}},
		{"10%\r50%\r", 3, []string{"50%"}},
		{"10%\r50%\r\r\n", 3, []string{"50%"}},
		{"\rx\n  \ry", 3, []string{"x", "y"}},
	} {
		if got := words.LastLines([]byte(c.in), c.most); !slices.Equal(got, c.want) {
			t.Errorf("the last %d of %q: got %q, want %q", c.most, c.in, got, c.want)
		}
	}
}

func TestShorten(t *testing.T) {
	for _, c := range []struct {
		in   string
		most int
		want string
	}{
		{"", 20, ""},
		{"just as long as it may", 22, "just as long as it may"},
		{"error: 0123456789abcdef: no space left", 20, "error: 0[...]ce left"},
		{strings.Repeat("ä", 20), 21, "ääää" + "[...]" + "ääää"},
		{strings.Repeat("\xbf", 40), 21, strings.Repeat("\xbf", 5) + "[...]" + strings.Repeat("\xbf", 5)},
	} {
		if got := words.Shorten(c.in, c.most); got != c.want {
			t.Errorf("%q in %d bytes: got %q, want %q", c.in, c.most, got, c.want)
		}
	}
}

func FuzzShorten(f *testing.F) {
	f.Add("error: ünïcödé, and no space left on the device", uint8(10))
	f.Add("\xf0\x9f\x98\x80\xbf\xbf\xbf\xbf\xbf\xbf\xbf\xbf", uint8(3))
	f.Fuzz(func(t *testing.T, s string, n uint8) {
		most := int(n) + len("[...]")
		got := words.Shorten(s, most)
		ok := got == s
		for i := range got {
			end, found := strings.CutPrefix(got[i:], "[...]")
			ok = ok || found && len(s) > most && strings.HasPrefix(s, got[:i]) && strings.HasSuffix(s, end)
		}
		if !ok || len(got) > most || utf8.ValidString(s) && !utf8.ValidString(got) {
			t.Errorf("%q in %d bytes: got %q", s, most, got)
		}
	})
}
