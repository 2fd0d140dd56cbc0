// Package plan is what a site declared, as plain data: tasks, groups, objects,
// pipelines and execs. The language front end produces it, the engine runs it,
// and the command prints it. It holds no Starlark value and no backend, starts
// nothing and imports nothing else of palhm.
//
// Values are built once, while a site loads, and are read-only afterwards; they
// may then be read by any number of goroutines.
package plan

import (
	"fmt"
	"strings"
	"time"
)

// Pos is a place in a site's text. The zero value means "not known".
type Pos struct {
	File string // as shown to a person: "site.star", "//lib/pg.star", "@palhm//core.star"
	Line int    // from 1
	Col  int    // from 1, in characters
}

// String gives "file:line:col", or "-" for the zero value.
func (p Pos) String() string {
	if p == (Pos{}) {
		return "-"
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// MarshalText makes a position a string in JSON.
func (p Pos) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// Site is everything that one site file and the modules it loads declared.
type Site struct {
	File       string      `json:"file"`   // absolute path
	Digest     string      `json:"digest"` // SHA-256, hex, over the text of the site and its own modules
	Doc        string      `json:"doc,omitempty"`
	Settings   Settings    `json:"settings"`
	Tasks      []*Task     `json:"tasks"` // in declaration order; names are unique
	BootReport *BootReport `json:"boot_report,omitempty"`
	Inputs     []Input     `json:"inputs,omitempty"`  // what was read while loading, sorted
	Modules    []Module    `json:"modules,omitempty"` // every file loaded, the site first
}

// Task returns the task of that name, or nil.
func (s *Site) Task(name string) *Task {
	for _, t := range s.Tasks {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// DefaultVerbosity is the verbosity of a site that sets none: warnings and
// information, no debugging.
const DefaultVerbosity = 3

// Settings are the site's own settings.
type Settings struct {
	Host      string  `json:"host,omitempty"`       // name of this host in copies, locks and mails; "" = its own
	Workers   int     `json:"nb_workers"`           // objects at a time: 0 = the CPUs this process may use, negative = unlimited
	Verbosity int     `json:"vl"`                   // 0 critical, 1 error, 2 warning, 3 info, 4 and above debug
	OnFailure *Notice `json:"on_failure,omitempty"` // sent when a run has failed, or something after its main work
	OnSuccess *Notice `json:"on_success,omitempty"` // sent when all went well
}

// Input is a fact of the host that was read while the site loaded.
type Input struct {
	Kind string `json:"kind"` // "env", "file", "glob", "path", "which", "host"
	Name string `json:"name"` // the variable's name, the path or the pattern; never a variable's value
}

// Module is a file that took part in a site.
type Module struct {
	Label  string `json:"label"`  // "//site.star", "//lib/pg.star", "@palhm//core.star"
	SHA256 string `json:"sha256"` // of its text, hex
}

// Task is what "palhm run" runs: a backup or a routine. Exactly one of Backup
// and Routine is set.
type Task struct {
	Name    string        `json:"name"`
	Doc     string        `json:"doc,omitempty"`
	Pos     Pos           `json:"pos"`
	Timeout time.Duration `json:"timeout,omitempty"` // nanoseconds; 0 = none
	Backup  *Backup       `json:"backup,omitempty"`
	Routine *Routine      `json:"routine,omitempty"`
}

// Routine is a list of steps, run one after the other.
type Routine struct {
	Steps []Step `json:"steps"`
	Args  []Arg  `json:"args,omitempty"` // in the order of the site
	Uses  []Step `json:"uses,omitempty"` // what its functions may run, as far as it is declared
}

// Step is one step of a routine. Exactly one of its fields besides Pos is set.
type Step struct {
	Pos      Pos          `json:"pos"`
	Pipeline Pipeline     `json:"pipeline,omitempty"` // an exec is a pipeline of one stage
	Task     *Task        `json:"-"`                  // declared earlier, so there is no cycle
	TaskName string       `json:"task,omitempty"`     // the name of Task
	Call     *Call        `json:"call,omitempty"`
	Sigmask  *Sigmask     `json:"sigmask,omitempty"`
	DNSSEC   *DNSSECCheck `json:"dnssec_check,omitempty"`
}

// Text says in a line what a step runs. quote writes a command.
func (s Step) Text(quote func(argv []string) string) string {
	switch {
	case s.Task != nil:
		return "task " + s.Task.Name
	case s.Call != nil:
		return "function " + s.Call.Name
	case s.Sigmask != nil:
		return "sigmask"
	case s.DNSSEC != nil:
		return "dnssec_check of " + s.DNSSEC.Name
	}
	lines := make([]string, len(s.Pipeline))
	for i, x := range s.Pipeline {
		lines[i] = quote(x.Argv)
	}
	return strings.Join(lines, " | ")
}

// PrefixFormat says how a copy is named after the time at which its run began.
type PrefixFormat string

// The two formats of a prefix.
const (
	PrefixISO     PrefixFormat = "iso"     // 2022-05-01T06:59:17+00:00
	PrefixCompact PrefixFormat = "compact" // 20220501T065917Z
)

// Len is the length of such a name in bytes.
func (f PrefixFormat) Len() int {
	if f == PrefixCompact {
		return len("20220501T065917Z")
	}
	return len("2022-05-01T06:59:17+00:00")
}

// Backup is a set of objects, made in the order that their groups allow and sent
// to a backend.
type Backup struct {
	Backends []Backend    `json:"backends"`
	Groups   []*Group     `json:"groups"` // as listed, then those reached through Depends; names are unique
	Prefix   PrefixFormat `json:"prefix"`
}

// Objects counts the objects of all groups.
func (b *Backup) Objects() int {
	n := 0
	for _, g := range b.Groups {
		n += len(g.Objects)
	}
	return n
}

// Group is objects that may be made at the same time.
type Group struct {
	Name    string       `json:"name"`
	Pos     Pos          `json:"pos"`
	Depends []int        `json:"depends,omitempty"` // indices into Backup.Groups; the graph has no cycle
	Objects []*Object    `json:"objects"`           // in declaration order
	Make    *ObjectsCall `json:"make,omitempty"`    // gives further objects when the group is ready; nil = none
}

// ObjectsCall is a function of the site that gives objects.
type ObjectsCall struct {
	Name string      `json:"name"`          // of the function
	Doc  string      `json:"doc,omitempty"` // the first line of its docstring
	Func ObjectsFunc `json:"-"`
}

// Object is one file of a copy.
type Object struct {
	Path      string        `json:"path"` // satisfies CheckPath
	Pos       Pos           `json:"pos"`
	Pipeline  Pipeline      `json:"pipeline"`             // at least one stage
	AllocSize int64         `json:"alloc_size,omitempty"` // expected size in bytes; 0 = not known
	MinSize   *int64        `json:"min_size,omitempty"`   // bytes; a smaller result is a failure; nil = see LeastSize
	Timeout   time.Duration `json:"timeout,omitempty"`    // of one attempt; 0 = none
	Retry     int           `json:"retry,omitempty"`      // further attempts after the first
}

// LeastSize is the size in bytes below which the object is a failure in a backend. What
// the site does not say is decided by the backend: where copies are kept, an empty object
// is one that a tool has written elsewhere.
func (o *Object) LeastSize(b Backend) int64 {
	switch {
	case o.MinSize != nil:
		return *o.MinSize
	case b.Kind == "null" && !b.Rehearsal:
		return 0
	}
	return 1
}

// Pipeline is execs joined stdout to stdin.
type Pipeline []*Exec

// Exec is one command.
type Exec struct {
	Pos             Pos           `json:"pos"`
	Argv            []string      `json:"argv"`                // at least one; without a slash Argv[0] is looked up in PATH
	Env             []EnvVar      `json:"env,omitempty"`       // sorted by name, added to the inherited environment
	CleanEnv        bool          `json:"clean_env,omitempty"` // Env is the whole environment
	ExitCodes       ExitCodes     `json:"ec"`
	Dir             string        `json:"cwd,omitempty"`  // "" = palhm's
	User            string        `json:"user,omitempty"` // name or number; "" = palhm's
	Timeout         time.Duration `json:"timeout,omitempty"`
	Stdin           *Stdin        `json:"stdin,omitempty"` // first stage only; nil = /dev/null
	SIGPIPE         bool          `json:"sigpipe,omitempty"`
	VerbosityStdout int           `json:"vl_stdout"` // shown when the verbosity is at least this
	VerbosityStderr int           `json:"vl_stderr"`
	Inverse         *Exec         `json:"inverse,omitempty"` // undoes this exec; nil = not known
}

// EnvVar is a variable for a command. Its value is never printed.
type EnvVar struct {
	Name  string `json:"name"`
	Value Value  `json:"-"`
}

// Value is a literal text, or a secret that is read when the process starts.
type Value struct {
	Text   string
	Secret *Secret // when set, Text is empty
}

// Secret names where a value is kept: exactly one field is set.
type Secret struct {
	Env  string `json:"env,omitempty"`  // a variable of palhm's own environment
	File string `json:"file,omitempty"` // a path, or a name below $CREDENTIALS_DIRECTORY
}

// String names the secret, as a site writes it. The value is not in it.
func (s *Secret) String() string {
	if s.Env != "" {
		return fmt.Sprintf("secret(env = %q)", s.Env)
	}
	return fmt.Sprintf("secret(file = %q)", s.File)
}

// Stdin is what the first stage reads: exactly one field is set.
type Stdin struct {
	Content *Value `json:"-"`
	File    string `json:"file,omitempty"` // a path, opened when the process starts
}

// Backend names where copies live. Kind says which field is set; "null" has none.
type Backend struct {
	Kind    string   `json:"kind"` // "null", "localfs", "aws_s3"
	Pos     Pos      `json:"pos"`
	LocalFS *LocalFS `json:"localfs,omitempty"`
	S3      *S3      `json:"aws_s3,omitempty"`
	Limits  Limits   `json:"limits"`

	Rehearsal bool `json:"-"` // a null in the place of a backend that keeps what it gets
}

// Root names the place that copies live in, for a person; "" for null.
func (b Backend) Root() string {
	switch {
	case b.LocalFS != nil:
		return b.LocalFS.Root
	case b.S3 != nil:
		return b.S3.URL()
	}
	return ""
}

// PathRoot is the ROOT of ROOT/PREFIX/PATH, whose length is limited.
func (b Backend) PathRoot() string {
	if b.S3 != nil {
		return b.S3.Root
	}
	return b.Root()
}

// LocalFS is a directory that holds copies.
type LocalFS struct {
	Root         string `json:"root"`  // absolute, clean
	DirMode      Mode   `json:"dmode"` // permission bits
	FileMode     Mode   `json:"fmode"`
	BlockSize    int64  `json:"block_size"` // bytes written at a time
	RequireMount bool   `json:"require_mount,omitempty"`
}

// Mode is permission bits. In JSON it is an octal string: "750".
type Mode uint32

// String gives the bits in octal.
func (m Mode) String() string { return fmt.Sprintf("%o", uint32(m)) }

// MarshalText makes a mode an octal string in JSON.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// Limits say how many copies stay. The zero value keeps everything.
type Limits struct {
	Copies Limit `json:"nb_copy_limit"`   // number of copies
	Bytes  Limit `json:"root_size_limit"` // sum of the sizes of copies
}
