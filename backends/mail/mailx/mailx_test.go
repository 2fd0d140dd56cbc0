package mailx_test

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/quotedprintable"
	netmail "net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"palhm/backends/mail"
	"palhm/backends/mail/mailx"
	"palhm/runtime/plan"
	"palhm/runtime/report"
)

// agent is a transport agent for a test: a sendmail that keeps what it is given.
type agent struct{ dir, home string }

func newAgent(t *testing.T) *agent {
	a := &agent{dir: t.TempDir(), home: t.TempDir()}
	a.write(t, "sendmail", `#!/bin/sh
cd "${0%/*}" && printf '%s\n' "$@" >args && cat >message && cp /proc/self/environ environ
`)
	a.write(t, "rc", "set sendmail="+filepath.Join(a.dir, "sendmail")+"\nset mta="+filepath.Join(a.dir, "sendmail")+"\n")
	return a
}

func (a *agent) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// environ is that of cron: no locale at all.
func (a *agent) environ() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + a.home, "MAILRC=" + filepath.Join(a.dir, "rc"), "COLOUR=blue"}
}

func (a *agent) read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(a.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// body decodes the message that arrived.
func (a *agent) body(t *testing.T) (*netmail.Message, string) {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(a.read(t, "message")))
	if err != nil {
		t.Fatal(err)
	}
	r := m.Body
	if m.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
		r = quotedprintable.NewReader(r)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return m, string(text)
}

// eachProgram runs a test with every mailx that there is.
func eachProgram(t *testing.T, test func(t *testing.T, program string)) {
	for _, program := range []string{"bsd-mailx", "s-nail"} {
		t.Run(program, func(t *testing.T) {
			path, err := exec.LookPath(program)
			if err != nil {
				t.Skip("needs " + program)
			}
			test(t, path)
		})
	}
}

