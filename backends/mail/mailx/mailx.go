// Package mailx sends mail with mailx(1), of bsd-mailx or of s-nail.
package mailx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"palhm/backends/mail"
	"palhm/runtime/host"
	"palhm/runtime/plan"
	"palhm/runtime/proc"
	"palhm/runtime/words"
)

const (
	// DefaultTimeout is how long the program may take. It may talk to a mail server, for
	// whose last answer alone RFC 5321, 4.5.3.2.6 has ten minutes.
	DefaultTimeout = 15 * time.Minute

	grace     = 5 * time.Second // between SIGTERM and SIGKILL
	maxLine   = 900             // bytes; RFC 5322, 2.1.1 allows 998
	lastWords = 10              // lines of stderr in an error

	notStarted = 127 // what a shell exits with when it finds no program
)

// Options are how the program is called.
type Options struct {
	Program string        // without a slash it is looked up in the PATH of Environ
	Options []string      // each is given as -S OPTION, which only s-nail knows
	Environ []string      // the whole environment, "NAME=value"
	Timeout time.Duration // 0 = DefaultTimeout
}

// Mailer calls mailx, once for each message.
type Mailer struct{ opt Options }

var _ mail.Mailer = (*Mailer)(nil)

// New returns a mailer. It starts nothing yet.
func New(o Options) *Mailer {
	o.Timeout = cmp.Or(o.Timeout, DefaultTimeout)
	return &Mailer{o}
}

// Send starts the program and waits for its end.
func (m *Mailer) Send(ctx context.Context, msg mail.Message) error {
	if err := msg.CheckFor(plan.MUAMailx); err != nil {
		return fmt.Errorf("send mail with %s: %w", m.opt.Program, err)
	}
	body := wrap(msg.Text())
	// A file in memory and no pipe: a program that does not read to the end, or not
	// at all, holds nobody up.
	stdin, err := proc.Content([]byte(body))
	if err != nil {
		return fmt.Errorf("send mail with %s: %w", m.opt.Program, err)
	}
	defer stdin.Close()
	cmd := proc.Command{Argv: m.argv(msg), Env: m.opt.Environ, Stdin: stdin, Timeout: m.opt.Timeout}
	if text := body + msg.Subject + strings.Join(msg.To, ""); utf8.RuneCountInString(text) < len(text) { // it is not ASCII
		cmd.Env = inUTF8(cmd.Env)
	}
	p, err := proc.Start(ctx, []proc.Command{cmd}, proc.Options{Grace: grace})
	if err == nil {
		_, err = io.Copy(io.Discard, p)
		p.Close() //nolint:errcheck // err says it already
	}
	return m.explain(ctx, err)
}

// argv is the command. What the program prints goes nowhere, and not into a pipe:
// a transport agent that it leaves in the background may hold stdout for minutes.
//
// There is no "--" in front of the recipients: to s-nail it begins arguments of the
// transport agent. None of them begins with "-", see CheckFor.
func (m *Mailer) argv(msg mail.Message) []string {
	argv := []string{"sh", "-c", `exec "$@" >/dev/null`, m.opt.Program, m.opt.Program}
	for _, o := range m.opt.Options {
		argv = append(argv, "-S", o)
	}
	argv = append(argv, "-s", subject(msg.Subject))
	return append(argv, msg.To...)
}

// subject is a subject as an argument. It is encoded: bsd-mailx would send the bytes as
// they are (RFC 2047 forbids that), and s-nail reads the encoded form. It fits on a line,
// because bsd-mailx folds none, nor takes one that is folded.
func subject(s string) string {
	for most := maxLine; ; most = most * 3 / 4 {
		if encoded := mime.QEncoding.Encode("utf-8", words.Shorten(s, most)); len(encoded) <= maxLine {
			return encoded
		}
	}
}

// inUTF8 makes the environment's character set UTF-8, in which the message is: with
// cron's both programs would take it for ASCII, and s-nail refuse to send it, or put
// question marks in its subject.
func inUTF8(environ []string) []string {
	isUTF8 := func(kv string) bool {
		kv = strings.ToLower(kv)
		return strings.Contains(kv, "utf-8") || strings.Contains(kv, "utf8")
	}
	for _, name := range []string{"LC_ALL=", "LC_CTYPE=", "LANG="} { // locale(7): the first that is set
		i := slices.IndexFunc(environ, func(kv string) bool { return strings.HasPrefix(kv, name) && kv != name })
		if i >= 0 && isUTF8(environ[i]) {
			return environ
		}
		if i >= 0 {
			break
		}
	}
	kept := slices.DeleteFunc(slices.Clone(environ), func(kv string) bool { return strings.HasPrefix(kv, "LC_ALL=") })
	return append(slices.DeleteFunc(kept, func(kv string) bool { return strings.HasPrefix(kv, "LC_CTYPE=") }), "LC_CTYPE=C.UTF-8")
}

// wrap breaks lines that are too long for mail, wherever that is. A text in which that
// matters has none.
func wrap(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		for len(line) > maxLine {
			end := maxLine
			for !utf8.RuneStart(line[end]) {
				end--
			}
			b.WriteString(line[:end] + "\n")
			line = line[end:]
		}
		b.WriteString(line)
	}
	return b.String()
}

// explain says how the program failed, with its last words.
func (m *Mailer) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("send mail with %s: %w", m.opt.Program, context.Cause(ctx))
	}
	stage, ok := errors.AsType[*proc.StageError](err)
	if !ok {
		return fmt.Errorf("send mail with %s: %w", m.opt.Program, err)
	}
	shown := *stage
	shown.Argv = []string{m.opt.Program}
	text := "send mail with " + shown.Error()
	if stage.Code == notStarted {
		text += m.whyNotStarted()
	}
	for _, l := range words.LastLines(stage.Stderr, lastWords) {
		text += "\n  | " + words.Shorten(l, maxLine)
	}
	return errors.New(text)
}

// whyNotStarted guesses why a shell has found no program: the one here, or one in a
// script that is the program.
func (m *Mailer) whyNotStarted() string {
	file, err := host.FindProgram(m.opt.Program, "", m.opt.Environ)
	if err != nil {
		return "; is it installed?"
	}
	return "; there is " + file + ", so look for what it calls, or for what its first line names"
}
