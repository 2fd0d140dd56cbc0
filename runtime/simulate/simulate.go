// Package simulate is what a test of a site says of the world in which a task is played,
// and what came of the task: plain data. Package player does the playing.
package simulate

import (
	"errors"
	"math/big"
	"time"

	"palhm/runtime/plan"
)

// Setup is the world that a task is played in. The zero value is a world in which every
// command succeeds and prints nothing.
type Setup struct {
	Host    string // the name of the host
	Replies []Reply
	Args    map[string]any     // of the task, as plan.Routine.ArgValues takes them
	Files   map[string]string  // clean absolute path to text: all files that there are
	Env     map[string]*string // what secrets are kept in; nil = not set. Variables that are not in it have some value
	Now     time.Time          // when the task begins
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
	Signal plan.Signal   // that kills it; 0 = none, else Code is ignored
	Stdout *string       // nil = what it reads: that of the stage before it
	Stderr string        // of a task: why it failed, or what failed when its main work was safe
	Takes  time.Duration // how long it runs, by the simulated clock
}

// Outcome is what came of a task.
type Outcome struct {
	Task     string
	Err      error    // why it failed; nil = it did not
	Exit     int      // the exit code that "palhm run" would have
	Skipped  string   // why it had nothing to do; "" = it had
	Events   []Event  // what would have run, in order
	Objects  []string // the paths of the objects that backups made, in order
	Log      []string // what ctx.log said
	Warnings []string // what ctx.warn said, and then what failed when the main work was safe
	Unused   []Unused // replies that were not asked for, or not as often as they wait
	Overused []string // command lines that found all answers of their reply given
	End      time.Time
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
	Result string   // in words: "ok", "exit code 1, want 0", "killed by SIGTERM"
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

// Future is what is to come of the copies of a backup.
type Future struct {
	Now   time.Time
	Days  int           // how far to look
	Every time.Duration // between two copies; the first one is made at Now
	Sizes []int64       // of the copies that are made, in bytes; the last one is that of all further ones
	Found []int64       // sizes of the copies that are there, the oldest first, Every apart and before Now
}

// Rotation is what becomes of the copies.
type Rotation struct {
	Left       []Copy // the oldest first
	Removed    []Copy // in the order in which they go
	PeakCopies int    // just before rotation, when a root holds most
	PeakBytes  *big.Int
	Notices    []string // each once: what palhm would report with exit code 4
}

// Copy is a copy and what becomes of it.
type Copy struct {
	Prefix  string
	Time    time.Time
	Size    int64
	Removed time.Time // zero = it stays
	Reason  string    // why it goes, or stays
}