func TestMessageArrives(t *testing.T) {
	eachProgram(t, func(t *testing.T, program string) {
		a := newAgent(t)
		pwned := filepath.Join(a.dir, "pwned")
		lines := []string{
			"report: grün", "~!touch " + pwned, "~|touch " + pwned, "~r /etc/passwd", "~s another subject", "~b bcc@example.org",
			":!touch " + pwned, "!touch " + pwned, ".", "From the root", "--", strings.Repeat("x", 3000), "end",
		}
		m := mail.Message{To: []string{"root", "backup+web1@example.org"}, Subject: "Grüße from web1: " + strings.Repeat("ä", 80), Body: strings.Join(lines, "\n")}
		err := mailx.New(mailx.Options{Program: program, Environ: a.environ()}).Send(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		got, text := a.body(t)
		text = strings.ReplaceAll(strings.TrimRight(text, "\n"), "x\nx", "xx") // long lines are broken
		if want := strings.Join(lines, "\n"); text != want {
			t.Errorf("got body\n%s\nwant\n%s", text, want)
		}
		for line := range strings.Lines(a.read(t, "message")) {
			if len(line) > 998 {
				t.Errorf("a line has %d bytes", len(line))
			}
		}
		if _, err := os.Stat(pwned); err == nil {
			t.Error("a line of the body was executed")
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
		if err != nil || subject != m.Subject {
			t.Errorf("got subject %q (%v), want %q", subject, err, m.Subject)
		}
		header, _, _ := strings.Cut(a.read(t, "message"), "\n\n")
		if strings.ContainsFunc(header, func(r rune) bool { return r > 126 }) {
			t.Errorf("the header is not ASCII:\n%s", header)
		}
		if ct := strings.ToLower(got.Header.Get("Content-Type")); !strings.Contains(ct, "utf-8") {
			t.Errorf("got content type %q, want UTF-8", ct)
		}
		to, err := got.Header.AddressList("To")
		if err != nil { // an account's name alone is no address
			for _, want := range m.To {
				if !strings.Contains(got.Header.Get("To"), want) {
					t.Errorf("got recipients %q, want %s", got.Header.Get("To"), want)
				}
			}
		} else if len(to) != len(m.To) {
			t.Errorf("got recipients %v, want %v", to, m.To)
		}
		if got.Header.Get("Bcc") != "" || !strings.Contains(a.read(t, "environ"), "COLOUR=blue\x00") {
			t.Error("there is a Bcc, or the environment was not inherited")
		}
	})
}

// The subject is in UTF-8 too, whatever the body and the locale are, and fits on a line:
// bsd-mailx folds none (RFC 5322, 2.1.1).
func TestSubjectArrives(t *testing.T) {
	eachProgram(t, func(t *testing.T, program string) {
		for _, locale := range []string{"LC_ALL=C", "LANG=C", "LC_CTYPE=POSIX", "LC_ALL=C.UTF-8"} {
			a := newAgent(t)
			m := mail.Message{To: []string{"root"}, Subject: "Grüße from web1", Body: "ascii\n"}
			if err := mailx.New(mailx.Options{Program: program, Environ: append(a.environ(), locale)}).Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			got, _ := a.body(t)
			if subject, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject")); err != nil || subject != m.Subject {
				t.Errorf("%s: got subject %q (%v), want %q", locale, subject, err, m.Subject)
			}
		}
		for _, part := range []string{"word ", "x", "ä", "\U0001f642"} {
			a := newAgent(t)
			m := mail.Message{To: []string{"root"}, Subject: "begin " + strings.Repeat(part, 2000) + " end", Body: "ascii\n"}
			if err := mailx.New(mailx.Options{Program: program, Environ: a.environ()}).Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(a.read(t, "message")) {
				if len(line) > 998 {
					t.Errorf("%q: a line has %d bytes", part, len(line))
				}
			}
			got, _ := a.body(t)
			subject, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
			if err != nil || !strings.HasPrefix(subject, "begin ") || !strings.HasSuffix(subject, " end") || !strings.Contains(subject, "[...]") {
				t.Errorf("got subject %q (%v), want its two ends", subject, err)
			}
		}
	})
}

func TestFailureHasTheLastWords(t *testing.T) {
	eachProgram(t, func(t *testing.T, program string) {
		a := newAgent(t)
		a.write(t, "sendmail", "#!/bin/sh\ncat >/dev/null\necho 'relay access denied' >&2\nexit 75\n")
		err := mailx.New(mailx.Options{Program: program, Environ: a.environ()}).Send(t.Context(), message())
		if err == nil || !strings.Contains(err.Error(), "exit code") || !strings.Contains(err.Error(), "\n  | relay access denied") {
			t.Errorf("got %v, want the exit code and what the agent complained", err)
		}
	})
}

// Only s-nail has options.
func TestInternalOptions(t *testing.T) {
	program, err := exec.LookPath("s-nail")
	if err != nil {
		t.Skip("needs s-nail")
	}
	a := newAgent(t)
	a.write(t, "rc", "")
	o := mailx.Options{Program: program, Environ: a.environ(), Options: []string{"mta=" + filepath.Join(a.dir, "sendmail"), "from=Palhm at web1 <web1@example.org>"}}
	if err := mailx.New(o).Send(t.Context(), message()); err != nil {
		t.Fatal(err)
	}
	if m, _ := a.body(t); !strings.Contains(m.Header.Get("From"), "web1@example.org") {
		t.Errorf("got From %q", m.Header.Get("From"))
	}
}

func message() mail.Message {
	return mail.Message{To: []string{"root"}, Subject: "s", Body: strings.Repeat("0123456789\n", 100_000)}
}

// send sends with a program that is a shell script.
func send(t *testing.T, ctx context.Context, script string, timeout time.Duration) error {
	t.Helper()
	program := filepath.Join(t.TempDir(), "mailx")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return mailx.New(mailx.Options{Program: program, Environ: os.Environ(), Timeout: timeout}).Send(ctx, message())
}

func TestBadPrograms(t *testing.T) {
	for name, test := range map[string]struct {
		script string
		want   []string // nil = success
	}{
		"reads nothing":           {"exit 0", nil},
		"fails and reads nothing": {"echo no; echo 'no such user' >&2; exit 5", []string{"exit code 5, want 0", "\n  | no such user"}},
		"floods stderr":           {"head -c 3000000 /dev/zero | tr '\\0' x >&2; echo >&2; echo 'the last word' >&2; cat >/dev/null; exit 3", []string{"exit code 3", "| the last word"}},
		"floods stdout":           {"cat; cat /dev/zero | head -c 3000000", nil},
		"is killed":               {"kill -9 $$", []string{"killed by SIGKILL"}},
		"leaves an agent behind":  {"sleep 5 & exit 0", nil},
		"closes its stdin":        {"exec <&-; exit 0", nil},
	} {
		t.Run(name, func(t *testing.T) {
			err := send(t, t.Context(), test.script, 0)
			if test.want == nil && err != nil {
				t.Fatal(err)
			}
			for _, w := range test.want {
				if err == nil || !strings.Contains(err.Error(), w) {
					t.Fatalf("got %v, want %q in it", err, w)
				}
			}
			if err != nil && len(err.Error()) > 128<<10 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

func TestMissingProgram(t *testing.T) {
	err := mailx.New(mailx.Options{Program: "palhm-no-mailx", Environ: os.Environ()}).Send(t.Context(), message())
	if err == nil || !strings.Contains(err.Error(), "palhm-no-mailx") || !strings.Contains(err.Error(), "installed?") {
		t.Errorf("got %v", err)
	}
}

// A program that is there, and cannot be started or calls one that is not there.
func TestProgramWithoutItsInterpreter(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "palhm-mailx")
	for _, text := range []string{"#!/no/such/interpreter\n", "#!/bin/sh\nno-such-agent\n"} {
		if err := os.WriteFile(program, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{program, "palhm-mailx"} {
			o := mailx.Options{Program: name, Environ: []string{"PATH=/none:" + dir + ":" + os.Getenv("PATH")}}
			err := mailx.New(o).Send(t.Context(), message())
			if err == nil || !strings.Contains(err.Error(), "exit code 127, want 0; there is "+program+", so look for") || strings.Contains(err.Error(), "installed?") {
				t.Errorf("%s that is %q: got %v", name, text, err)
			}
		}
	}
}

// What is YAML stays YAML, however long its texts are.
func TestReportArrivesAsItIs(t *testing.T) {
	dir := t.TempDir()
	program, mailed := filepath.Join(dir, "mailx"), filepath.Join(dir, "mail")
	if err := os.WriteFile(program, []byte("#!/bin/sh\ncat >"+mailed+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range 8 {
		host := strings.Repeat("a", i) + "\x1b" + strings.Repeat("é\x1b ", 600)
		o := plan.BootReport{Header: strings.Repeat("Runbook: see the wiki. ", 60)}
		m := mail.Message{To: []string{"root"}, Subject: "s", Body: report.BootBody(&report.Boot{Host: host}, &o)}
		if err := mailx.New(mailx.Options{Program: program, Environ: os.Environ()}).Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(mailed)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]map[string]string
		if err := yaml.Unmarshal(text, &got); err != nil || got["boot-report"]["hostname"] != host {
			t.Errorf("%d: got %q, %v", i, got, err)
		}
	}
}

func TestHangingProgramIsStopped(t *testing.T) {
	err := send(t, t.Context(), "echo 'waiting for the network' >&2; sleep 300 & wait", 200*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "timed out after 200ms") || !strings.Contains(err.Error(), "waiting for the network") {
		t.Errorf("got %v", err)
	}
}

func TestCancelIsHeeded(t *testing.T) {
	cause := errors.New("told to stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(100*time.Millisecond, func() { cancel(cause) })
	if err := send(t, ctx, "sleep 300", 0); !errors.Is(err, cause) {
		t.Errorf("got %v, want the cause", err)
	}
}

// What mailx would take for something else than an address never reaches it.
func TestRecipientsAreNoOptions(t *testing.T) {
	for _, to := range []string{"-oQ/tmp", "-S", "|reboot", "/etc/passwd", "+folder", "a b", "a,b", "", "x\ny", "%", "&", "@alias", "\"a\"@b", "a;b", "root?file"} {
		m := mail.Message{To: []string{"root", to}, Subject: "s", Body: "b"}
		if err := mailx.New(mailx.Options{Program: "true", Environ: os.Environ()}).Send(t.Context(), m); err == nil || !strings.Contains(err.Error(), "recipient") && !strings.Contains(err.Error(), "want an address") {
			t.Errorf("recipient %q: got %v", to, err)
		}
	}
}
