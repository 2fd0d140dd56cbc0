package proc

import (
	"io"
	"syscall"
	"time"
)

// conclude reaps the stages, tells what became of them, and wakes who waits. A
// reason says why the pipeline was stopped; nil is success.
func (p *Pipeline) conclude(reason error) {
	for _, s := range p.stages {
		if s.timer != nil {
			s.timer.Stop()
		}
		if !s.ended {
			s.exit.at = time.Now()
		}
		if s.errs != nil {
			s.errs.finish(s.exit.at.Add(linger))
		}
		if s.told {
			s.reap()
		}
	}
	switch {
	case p.held:
		p.out.SetReadDeadline(time.Now()) //nolint:errcheck // a pipe has deadlines
		go p.drain()
	case p.out != nil:
		p.out.Close()
	}
	for _, s := range p.stages {
		p.concluded = append(p.concluded, s.result())
	}
	if reason != nil {
		p.err = p.failure(reason)
	}
	if p.live > 0 {
		go p.reapLate()
	}
	close(p.done)
}

// drain throws away what a process writes that a stage has left behind: a service
// is not to be killed by SIGPIPE for a word of its own. It begins when Read has been
// woken.
func (p *Pipeline) drain() {
	<-p.done
	for p.reads.Load()%2 == 1 {
		time.Sleep(time.Millisecond)
	}
	p.out.SetReadDeadline(time.Time{}) //nolint:errcheck
	io.Copy(io.Discard, p.out)         //nolint:errcheck // it is nobody's
	p.out.Close()
}

// reapLate waits for the stages that SIGKILL did not end at once.
func (p *Pipeline) reapLate() {
	for p.live > 0 {
		p.record(<-p.exits).reap()
	}
}

// failure is the error of a stopped pipeline.
func (p *Pipeline) failure(reason error) *Error {
	e := &Error{}
	if reason != errStage {
		e.Reason = reason
	}
	cause := p.cause()
	for i, s := range p.stages {
		switch failed, _ := p.concluded[i].Err.(*StageError); {
		case failed == nil:
		case s == cause:
			e.Cause = failed
		default:
			e.Others = append(e.Others, failed)
		}
	}
	return e
}

// cause returns the stage to blame, or nil: the one whose time was over, else the
// first to end of those that neither SIGPIPE nor palhm killed, else the most
// downstream of those that SIGPIPE killed.
func (p *Pipeline) cause() *stage {
	var first, broken *stage
	for _, s := range p.stages {
		switch {
		case s.timedOut:
			return s
		case !s.ended || s.killed || s.good():
		case s.exit.signal == syscall.SIGPIPE:
			broken = s
		case first == nil || s.exit.at.Before(first.exit.at):
			first = s
		}
	}
	if first != nil {
		return first
	}
	return broken
}

func (s *stage) result() Result {
	r := Result{
		Argv:     s.cmd.Argv,
		Code:     s.exit.code,
		Signal:   s.exit.signal,
		Killed:   s.killed,
		Start:    s.start,
		Duration: s.exit.at.Sub(s.start),
		Stderr:   s.errs.last(),
	}
	if e := s.failure(); e != nil {
		r.Err = e
	}
	return r
}
