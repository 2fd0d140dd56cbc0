package proc

import (
	"fmt"
	"syscall"
	"time"
)

// survival is how long to wait for a process to go after SIGKILL.
const survival = 30 * time.Second

// stop ends every process of every stage's session.
func (p *Pipeline) stop() {
	for _, s := range p.stages {
		if s.pid == 0 || s.ended {
			continue
		}
		// Its end may be known to the kernel already: then it was not palhm's doing.
		if s.exit, s.ended = s.peek(syscall.WNOHANG); !s.ended {
			s.killed = true
		}
	}
	sessions := p.sessions()
	sessions.signal(syscall.SIGTERM, syscall.SIGCONT)
	if p.out != nil {
		p.out.Close() // wakes Read, and a stage that cannot write any more
	}
	if p.emptied(sessions, p.opt.Grace, p.opt.Hurry, nil) {
		sessions.signalGroups(syscall.SIGKILL) // where no /proc shows what is left
		return
	}
	kill := func() { sessions.signal(syscall.SIGKILL) }
	kill()
	if !p.emptied(sessions, survival, nil, kill) {
		p.left = fmt.Errorf("stop the pipeline: processes that SIGKILL did not end in %s are left (%s)", survival, sessions)
	}
}

// sessions are those of the stages that were started.
func (p *Pipeline) sessions() sessions {
	var ids sessions
	for _, s := range p.stages {
		if s.pid != 0 {
			ids = append(ids, s.pid)
		}
	}
	return ids
}

// emptied waits until no process is left in the sessions. It returns false when the
// time is over or hurry is closed. Whenever there still is one it calls again, if
// that is not nil: a process may fork while others like it are being signalled.
func (p *Pipeline) emptied(ids sessions, limit time.Duration, hurry <-chan struct{}, again func()) bool {
	deadline := time.After(limit)
	for p.live > 0 {
		select {
		case e := <-p.exits:
			p.record(e)
		case <-deadline:
			return false
		case <-hurry:
			return false
		}
	}
	for pause := time.Millisecond; ids.alive(); pause = min(2*pause, 100*time.Millisecond) {
		if again != nil {
			again()
		}
		select {
		case <-time.After(pause):
		case <-deadline:
			return false
		case <-hurry:
			return false
		}
	}
	return true
}
