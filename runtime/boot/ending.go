package boot

import (
	"errors"
	"io/fs"
	"time"

	"palhm/runtime/report"
)

// ending judges how the boot before ended. A panic outweighs everything: it may have
// happened on the way down. Then what says that the host went down in order counts,
// wherever it is; and only where that would have to be, and is not, was it no clean
// end.
func (p previous) ending() report.Fact[report.Ending] {
	j, w := p.journal, p.wtmp
	e := report.Ending{At: j.end}
	if e.At.IsZero() {
		e.At = w.shutdown
	}
	switch {
	case p.dumps.place != "":
		e.How, e.Evidence, e.Messages = report.KernelPanic, "the kernel left a dump, "+p.dumps.place, p.dumps.messages
	case j.panic != "":
		e.How, e.Evidence, e.Messages = report.KernelPanic, "the journal has the panic", []string{j.panic}
	case j.stopped:
		e.How, e.Evidence = report.CleanShutdown, "the journal was stopped in order"+forGoal(j.goal)
	case !w.shutdown.IsZero():
		e.How, e.Evidence = report.CleanShutdown, "wtmp has a record of the shutdown"+forGoal(j.goal)
	case !j.shutdown.IsZero():
		e.How, e.Evidence = report.ShutdownStarted, "the journal has the beginning of the shutdown"+forGoal(j.goal)+", and ends on the way"
		e.Messages = j.last
	case j.unknown != "" && w.unknown != "":
		return report.Unknown[report.Ending](p.unknown())
	default:
		e.How, e.Evidence, e.Messages = report.CrashOrPower, p.noShutdown(), j.last
	}
	return report.Known(e)
}

func forGoal(goal string) string {
	if goal == "" {
		return ""
	}
	return ", for " + goal
}

// noShutdown says where the record of a shutdown is missing.
func (p previous) noShutdown() string {
	noRecord := "wtmp has no record of "
	if p.wtmp.damaged {
		noRecord = "wtmp, which is damaged, has no record of "
	}
	switch {
	case p.journal.unknown != "":
		return noRecord + "a shutdown" + p.dumps.none()
	case p.wtmp.unknown != "":
		return "the journal ends without a shutdown" + p.dumps.none()
	}
	return "the journal ends without a shutdown, and " + noRecord + "one" + p.dumps.none()
}

// none says that there is no dump of the boot before, as far as that is known.
func (d dumps) none() string {
	switch {
	case errors.Is(d.unread, fs.ErrPermission):
		return "; whether the kernel left a dump is not known, for want of the rights to look"
	case d.unread != nil:
		return "; whether the kernel left a dump is not known: " + message(d.unread)
	case d.other != "":
		return "; of a panic there is a dump, " + d.other + ", but its time is not known to be of that boot: " + d.otherAt.Format(time.RFC3339)
	}
	return "; the kernel left no dump of a panic"
}
