package proc

import (
	"bytes"
	"context"
	"io"
	"slices"
	"syscall"
	"time"
)

// Ending says how a stage of a played pipeline ends.
type Ending struct {
	Code   int            // exit code
	Signal syscall.Signal // that kills it; 0 = none, else Code is ignored
	Stdout []byte         // nil = what it reads
	Stderr []byte
	After  time.Duration // how long it runs; a stage that is well runs as long as those before it
}

// Clock is the time by which a pipeline is played.
type Clock interface {
	Now() time.Time
	// Sleep returns the cause of ctx when that ends before the time is over.
	Sleep(ctx context.Context, d time.Duration) error
}

// Played is a pipeline that was played.
type Played struct {
	Err     error // why it failed, an *Error; nil = it did not
	out     bytes.Reader
	results []Result
}

// Play is Start without processes, for tests: each stage ends as endings say. It returns
// when the last one has ended, and judges them as Start does. A stage that is stopped
// ends at once, and has printed nothing to stdout; so is one that still reads when
// another one before it fails.
func Play(ctx context.Context, cmds []Command, endings []Ending, clock Clock) (*Played, error) {
	if ctx.Err() != nil {
		return nil, cancelled(ctx)
	}
	p := &Pipeline{}
	played := &Played{}
	lasts := make([]time.Duration, len(cmds))
	start := clock.Now()
	for i, e := range endings {
		s := &stage{cmd: &cmds[i], index: i, count: len(cmds), start: start, ended: true,
			exit: exit{code: e.Code, signal: e.Signal}, errs: &stderr{w: cmds[i].Stderr, turn: make(chan struct{}, 1)}}
		if e.Signal != 0 {
			s.exit.code = -1
		}
		for b := range slices.Chunk(e.Stderr, tailSize/4) {
			s.errs.take(b)
		}
		lasts[i] = e.After
		if i > 0 && s.good() {
			lasts[i] = max(lasts[i], lasts[i-1])
		}
		p.stages = append(p.stages, s)
	}
	reason := p.play(ctx, lasts, clock)
	for i, s := range p.stages {
		played.results = append(played.results, s.result())
		switch out := endings[i].Stdout; {
		case s.killed:
			played.out.Reset(nil)
		case out != nil:
			played.out.Reset(out)
		}
	}
	p.concluded = played.results
	if reason != nil {
		played.Err = p.failure(reason)
	}
	return played, nil
}

// play lets the time pass until every stage has ended, or one of them, its time limit
// or ctx stops the pipeline, and returns why.
func (p *Pipeline) play(ctx context.Context, lasts []time.Duration, clock Clock) (reason error) {
	over := slices.Max(lasts)
	for i, s := range p.stages {
		at := lasts[i]
		switch late := s.cmd.Timeout > 0 && at > s.cmd.Timeout; {
		case late:
			at = s.cmd.Timeout
		case s.good():
			continue
		case s.exit.signal == syscall.SIGPIPE && i+1 < len(lasts):
			at = max(at, min(at+settle, slices.Max(lasts[i+1:])))
		}
		reason, over = errStage, min(over, at)
	}
	start := clock.Now()
	if clock.Sleep(ctx, over) != nil {
		reason, over = cancelled(ctx).Reason, clock.Now().Sub(start)
	}
	broken := false
	for i, s := range p.stages {
		s.exit.at = start.Add(min(lasts[i], over))
		if lasts[i] > over || broken && s.good() {
			s.timedOut = reason == errStage && lasts[i] > over && s.cmd.Timeout == over
			s.killed, s.exit.code, s.exit.signal = true, -1, syscall.SIGTERM
		}
		broken = broken || !s.good() && s.exit.signal != syscall.SIGPIPE
	}
	return reason
}

// Read returns what the last stage has printed, and then why the pipeline failed, or
// io.EOF.
func (p *Played) Read(b []byte) (int, error) {
	n, err := p.out.Read(b)
	if err == io.EOF && p.Err != nil {
		err = p.Err
	}
	return n, err
}

// Close does nothing: everything has ended.
func (*Played) Close() error { return nil }

// Results returns one Result a stage, in their order.
func (p *Played) Results() []Result { return p.results }
