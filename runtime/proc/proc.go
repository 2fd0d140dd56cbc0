package proc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"palhm/runtime/host"
)

// DefaultGrace is the time between SIGTERM and SIGKILL.
const DefaultGrace = 10 * time.Second

// Command is one stage of a pipeline.
type Command struct {
	Argv       []string            // Argv[0] without a slash is looked up in the PATH of Env
	Env        []string            // the whole environment, "NAME=value", each name once
	Dir        string              // "" = the current directory
	Credential *syscall.Credential // nil = palhm's own
	Stdin      *os.File            // first stage only; nil = /dev/null. The caller closes it after Start
	Good       func(code int) bool // which exit codes are good; nil = only 0. Never asked about a signal
	Want       string              // Good in words, for errors: "0-1"; "" = "0"
	SIGPIPE    bool                // being killed by SIGPIPE is good too
	Timeout    time.Duration       // 0 = none
	Stderr     io.Writer           // gets a copy as it comes; nil = none. One Write at a time, none after an error
}

// Options are what holds for a whole pipeline.
type Options struct {
	Grace time.Duration   // between SIGTERM and SIGKILL; 0 = DefaultGrace
	Hurry <-chan struct{} // when closed, the grace period is over; nil = never

	// Leave says that the output is shown and not kept. What a stage has left behind
	// may then go on holding it, as a service that a step has started does: the output
	// ends a second after the last stage did, and what comes later is thrown away.
	Leave bool

	// Blocked are the signals that the stages begin with blocked, besides those that
	// palhm has inherited so. Each is from 1 to 64 (signal(7)).
	Blocked []syscall.Signal
}

// Pipeline is a running pipeline. One goroutine may Read while another calls Close.
type Pipeline struct {
	stages []*stage
	opt    Options
	out    *os.File      // the reading end of the last stage's stdout
	reads  atomic.Uint64 // odd while a Read is under way
	got    atomic.Int64  // bytes that were read

	exits   chan exit     // one for each stage that was started
	late    chan *stage   // stages whose Timeout has passed
	ended   chan error    // how reading ended
	closing chan struct{} // closed by Close
	done    chan struct{} // closed when the pipeline is concluded
	close   sync.Once

	// The supervisor's.
	live int  // stages that have not ended
	held bool // the output ends although something holds it

	// Written before done is closed, read-only afterwards.
	err       error // nil = success
	left      error // processes that SIGKILL did not end
	concluded []Result
}

// ErrClosed is why a pipeline failed that was closed before its end.
var ErrClosed = errors.New("pipeline closed before its end")

// Result says how a stage ended.
type Result struct {
	Argv     []string
	Code     int            // exit code; -1 when Signal is set, or when it did not end
	Signal   syscall.Signal // that killed it; 0 = none
	Killed   bool           // it still ran when palhm stopped the pipeline
	Start    time.Time
	Duration time.Duration
	Stderr   []byte // the last of its stderr, at most 64 KiB, in whole lines
	Err      error  // nil = good; else a *StageError
}

// Start starts every stage, or none when a program is missing. The pipeline must be
// read to its end or closed. It is stopped when ctx ends. What the kernel has not started
// when Options.Grace has passed after that, such as a program on a file server that is
// silent, is left: nothing else of the pipeline runs on.
//
// The stages inherit no file descriptor but their standard ones. An error is an
// *Error.
func Start(ctx context.Context, cmds []Command, opt Options) (*Pipeline, error) {
	if ctx.Err() != nil {
		return nil, cancelled(ctx)
	}
	stdin, err := firstStdin(cmds)
	if err != nil {
		return nil, &Error{Reason: fmt.Errorf("start a pipeline: %w", err)}
	}
	patient, done := outlive(ctx, opt.grace(), opt.Hurry)
	defer done()
	p, err := host.Await(patient, func() (*Pipeline, error) { return start(ctx, cmds, stdin, opt) }, func(p *Pipeline) { p.Close() })
	if _, told := errors.AsType[*Error](err); err != nil && !told {
		return nil, cancelled(ctx)
	}
	return p, err
}

func (o Options) grace() time.Duration { return cmp.Or(o.Grace, DefaultGrace) }

// outlive returns a context that ends some time after ctx, or when hurry is closed after
// the end of ctx. A start that is under way is not abandoned at once: palhm might exit
// before it has stopped the stages that are already running. The caller calls done.
func outlive(ctx context.Context, patience time.Duration, hurry <-chan struct{}) (longer context.Context, done func()) {
	longer, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(patience):
		case <-hurry:
		case <-longer.Done():
		}
		cancel(context.Cause(ctx))
	})
	return longer, func() { stop(); cancel(nil) }
}

// start starts the stages, the first with a stdin that it closes.
func start(ctx context.Context, cmds []Command, stdin *os.File, opt Options) (*Pipeline, error) {
	defer stdin.Close()
	stages, err := prepare(cmds)
	if err != nil {
		return nil, err
	}
	opt.Grace = opt.grace()
	p := &Pipeline{
		stages:  stages,
		opt:     opt,
		exits:   make(chan exit, len(stages)),
		late:    make(chan *stage, len(stages)),
		ended:   make(chan error, 1),
		closing: make(chan struct{}),
		done:    make(chan struct{}),
	}
	if err := p.spawn(ctx, stdin); err != nil {
		p.stop()
		p.conclude(nil)
		return nil, err
	}
	go p.supervise(ctx)
	return p, nil
}

// Read returns the output of the last stage. At its end it waits until every stage
// has ended, and returns io.EOF only when all were good; otherwise the error is an
// *Error. Once the pipeline has failed and its processes are gone it returns at
// once, whatever output is left.
func (p *Pipeline) Read(b []byte) (int, error) {
	n, err := p.read(b)
	if err == nil {
		return n, nil
	}
	select {
	case p.ended <- err:
	default:
	}
	<-p.done
	if p.err != nil {
		return 0, p.err
	}
	return 0, io.EOF
}

// Failed returns a channel that is closed when the pipeline is over: after a failure that
// is so before its output was read to the end.
func (p *Pipeline) Failed() <-chan struct{} { return p.done }

// read reads the output, which is not the pipeline's any more when it is concluded.
func (p *Pipeline) read(b []byte) (int, error) {
	p.reads.Add(1)
	defer p.reads.Add(1)
	select {
	case <-p.done:
		return 0, io.EOF
	default:
	}
	n, err := p.out.Read(b)
	p.got.Add(int64(n))
	return n, err
}

// Close ends what still runs and waits for it. After Read has returned an error it
// does nothing. It may be called more than once, and returns an error only for
// processes that cannot be ended.
func (p *Pipeline) Close() error {
	p.close.Do(func() { close(p.closing) })
	<-p.done
	return p.left
}

// Results returns one Result a stage, in their order. It is empty until Read has
// returned an error or Close has returned.
func (p *Pipeline) Results() []Result {
	select {
	case <-p.done:
		return p.concluded
	default:
		return nil
	}
}

// cancelled is the failure of a pipeline that ctx has stopped.
func cancelled(ctx context.Context) *Error {
	return &Error{Reason: fmt.Errorf("stopped: %w", context.Cause(ctx))}
}
