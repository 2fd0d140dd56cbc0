// Package boot finds out what the host can tell of its boots: from /proc, the journal,
// wtmp, pstore and systemd, and from palhm's own history. A fact that cannot be had
// says why. Every program that is asked is bounded in time and output.
package boot

import (
	"context"
	"time"

	"palhm/runtime/plan"
	"palhm/runtime/report"
)

// Source is where facts come from. The zero value is this host, without its history.
type Source struct {
	Host    string // name of the host
	History string // palhm's state directory, as host.StateDir; "" = there is none
	// NoHistory says why there is none.
	NoHistory string

	// Root stands before the paths of files, and Journal are further arguments of
	// journalctl, for facts that come from elsewhere.
	Root    string
	Journal []string
}

// Collect finds out what a report wants to say. That ctx ends makes facts unknown, and
// not an error. The state of systemd is left to Wait.
func (s *Source) Collect(ctx context.Context, o *plan.BootReport) *report.Boot {
	b := &report.Boot{
		Host: s.Host, History: s.History, Zone: zone(time.Now(), s.Root),
		Since: s.since(), Uptime: s.uptime(), ID: s.bootID(), KernelNow: s.kernel(),
	}
	if o.LastBoot || o.Kernel || o.Cause {
		p := s.previous(ctx, b)
		b.Ended, b.KernelBefore = p.ending(), p.kernel()
		b.Cause, b.Unread = s.cause(b, p)
	}
	if o.FailedUnits {
		b.Failed = failedUnits(ctx)
	}
	return b
}

// previous is what is known of the boot before this one.
type previous struct {
	journal journalBoot
	wtmp    wtmpBoot
	dumps   dumps
}

func (s *Source) previous(ctx context.Context, now *report.Boot) previous {
	p := previous{journal: s.readJournal(ctx, now.ID), wtmp: s.readWtmp(now.Since)}
	p.dumps = s.readDumps(p.start(), now.Since.Value)
	return p
}

// start is when the boot before began, or the zero time.
func (p previous) start() time.Time {
	if !p.journal.start.IsZero() {
		return p.journal.start
	}
	return p.wtmp.start
}

// moment is a time at the end of the boot before, and what it is in words.
type moment struct {
	time   time.Time
	what   string
	latest string        // what is said of something that came later
	limit  time.Duration // how long before it a routine may have ended and still be named
}

// goingDown is when the boot before came to its end; its time is zero when that is not
// known.
func (p previous) goingDown() moment {
	for _, t := range []time.Time{p.journal.shutdown, p.wtmp.shutdown} {
		if !t.IsZero() {
			return moment{t, "the host went down", "while the host went down", shortly}
		}
	}
	return moment{p.journal.end, "the last entry of the journal", "after the last entry of the journal", shortly}
}

// thisBegan stands for goingDown when only the beginning of this boot is known.
func thisBegan(up time.Time) moment {
	return moment{up, "this boot; when the host went down is not known", "after this boot began, by the clock", shortly + startup}
}

func (p previous) kernel() report.Fact[string] {
	switch {
	case p.journal.kernel != "":
		return report.Known(p.journal.kernel)
	case p.wtmp.kernel != "":
		return report.Known(p.wtmp.kernel)
	}
	return report.Unknown[string](p.unknown())
}

// unknown says why nothing is known of the boot before.
func (p previous) unknown() string {
	return "journal: " + orElse(p.journal.unknown, "it does not say") + "; wtmp: " + orElse(p.wtmp.unknown, "it does not say")
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
