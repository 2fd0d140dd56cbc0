package boot

import (
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

// cause finds the routines that ran when the host went down, or had just ended.
func (s *Source) cause(now *report.Boot, p previous) report.Fact[[]report.RoutineAtEnd] {
	if s.History == "" {
		return report.Unknown[[]report.RoutineAtEnd](s.NoHistory)
	}
	if now.ID.Unknown != "" {
		return report.Unknown[[]report.RoutineAtEnd](now.ID.Unknown)
	}
	runs, err := history.List(s.Root + s.History)
	if err != nil {
		return report.Unknown[[]report.RoutineAtEnd](err.Error())
	}
	var list []report.RoutineAtEnd
	for _, r := range runs {
		if !ofBootBefore(r, runs, now.ID.Value, p) {
			continue
		}
		if note := atEnd(r, p.goingDown(), now.Since.Value); note != "" {
			list = append(list, report.RoutineAtEnd{Task: r.Task, Site: r.Site, Start: local(r.Start), End: local(r.End), Signal: r.Signal, Note: note})
		}
	}
	return report.Known(list)
}

// ofBootBefore reports whether a run was in the boot before this one: by the id that
// the journal gives that boot, else by its beginning, else it is the last boot that
// any run was in.
func ofBootBefore(r history.Run, all []history.Run, now string, p previous) bool {
	if plainID(r.BootID) == plainID(now) {
		return false
	}
	switch {
	case p.journal.id != "":
		return plainID(r.BootID) == p.journal.id
	case !p.wtmp.start.IsZero():
		return r.Start.After(p.wtmp.start.Add(-drift))
	}
	last := ""
	for _, other := range all {
		if other.BootID != now {
			last = other.BootID
		}
	}
	return r.BootID == last
}

// atEnd says how a run fits the end of its boot, or "" when it does not. up is when
// this boot began.
func atEnd(r history.Run, down moment, up time.Time) string {
	limit := shortly
	switch {
	case r.Lost:
		return "" // it was killed while the host ran on
	case r.End.IsZero():
		return "it ran when the host went down"
	case down.time.IsZero():
		down, limit = moment{time: up, what: "this boot; when the host went down is not known"}, shortly+startup
	}
	switch gap := down.time.Sub(r.End); {
	case gap > limit:
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
