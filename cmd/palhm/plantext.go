package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"palhm/runtime/plan"
	"palhm/runtime/shell"
	"palhm/runtime/words"
)

// printPlan prints tasks for a person.
func printPlan(w io.Writer, site *plan.Site) error {
	p := &planPrinter{bufio.NewWriter(w)}
	for i, t := range site.Tasks {
		if i > 0 {
			p.line(0, "")
		}
		p.task(t)
	}
	for i, m := range messages(site) {
		if i == 0 && len(site.Tasks) > 0 {
			p.line(0, "")
		}
		p.line(0, "%s", messageText(m))
	}
	return p.Flush()
}

type planPrinter struct{ *bufio.Writer }

// line prints a line, two blanks deep for each level.
func (p *planPrinter) line(level int, format string, args ...any) {
	fmt.Fprintf(p, strings.Repeat("  ", level)+format+"\n", args...)
}

func (p *planPrinter) task(t *plan.Task) {
	kind := "backup"
	if t.Routine != nil {
		kind = "routine"
	}
	p.line(0, "%s %s (%s)%s", kind, t.Name, t.Pos, options(option("timeout", t.Timeout)))
	if t.Routine != nil {
		p.routine(t.Routine)
	} else {
		p.backup(t.Backup)
	}
}

func (p *planPrinter) backup(b *plan.Backup) {
	for _, backend := range b.Backends {
		p.line(1, "to %s", backendText(backend))
	}
	for _, i := range runOrder(b.Groups) {
		g := b.Groups[i]
		var names []string
		for _, d := range g.Depends {
			names = append(names, b.Groups[d].Name)
		}
		after := ""
		if len(names) > 0 {
			after = ", after " + strings.Join(names, ", ")
		}
		p.line(1, "group %s%s", g.Name, after)
		for _, o := range g.Objects {
			p.object(o)
		}
		if g.Make != nil {
			p.line(2, "what %s(ctx) returns when it is the group's turn", g.Make.Name)
			if g.Make.Doc != "" {
				p.line(3, "%s", words.Visible(g.Make.Doc))
			}
		} else if len(g.Objects) == 0 {
			p.line(2, "no objects")
		}
	}
}

func (p *planPrinter) object(o *plan.Object) {
	least := ""
	if o.MinSize != nil {
		least = fmt.Sprintf("min_size %d", *o.MinSize)
	}
	p.line(2, "%s%s", o.Path, options(
		option("alloc_size", o.AllocSize), least,
		option("timeout", o.Timeout), option("retry", o.Retry)))
	p.line(3, "%s", pipelineText(o.Pipeline))
	p.notes(4, o.Pipeline)
}

func pipelineText(stages plan.Pipeline) string {
	texts := make([]string, len(stages))
	for i, x := range stages {
		texts[i] = shell.Quote(x.Argv)
	}
	return strings.Join(texts, " | ")
}

// notes prints what there is to know of stages besides their argv.
func (p *planPrinter) notes(level int, stages plan.Pipeline) {
	for _, x := range stages {
		if n := execNotes(x); len(n) > 0 {
			p.line(level, "%s: %s", words.Visible(x.Argv[0]), strings.Join(n, ", "))
		}
	}
}

func execNotes(x *plan.Exec) []string {
	var notes []string
	if x.CleanEnv {
		notes = append(notes, "an empty environment")
	}
	for _, v := range x.Env {
		note := "sets " + v.Name
		if v.Value.Secret != nil {
			note += " from " + v.Value.Secret.String()
		}
		notes = append(notes, note)
	}
	if x.Stdin != nil {
		notes = append(notes, "stdin from "+stdinText(x.Stdin))
	}
	if ec := x.ExitCodes.String(); ec != "0" {
		notes = append(notes, "exit codes "+ec+" are good")
	}
	if x.SIGPIPE {
		notes = append(notes, "may end by SIGPIPE")
	}
	for _, o := range []string{option("user", x.User), option("cwd", x.Dir), option("timeout", x.Timeout)} {
		if o != "" {
			notes = append(notes, o)
		}
	}
	return notes
}

func stdinText(in *plan.Stdin) string {
	switch {
	case in.Content == nil:
		return words.Visible(in.File)
	case in.Content.Secret != nil:
		return in.Content.Secret.String()
	}
	return fmt.Sprintf("a text of %d bytes", len(in.Content.Text))
}

func backendText(b plan.Backend) string {
	switch {
	case b.S3 != nil:
		return s3Text(b)
	case b.LocalFS == nil:
		return b.Kind + " (keeps nothing)"
	}
	fs := b.LocalFS
	text := fmt.Sprintf("%s %s, dmode %s, fmode %s", b.Kind, words.Visible(fs.Root), fs.DirMode, fs.FileMode)
	if fs.RequireMount {
		text += ", must be mounted"
	}
	return text + "; " + limitsText(b.Limits)
}

func s3Text(b plan.Backend) string {
	s := b.S3
	text := b.Kind + " " + words.Visible(s.URL())
	for _, o := range []struct{ what, value string }{
		{"at", s.Endpoint}, {"region", s.Region}, {"profile", s.Profile}, {"class", s.SinkClass}, {"after commit class", s.RotClass},
		{"encrypted with", s.SSE}, {"key", s.KMSKey}, {"locked for", lockText(s)}, {"at most", bandwidthText(s)},
	} {
		if o.value != "" {
			text += ", " + o.what + " " + words.Visible(o.value)
		}
	}
	return text + "; " + limitsText(b.Limits)
}

func lockText(s *plan.S3) string {
	if s.LockMode == "" {
		return ""
	}
	return words.Plural(s.LockDays, "day", "days") + " (" + s.LockMode + ")"
}

func bandwidthText(s *plan.S3) string {
	if s.Bandwidth == 0 {
		return ""
	}
	return words.Bytes(s.Bandwidth) + " a second"
}

func limitsText(l plan.Limits) string {
	var parts []string
	if !l.Copies.Unlimited() {
		parts = append(parts, "at most "+l.Copies.String()+" copies")
	}
	if !l.Bytes.Unlimited() {
		parts = append(parts, "at most "+l.Bytes.String()+" bytes")
	}
	if len(parts) == 0 {
		return "keeps every copy"
	}
	return "keeps " + strings.Join(parts, ", ")
}

// option gives "name value", or "" for a value that was not set.
func option[T comparable](name string, value T) string {
	var unset T
	if value == unset {
		return ""
	}
	return fmt.Sprintf("%s %v", name, value)
}

// options puts those that were set in brackets.
func options(list ...string) string {
	var set []string
	for _, o := range list {
		if o != "" {
			set = append(set, o)
		}
	}
	if len(set) == 0 {
		return ""
	}
	return " [" + strings.Join(set, ", ") + "]"
}
