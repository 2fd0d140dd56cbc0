package shell_test

import (
	"os/exec"
	"strings"
	"testing"

	"palhm/runtime/shell"
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
		got := shell.Quote(c.argv)
		if got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
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
		quoted := shell.Quote([]string{"printf", "%s", s})
		if strings.Contains(s, "\x00") {
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
