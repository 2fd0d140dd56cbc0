package plan

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Call is a function of the site, run when its turn comes.
type Call struct {
	Name string `json:"name"`          // of the function
	Doc  string `json:"doc,omitempty"` // the first line of its docstring
	Func Func   `json:"-"`
}

// Func is a function step. Each Run is independent of all others, and may be
// concurrent with them. Its error wraps the cause of ctx when that ended it, a *Failure
// when the function gave up, and a *Skip when it had nothing to do; else what failed.
type Func interface {
	Run(ctx context.Context, rt Runtime) error
}

// ObjectsFunc gives the objects of a group when the group becomes ready. Their paths
// satisfy CheckPath; whether they fit together is for the caller to check.
type ObjectsFunc interface {
	Objects(ctx context.Context, rt Runtime) ([]*Object, error)
}

// Runtime is what a running function reaches of the world: the engine's real one, or
// the canned one of a test. Its methods may be called concurrently. Those that block
// return the cause of ctx when it ends.
type Runtime interface {
	// Run runs a step: a pipeline or a task. The result is never nil. The error is
	// nil when it went well; a failure of what was run is an error too, and whether
	// it is fatal is for the caller to say.
	Run(ctx context.Context, s Step, o RunOptions) (*Result, error)
	Sigmask(ctx context.Context, pos Pos, m Sigmask) error
	Sleep(ctx context.Context, d time.Duration) error
	Now() time.Time
	TempDir() (string, error)                               // a directory that is removed when the routine ends
	Exists(path string) (bool, error)                       // follows symbolic links
	ReadFile(ctx context.Context, p string) ([]byte, error) // a regular file of at most 1 MiB
	Log(pos Pos, level LogLevel, msg string)
	Args() map[string]any // what the command line or the defaults say: string, int64 or bool
	// Sequential reports whether what a function does at the same time is to be done one
	// after the other, so that a test sees the same order each time.
	Sequential() bool
	// Grace returns a context for what must still be done when ctx has ended: it ends
	// on its own, and at once when the user asks twice.
	Grace(ctx context.Context) (context.Context, context.CancelFunc)
}

// LogLevel says how much a message of a function matters.
type LogLevel int

// The levels of ctx.log and ctx.warn. A warning does not change the exit code.
const (
	LogInfo LogLevel = iota
	LogWarn
)

// Capture says what is kept of what a pipeline prints.
type Capture string

// What is kept of stdout. Of stderr the last 64 KiB of each stage, in whole lines, are
// kept always.
const (
	CaptureAll  Capture = "all"  // everything; more than MaxCapture is a failure
	CaptureTail Capture = "tail" // the last MaxCapture bytes
	CaptureNone Capture = "none" // nothing: it is shown like that of any step
)

// MaxCapture bounds what is kept of stdout, in bytes.
const MaxCapture = 1 << 20

// ErrCapture is what is wrong with a command that printed more than CaptureAll keeps.
var ErrCapture = errors.New(`it printed more than 1 MiB: capture = "tail" keeps the end of it, "none" shows it`)

// RunOptions are how a function runs a step. The zero value captures everything,
// reads /dev/null and has no time limit.
type RunOptions struct {
	Pos     Pos     // of the call
	Capture Capture // "" = CaptureAll; ignored for a task
	Stdin   *Stdin  // nil = what the first exec says
	Timeout time.Duration
}

// Result is what a step came to.
type Result struct {
	Code     int    // exit code of the last stage, or of the one that failed; -1 when there is none
	Signal   string // that killed it, such as "SIGKILL"; "" = none
	Stdout   []byte
	Stderr   []byte // of all stages, one after the other; of a task that of the stage at fault
	Duration time.Duration
	Stages   []StageResult
	Warnings []string // what failed when the main work of a task was safe
}

// StageResult is what one stage of a pipeline came to.
type StageResult struct {
	Argv     []string
	Code     int
	Signal   string
	Stderr   []byte
	Duration time.Duration
	OK       bool
}

// Failure ends a routine because its function says so.
type Failure struct {
	Pos Pos
	Msg string
}

func (f *Failure) Error() string { return f.Msg }

// Skip ends a routine that has nothing to do. It is no failure.
type Skip struct {
	Pos Pos
	Msg string
}

func (s *Skip) Error() string { return s.Msg }

// Arg is an argument of a routine: an option of "palhm run", and a field of ctx.args.
type Arg struct {
	Name    string   `json:"name"`
	Kind    ArgKind  `json:"kind"`
	Default any      `json:"default"`           // string, int64, bool, or nil: it must be given
	Choices []string `json:"choices,omitempty"` // of a choice
	Doc     string   `json:"doc,omitempty"`
}

// Flag is the name of the option: --dry-run for dry_run.
func (a Arg) Flag() string { return strings.ReplaceAll(a.Name, "_", "-") }

// Parse reads a value of the command line. The error says what is wanted.
func (a Arg) Parse(text string) (any, error) {
	switch a.Kind {
	case ArgInt:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n, nil
		}
		return nil, errors.New("want an int of at most 64 bits, such as 3")
	case ArgBool:
		switch text {
		case "true", "True":
			return true, nil
		case "false", "False":
			return false, nil
		}
		return nil, errors.New("want true or false")
	case ArgChoice:
		if !slices.Contains(a.Choices, text) {
			return nil, fmt.Errorf("want one of %s", strings.Join(a.Choices, ", "))
		}
	}
	return text, nil
}

// ReservedFlags are the names of palhm's own options, which no argument can have.
func ReservedFlags() []string {
	return []string{"file", "help", "jobs", "log-format", "no-progress", "null", "quiet", "task", "verbose", "version", "wait"}
}

// ArgKind is the type of an argument.
type ArgKind string

// The kinds of arguments.
const (
	ArgString ArgKind = "string"
	ArgInt    ArgKind = "int"
	ArgBool   ArgKind = "bool"
	ArgChoice ArgKind = "choice"
)

// ArgValues returns the values of a routine's arguments: those given, else the
// defaults. It fails when one is missing that has no default.
func (r *Routine) ArgValues(given map[string]any) (map[string]any, error) {
	values := make(map[string]any, len(r.Args))
	for _, a := range r.Args {
		v, ok := given[a.Name]
		if !ok {
			v = a.Default
		}
		if v == nil {
			return nil, fmt.Errorf("argument %s (--%s) is missing and has no default", a.Name, a.Flag())
		}
		values[a.Name] = v
	}
	return values, nil
}
