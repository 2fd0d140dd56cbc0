package secret_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"palhm/runtime/plan"
	"palhm/runtime/secret"
)

func TestValue(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"pw": "hunter2\n", "blank": "\n", "two": "a\n\n", "large": strings.Repeat("x", 1<<20+1)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	environ := []string{"PW=old", "PW=new", "EMPTY=", "CREDENTIALS_DIRECTORY=" + dir}
	for _, test := range []struct {
		secret    plan.Secret
		want, err string
	}{
		{plan.Secret{Env: "PW"}, "new", ""},
		{plan.Secret{Env: "EMPTY"}, "", "it is empty"},
		{plan.Secret{Env: "NONE"}, "", "not set"},
		{plan.Secret{File: "pw"}, "hunter2", ""},
		{plan.Secret{File: filepath.Join(dir, "two")}, "a\n", ""},
		{plan.Secret{File: "blank"}, "", "it is empty"},
		{plan.Secret{File: "large"}, "", "is it the right file?"},
		{plan.Secret{File: "gone"}, "", "no such file"},
	} {
		got, err := secret.Value(t.Context(), &test.secret, environ)
		if got != test.want || (err == nil) != (test.err == "") || err != nil && (!strings.Contains(err.Error(), test.err) || !strings.Contains(err.Error(), test.secret.String())) {
			t.Errorf("%s: got %q, %v; want %q, %q", &test.secret, got, err, test.want, test.err)
		}
	}
}

func TestHide(t *testing.T) {
	var s secret.Seen
	s.Add(&plan.Secret{Env: "A"}, "hunter2")
	s.Add(&plan.Secret{Env: "LONG"}, "hunter2-and-more\n")
	s.Add(&plan.Secret{Env: "SHORT"}, "a\n")
	s.Add(&plan.Secret{File: "key"}, "-----BEGIN-----\nMIIEowIBAAKC\n}\n")
	s.Add(&plan.Secret{File: "dos"}, "first line\r\nsecond line\r\n")
	for text, want := range map[string]string{
		"it says: second line":              `it says: secret(file = "dos")`,
		"login failed for hunter2, hunter2": `login failed for secret(env = "A"), secret(env = "A")`,
		"hunter2-and-more":                  `secret(env = "LONG")`,
		"a bad day {}":                      "a bad day {}",
		"line 2: MIIEowIBAAKC":              `line 2: secret(file = "key")`,
	} {
		if got := s.Hide(text); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	var none *secret.Seen
	none.Add(&plan.Secret{Env: "A"}, "hunter2")
	if got := none.Hide("hunter2"); got != "hunter2" {
		t.Errorf("got %q", got)
	}
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "blank"), []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := []string{"PW=secret", "EMPTY=", "CREDENTIALS_DIRECTORY=" + dir}
	for _, test := range []struct {
		secret    plan.Secret
		want, err string
	}{
		{plan.Secret{Env: "PW"}, "secret", ""},
		{plan.Secret{Env: "EMPTY"}, "", "it is empty"},
		{plan.Secret{File: "blank"}, "", "it is empty"},
		{plan.Secret{File: "gone"}, "", "no such file"},
		{plan.Secret{File: dir}, "", "is a directory"},
		{plan.Secret{File: pipe}, "", ""}, // nobody writes to it, so a read would hang
	} {
		got, err := secret.Check(t.Context(), &test.secret, environ)
		if got != test.want || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: got %q, %v; want %q, %q", &test.secret, got, err, test.want, test.err)
		}
	}
}
