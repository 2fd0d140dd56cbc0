package boot

import (
	"fmt"
	"slices"
	"time"

	"palhm/runtime/history"
	"palhm/runtime/report"
)

const (
	// shortly is how long before the end of a boot a routine may have ended and still
	// be named: one that restarts the host ends before the host goes down.
	shortly = 2 * time.Minute
	// startup is added when only the beginning of this boot is known: the firmware
	// takes its time.
	startup = 5 * time.Minute
)

// routines are the answer to what ran at the end of a boot.
type routines = report.Fact[[]report.RoutineAtEnd]

func notKnown(why string) routines { return report.Unknown[[]report.RoutineAtEnd](why) }

// cause finds the routines that ran when the host went down, or had just ended. What
// cannot be read might be one of them: that is in unread, or why nothing is known.
func (s *Source) cause(now *report.Boot, p previous) (found routines, unread string) {
	if s.History == "" {
		return notKnown(s.NoHistory), ""
	}
	if now.ID.Unknown != "" {
		return notKnown(now.ID.Unknown), ""
	}
	runs, bad, err := history.List(s.Root + s.History)
	if err != nil {
		return notKnown(err.Error()), ""
	}
	found, unread = p.routines(now, runs), p.unread(now, bad)
	switch {
	case unread == "":
		return found, ""
	case found.Unknown != "":
		return notKnown(found.Unknown + "; " + unread), ""
	case len(found.Value) == 0:
		return notKnown(unread), ""
	}
	return found, unread
}

// unread names the records of the boot before that cannot be read; "" = none.
func (p previous) unread(now *report.Boot, bad []history.Unread) string {
	bad = slices.DeleteFunc(bad, func(u history.Unread) bool {
		return u.Start.Before(p.start()) || now.Since.Unknown == "" && !u.Start.Before(now.Since.Value)
	})
	switch len(bad) {
	case 0:
		return ""
	case 1:
		return "the record of a routine cannot be read: " + message(bad[0].Err)
	}
	return fmt.Sprintf("the records of %d routines cannot be read: %s", len(bad), message(bad[len(bad)-1].Err))
}

// routines finds them among all that are recorded.
func (p previous) routines(now *report.Boot, runs []history.Run) routines {
	down := p.goingDown()
	if down.time.IsZero() {
		if now.Since.Unknown != "" {
			return notKnown(now.Since.Unknown)
		}
		down = thisBegan(now.Since.Value)
	}
	earlier := slices.DeleteFunc(runs, func(r history.Run) bool { return plainID(r.BootID) == plainID(now.ID.Value) })
	id := p.bootID(earlier, down)
	if id == "" && p.wtmp.start.IsZero() && len(earlier) > 0 {
		return notKnown("which boot was the one before: " + p.unknown() + "; " + lastKnown(earlier[len(earlier)-1]))
	}
	var list []report.RoutineAtEnd
	for _, r := range earlier {
		if plainID(r.BootID) != id {
			continue
		}
		if note := atEnd(r, down); note != "" {
			list = append(list, report.RoutineAtEnd{Task: r.Task, Site: r.Site, Start: local(r.Start), End: local(r.End), Signal: r.Signal, Note: note})
		}
	}
	return report.Known(list)
}

// bootID is the id of the boot before: the journal's, else that of the last run which
// its times place there. "" = not known, or there is no such run.
func (p previous) bootID(earlier []history.Run, down moment) string {
	if p.journal.id != "" {
		return p.journal.id
	}
	for _, r := range slices.Backward(earlier) {
		if p.places(r, down) {
			return plainID(r.BootID)
		}
	}
	return ""
}

// places reports whether a run was in the boot before, by its times: it began after
// that boot, or was there just before its end.
func (p previous) places(r history.Run, down moment) bool {
	if !p.wtmp.start.IsZero() {
		return r.Start.After(p.wtmp.start)
	}
	gap := down.time.Sub(lastSign(r))
	return gap >= 0 && gap <= down.limit
}

// lastSign is the last time that is known of a run.
func lastSign(r history.Run) time.Time {
	return slices.MaxFunc([]time.Time{r.Start, r.SignalAt, r.End}, time.Time.Compare)
}

// lastKnown names a run that nothing says of what boot it was.
func lastKnown(r history.Run) string {
	end := "left no word of its end"
	if !r.End.IsZero() {
		end = "ended at " + local(r.End).Format(time.RFC3339)
	}
	return fmt.Sprintf("the last routine of an earlier boot that is recorded is %s of %s, which began at %s and %s", r.Task, r.Site, local(r.Start).Format(time.RFC3339), end)
}

// atEnd says how a run fits the end of its boot, or "" when it does not.
func atEnd(r history.Run, down moment) string {
	switch {
	case r.Lost:
		return "" // it was killed while the host ran on
	case r.End.IsZero():
		return "it left no word of its end: it ran when the host went down, or was killed before"
	}
	switch gap := down.time.Sub(r.End); {
	case gap > down.limit:
		return ""
	case gap < 0:
		return "it ended " + down.latest
	default:
		return "it ended " + report.Span(gap) + " before " + down.what
	}
}

// local is a time in the host's zone; the zero time stays zero.
func local(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Local()
}
