// Package proc starts a pipeline of processes and hands its output on as a reader
// that returns the pipeline's failure instead of io.EOF, so that a cut stream can
// never be taken for a whole one. It knows nothing about backups.
package proc

import (
	"context"
	"io"
	"os"
	"syscall"
	"time"
)

// DefaultGrace is the time between SIGTERM and SIGKILL.
const DefaultGrace = 10 * time.Second

// Command is one stage of a pipeline.
type Command struct {
	Argv       []string            // Argv[0] without a slash is looked up in the PATH of Env
	Env        []string            // the whole environment, "NAME=value"
	Dir        string              // "" = the current directory
	Credential *syscall.Credential // nil = palhm's own
	Stdin      *os.File            // first stage only; nil = /dev/null. The caller closes it after Start
	Good       func(code int) bool // which exit codes are good; nil = only 0
	SIGPIPE    bool                // being killed by SIGPIPE is good too
	Timeout    time.Duration       // 0 = none
	Stderr     io.Writer           // gets a copy as it comes; nil = none. One Write at a time
}

// Options are what holds for a whole pipeline.
type Options struct {
	Grace time.Duration   // between SIGTERM and SIGKILL; 0 = DefaultGrace
	Hurry <-chan struct{} // when closed, the grace period is over; nil = never
}

// Pipeline is a running pipeline.
type Pipeline struct{}

// Result says how a stage ended.
type Result struct {
	Argv     []string
	Code     int            // exit code; -1 when Signal is set
	Signal   syscall.Signal // that killed it; 0 = none
	Start    time.Time
	Duration time.Duration
	Stderr   []byte // the last of its stderr, at most 64 KiB
	Err      error  // nil = good
}

// Start starts every stage.
func Start(ctx context.Context, cmds []Command, opt Options) (*Pipeline, error) {
	panic("to be written")
}

// Read returns the output of the last stage.
func (p *Pipeline) Read(b []byte) (int, error) { panic("to be written") }

// Close ends what still runs.
func (p *Pipeline) Close() error { panic("to be written") }

// Results returns one Result a stage.
func (p *Pipeline) Results() []Result { panic("to be written") }
