// Package simulate plays the tasks of a site for its tests: the functions of the site
// run, and whatever they would run is answered with canned replies. It starts nothing,
// reads no file and writes none, and its clock stands still unless the site waits.
package simulate

import (
	"context"
	"errors"
	"time"

	"palhm/runtime/plan"
	"palhm/runtime/report"
)

// Setup is the world that a task is played in. The zero value is a world in which every
// command succeeds and prints nothing.
type Setup struct {
	Replies []Reply
	Args    map[string]any    // of the task, as plan.Routine.ArgValues takes them
	Files   map[string]string // absolute path to text: all that ctx.exists and ctx.read see
	Now     time.Time         // when the task begins
}

// Reply is what the commands or tasks get that match a pattern: see Match. Of several
// replies that match, the first one counts.
type Reply struct {
	Pattern string
	Answers []Answer // at least one
	InTurn  bool     // the answers are for one match each; else Answers has one, for all
}

// Answer is how a command or a task ends. The zero value is a success that prints nothing.
type Answer struct {
	Code   int
	Signal string        // that kills it, such as "SIGTERM"; Code is of no account then
	Stdout *string       // nil = what it reads: that of the stage before it
	Stderr string        // of a task: why it failed, or what failed when its main work was safe
	Takes  time.Duration // how long it runs, by the simulated clock
}

// Outcome is what came of a task.
type Outcome struct {
	Task     string
	Err      error    // why it failed; nil = it did not
	Skipped  string   // why it had nothing to do; "" = it had
	Events   []Event  // what would have run, in order
	Objects  []string // the paths of the objects that backups made, in order
	Log      []string // what ctx.log said
	Warnings []string // what ctx.warn said, and what failed when the main work was safe
	After    int      // how many of the warnings are of the second kind: exit code 4
	Unused   []Unused // replies that were not asked for, or not as often as they wait
	Overused []string // command lines that found all answers of their reply given
	End      time.Time
}

// Exit returns the exit code that "palhm run" would have.
func (o *Outcome) Exit() int {
	switch {
	case o.Err != nil:
		return report.ExitFailed
	case o.After > 0:
		return report.ExitAfter
	}
	return report.ExitOK
}

// Unused is a reply that was asked for less often than it has answers.
type Unused struct {
	Pattern string
	Answers int
	Asked   int
}

// Event is something that would have been done.
type Event struct {
	Kind   Kind
	Text   string   // with the kind and a colon in front, or the command line of a pipeline
	Stages []string // of a pipeline: the command line of each exec
	Result string   // in words: "ok", "exit code 1", "killed by SIGTERM"
}

// Kind is what an event is about.
type Kind string

// The kinds. All but commands begin with their kind, as in "task:backup".
const (
	Command Kind = ""
	Task    Kind = "task"
	Sigmask Kind = "sigmask"
	DNSSEC  Kind = "dnssec_check"
)

// ErrRunaway is the error of a task that does more than any would.
var ErrRunaway = errors.New("more than 100,000 commands: does a loop not end?")

const maxEvents = 100_000

// Run plays a task. The outcome is never nil. The error is the cause of ctx, when that
// ended the simulation, or ErrRunaway; whatever becomes of the task itself is in the
// outcome.
func Run(ctx context.Context, task *plan.Task, s Setup) (*Outcome, error) {
	p := &player{setup: s, now: s.Now, out: &Outcome{Task: task.Name}, asked: make([]int, len(s.Replies))}
	ctx, p.stop = context.WithCancelCause(ctx)
	defer p.stop(nil)
	p.out.Err = p.task(ctx, task, s.Args)
	p.conclude()
	return p.out, context.Cause(ctx)
}

// conclude says which replies were too many.
func (p *player) conclude() {
	p.out.End = p.now
	for i, r := range p.setup.Replies {
		if p.asked[i] < len(r.Answers) {
			p.out.Unused = append(p.out.Unused, Unused{r.Pattern, len(r.Answers), p.asked[i]})
		}
	}
}
