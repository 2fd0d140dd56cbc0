package report

import (
	"strings"
	"time"

	"palhm/runtime/plan"
)

// Boot is what is known of this boot of the host and of the one before. What was not
// asked for stays the zero value.
type Boot struct {
	Host         string
	Zone         string               // the time zone, for a person
	Since        Fact[time.Time]      // when the kernel started
	Uptime       Fact[time.Duration]  // since then
	ID           Fact[string]         // the kernel's id of the boot
	System       Fact[string]         // what systemd says of itself: "running", "degraded"
	Ended        Fact[Ending]         // of the boot before
	KernelBefore Fact[string]         // release of the kernel
	KernelNow    Fact[string]         // the same of this boot
	Failed       Fact[[]string]       // units of systemd
	Cause        Fact[[]RoutineAtEnd] // routines of palhm at the end of the boot before
	Unread       string               // what of palhm's records cannot be read, and might change Cause; "" = nothing
	History      string               // the directory with palhm's records of routines
}

// Fact is a value, or the reason why it is not known.
type Fact[T any] struct {
	Value   T
	Unknown string // "" = Value holds
}

// Known is a fact that holds.
func Known[T any](v T) Fact[T] { return Fact[T]{Value: v} }

// Unknown is a fact that cannot be had, and why.
func Unknown[T any](why string) Fact[T] { return Fact[T]{Unknown: why} }

// Ending is how a boot ended.
type Ending struct {
	How      How
	At       time.Time // the last sign of life; zero = not known
	Evidence string    // what says so, in a sentence
	Messages []string  // the last ones of the boot, or those of the panic
}

// How is a way in which a boot can end.
type How string

// The ways in which a boot ends, as far as they can be told apart: when the power is
// lost nothing is left that would say so, and the same holds for a hung kernel.
const (
	CleanShutdown   How = "clean shutdown"
	ShutdownStarted How = "shutdown began, and its end is not recorded"
	KernelPanic     How = "kernel panic"
	CrashOrPower    How = "crash or power loss"
)

// RoutineAtEnd is a routine that ran when the host went down, or had ended shortly
// before.
type RoutineAtEnd struct {
	Task, Site string
	Start, End time.Time // zero End = it is not recorded
	Signal     string    // that asked it to stop; "" = none
	Note       string    // how this fits the end of the boot, in a sentence
}

// BootSubject is the subject of the mail about a boot, one line whatever the host is
// called.
func BootSubject(b *Boot, o *plan.BootReport) string { return plan.Line(fill(o.Subject, b.Host)) }

// fill puts the name of the host in. Other braces are text.
func fill(text, host string) string { return strings.ReplaceAll(text, "{hostname}", host) }

// BootBody is the text of the mail about a boot: YAML as a whole, whatever the facts
// have in them. Its lines end with a newline.
func BootBody(b *Boot, o *plan.BootReport) string {
	var y yamlWriter
	y.comment(fill(o.Header, b.Host))
	y.open("boot-report")
	y.text("hostname", b.Host)
	y.text("tz", b.Zone)
	if o.UptimeSince {
		writeFact(&y, "uptime-since", b.Since, y.time)
	}
	if o.Uptime {
		writeFact(&y, "uptime", b.Uptime, func(key string, d time.Duration) { y.text(key, Span(d)) })
	}
	if o.BootID {
		writeFact(&y, "boot-id", b.ID, y.text)
	}
	if o.BootWait != "" {
		writeFact(&y, "systemd", b.System, y.text)
	}
	if o.LastBoot {
		writeFact(&y, "last-boot", b.Ended, y.ending)
	}
	if o.Kernel {
		y.open("kernel")
		writeFact(&y, "before", b.KernelBefore, y.text)
		writeFact(&y, "now", b.KernelNow, y.text)
		y.close()
	}
	if o.FailedUnits {
		writeFact(&y, "failed-units", b.Failed, y.list)
	}
	if o.Cause {
		writeFact(&y, "cause", b.Cause, func(key string, list []RoutineAtEnd) { y.routines(key, list, b.History) })
		if b.Unread != "" {
			y.text("cause-may-lack", b.Unread)
		}
	}
	return y.String()
}

func writeFact[T any](y *yamlWriter, key string, f Fact[T], write func(string, T)) {
	if f.Unknown != "" {
		y.text(key, "not known: "+f.Unknown)
		return
	}
	write(key, f.Value)
}

func (y *yamlWriter) ending(key string, e Ending) {
	y.open(key)
	y.text("ended", string(e.How))
	if !e.At.IsZero() {
		y.time("last-sign", e.At)
	}
	y.text("evidence", e.Evidence)
	if len(e.Messages) > 0 {
		y.list("messages", e.Messages)
	}
	y.close()
}

func (y *yamlWriter) routines(key string, list []RoutineAtEnd, history string) {
	if len(list) == 0 {
		y.text(key, "no routine of palhm that ran when the host went down is recorded in "+history)
		return
	}
	y.open(key)
	for _, r := range list {
		y.item()
		y.text("routine", r.Task)
		y.text("site", r.Site)
		y.time("started", r.Start)
		if r.End.IsZero() {
			y.text("ended", "not recorded")
		} else {
			y.time("ended", r.End)
		}
		if r.Signal != "" {
			y.text("signal", r.Signal)
		}
		y.text("note", r.Note)
		y.close()
	}
	y.close()
}
