package proc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// settle is how long the stages below one that SIGPIPE killed have to end by
// themselves. Usually the one that did not read on is just ending, for a reason of
// its own that is the better error.
const settle = 500 * time.Millisecond

// ErrHeld is why a pipeline failed whose stages had ended well while a process that
// they left behind held the output open without writing.
var ErrHeld = errors.New("every stage ended well, but a process left behind holds the output open: the stream may be cut")

// errStage says that the stages themselves tell why the pipeline failed.
var errStage = errors.New("a stage failed")

// supervise follows the pipeline from its start to its end.
func (p *Pipeline) supervise(ctx context.Context) {
	reason := p.run(ctx)
	if reason != nil {
		p.stop()
	}
	p.conclude(reason)
}

// run returns nil when everything has ended well, and otherwise as soon as it is
// known why not.
func (p *Pipeline) run(ctx context.Context) error {
	var (
		eof     bool
		broken  <-chan time.Time // set when SIGPIPE has killed a stage
		watched idle
		leaving rest
	)
	for p.live > 0 || !eof {
		select {
		case e := <-p.exits:
			s := p.record(e)
			if !s.good() {
				if s.exit.signal != syscall.SIGPIPE {
					return errStage
				}
				broken = time.After(settle)
			}
			if broken != nil && !p.liveBelowBroken() {
				return errStage
			}
			switch {
			case p.live > 0:
			case p.opt.Leave:
				leaving.start(p)
			default:
				watched.start(p)
			}
		case err := <-p.ended:
			if err != io.EOF {
				return fmt.Errorf("read the output: %w", err)
			}
			eof = true
		case s := <-p.late:
			if _, ended := s.peek(syscall.WNOHANG); !ended {
				s.timedOut = true
				return errStage
			}
		case <-watched.tick:
			if watched.idle(p) {
				return fmt.Errorf("%w (no data for %s)", ErrHeld, p.opt.Grace)
			}
		case <-leaving.tick:
			if leaving.over(p) {
				p.held = true
				return nil
			}
		case <-broken:
			return errStage
		case <-ctx.Done():
			return cancelled(ctx).Reason
		case <-p.closing:
			return ErrClosed
		}
	}
	return nil
}

// record notes that a stage has ended.
func (p *Pipeline) record(e exit) *stage {
	s := e.stage
	if !s.ended {
		s.ended, s.exit = true, e
	}
	s.told = true
	p.live--
	return s
}

// liveBelowBroken reports whether a stage still runs whose end may explain why
// SIGPIPE killed one above it.
func (p *Pipeline) liveBelowBroken() bool {
	above := false
	for _, s := range p.stages {
		if above && !s.ended {
			return true
		}
		above = above || s.ended && !s.good()
	}
	return false
}

// rest is what the stages have written and nobody has read when the last of them
// ends.
type rest struct {
	tick <-chan time.Time
	got  int64 // Pipeline.got when the last stage ended
}

func (r *rest) start(p *Pipeline) { r.tick, r.got = time.After(linger), p.got.Load() }

// over reports whether all of it has been read. The pipe is empty then, or others
// than the stages keep filling it: no more than it holds was in it, and no more than
// that can have been on its way through a Read.
func (r *rest) over(p *Pipeline) bool {
	r.tick = time.After(linger)
	return p.unread() == 0 || p.got.Load()-r.got >= 2*pipeSize
}

// unread returns how many bytes are in the pipe of the output.
func (p *Pipeline) unread() (n int) {
	if conn, err := p.out.SyscallConn(); err == nil {
		conn.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.TIOCINQ) }) //nolint:errcheck // it is open
	}
	return n
}

// idle watches for a Read that gets nothing.
type idle struct {
	tick <-chan time.Time
	last uint64 // Pipeline.reads at the last tick
}

func (w *idle) start(p *Pipeline) {
	w.tick, w.last = time.After(p.opt.Grace), p.reads.Load()
}

// idle reports whether one Read has lasted since the last tick. A consumer that
// does not read at all may take its time.
func (w *idle) idle(p *Pipeline) bool {
	before := w.last
	w.start(p)
	return w.last == before && w.last%2 == 1
}
