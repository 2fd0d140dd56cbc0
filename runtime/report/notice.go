package report

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"palhm/runtime/plan"
)

// Notice is what a message about a run says. Its texts may have anything in them.
type Notice struct {
	Host   string
	Site   string // the file
	Run    *Run
	Exit   int      // the exit code of palhm
	Error  string   // why the run failed; "" = it did not. Lines after the first are details
	Pos    string   // where what failed was declared; "" = not known
	Note   string   // what became of the copy; "" = nothing to say
	Stages []Stage  // that ended badly, the cause first
	Also   []string // what failed on its own at the same time
}

// Stage is a process that ended badly.
type Stage struct {
	Error  string   // its command and how it ended
	Stderr []string // its last lines
}

// Outcome says in words how the run ended.
func (n *Notice) Outcome() string {
	switch {
	case n.Exit == ExitOK:
		return "is well"
	case n.Exit == ExitAfter:
		return "is safe, but not all is well"
	case n.Exit == ExitLocked:
		return "did not run: another run holds the lock"
	case n.Exit > ExitSignal:
		if name := unix.SignalName(unix.Signal(n.Exit - ExitSignal)); name != "" {
			return "was ended by " + name
		}
	}
	return "failed"
}

// Subject is the subject of the message, one line whatever the names are. In template
// {hostname} and {task} are replaced, and other braces are text; "" is a default that
// says the outcome.
func (n *Notice) Subject(template string) string {
	if template == "" {
		return plan.Line(n.Host + ": " + n.Run.Task + " " + n.Outcome())
	}
	// In one pass: a name may have braces too.
	return plan.Line(strings.NewReplacer("{hostname}", n.Host, "{task}", n.Run.Task).Replace(template))
}

// Body is the text of the message: YAML as a whole, with the outcome first.
func (n *Notice) Body() string {
	var y yamlWriter
	y.comment(n.Subject(""))
	y.open("palhm-run")
	y.text("hostname", n.Host)
	y.text("task", n.Run.Task)
	y.text("site", n.Site)
	y.text("outcome", n.Outcome())
	y.line(fmt.Sprintf("exit-code: %d", n.Exit))
	y.time("start", n.Run.Start)
	y.text("duration", shortSpan(n.Run.End.Sub(n.Run.Start)))
	y.failure(n)
	if len(n.Run.Copies) > 0 {
		y.open("copies")
		for _, c := range n.Run.Copies {
			y.copy(c)
		}
		y.close()
	}
	if len(n.Run.After) > 0 {
		y.list("not-well", n.Run.After)
	}
	return y.String()
}

func (y *yamlWriter) failure(n *Notice) {
	if n.Error != "" {
		first, rest, _ := strings.Cut(n.Error, "\n")
		y.text("error", first)
		if rest != "" {
			y.block("details", strings.Split(rest, "\n"))
		}
	}
	if n.Pos != "" {
		y.text("declared-at", n.Pos)
	}
	if len(n.Stages) > 0 {
		y.open("failed")
		for _, s := range n.Stages {
			y.item()
			y.text("command", s.Error)
			if len(s.Stderr) > 0 {
				y.block("stderr", s.Stderr)
			}
			y.close()
		}
		y.close()
	}
	if len(n.Also) > 0 {
		y.list("failed-too", n.Also)
	}
	if n.Note != "" {
		y.text("note", n.Note)
	}
}

func (y *yamlWriter) copy(c Copy) {
	y.item()
	y.text("task", c.Task)
	if c.Root == "" {
		y.text("place", "kept nowhere (null)")
	} else {
		y.text("place", strings.TrimSuffix(c.Root, "/")+"/"+c.Prefix)
	}
	y.line(fmt.Sprintf("objects: %d", c.Objects))
	y.line(fmt.Sprintf("bytes: %d", c.Bytes))
	y.text("duration", shortSpan(c.Duration))
	if len(c.Removed) > 0 {
		y.open("removed-by-rotation")
		for _, r := range c.Removed {
			y.item()
			y.text("copy", r.Prefix)
			y.line(fmt.Sprintf("bytes: %d", r.Bytes))
			y.text("reason", r.Reason)
			y.close()
		}
		y.close()
	}
	y.close()
}

// shortSpan gives a time span to a tenth of a second, or to the second when it is
// longer than a minute: "2.1s", "1h2m3s".
func shortSpan(d time.Duration) string {
	if d < time.Minute {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
