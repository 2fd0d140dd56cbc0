package proc_test

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"palhm/runtime/proc"
)

func TestQuote(t *testing.T) {
	for _, c := range []struct {
		argv []string
		want string
	}{
		{[]string{"gpg", "-e", "-r", "key@example.org", "--opt=a,b:c"}, "gpg -e -r key@example.org --opt=a,b:c"},
		{[]string{"echo", "", "a b", "it's", "$HOME", "*"}, `echo '' 'a b' 'it'\''s' '$HOME' '*'`},
		{[]string{"printf", "a\nb\tc\\d'\x01\xff"}, `printf $'a\nb\tc\\d\'\001\377'`},
		{[]string{"echo", "größe", "~root", "#"}, "echo größe '~root' '#'"},
	} {
		got := proc.Quote(c.argv)
		if got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
	long := proc.Quote([]string{"tar", strings.Repeat("é", 1000)})
	if n := utf8.RuneCountInString(long); n != 160 || !strings.HasSuffix(long, "é ...") || !utf8.ValidString(long) {
		t.Errorf("got %d characters: %s", n, long)
	}
}

// FuzzQuote lets a shell read what Quote wrote.
func FuzzQuote(f *testing.F) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		f.Skip("needs bash")
	}
	for _, s := range []string{"", "a b", "it's \\ $x `y`\n", "\x01\xff\u200bé\u0085'", "-n", "!~{a,b}", "a\\001" + "7"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		quoted := proc.Quote([]string{"printf", "%s", s})
		if strings.Contains(s, "\x00") || strings.HasSuffix(quoted, "...") {
			t.Skip()
		}
		if strings.ContainsAny(quoted, "\n\r") {
			t.Errorf("%q has more than one line", quoted)
		}
		cmd := exec.Command(bash, "-c", quoted)
		cmd.Env = []string{"LC_ALL=C.UTF-8"}
		if out, err := cmd.Output(); string(out) != s || err != nil {
			t.Errorf("%s: bash reads %q, %v, want %q", quoted, out, err, s)
		}
	})
}

func TestSignalName(t *testing.T) {
	if got := proc.SignalName(syscall.SIGKILL); got != "SIGKILL" {
		t.Errorf("got %s", got)
	}
	if got := proc.SignalName(40); got != "signal 40" {
		t.Errorf("got %s", got)
	}
}
