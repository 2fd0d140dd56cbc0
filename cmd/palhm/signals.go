package main

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"palhm/runtime/plan"
)

// signals is how palhm heeds signals during a run. SIGINT, SIGTERM, SIGHUP and
// SIGQUIT end it, a second one at once. A third has its default action, or that of SIGTERM
// if it is SIGQUIT: it ends what can no longer end by itself, such as a palhm whose output
// nobody reads. The next run on the root cleans up.
//
// SIGHUP and SIGINT that were ignored when palhm started, as nohup(1) does, stay
// ignored.
//
// It is the engine's Mask. Go cannot block a signal for all threads of a process, so
// a signal that a task blocks is caught and noted, and acts when it is unblocked.
type signals struct {
	ctx    context.Context // ends with a signalError
	hurry  chan struct{}   // closed by the second signal
	cancel context.CancelCauseFunc
	asked  chan struct{} // tells of SIGUSR1

	in    chan os.Signal
	marks chan struct{} // tells of marker
	done  chan struct{} // closed when nobody reads in any more

	mu       sync.Mutex
	caught   []syscall.Signal
	stopping int // how often it was asked to end
	deferred []plan.Signal
	pending  []plan.Signal // those of deferred that have come, each once
}

// marker is a signal that palhm sends to itself. The kernel and Go hand over the
// lowest number first, so that all others have been noted when it comes.
const marker = syscall.Signal(64)

// watchSignals begins to heed signals, and calls onUser for SIGUSR1. What onUser prints
// may have no reader, so it holds up no other signal, nor stop; what comes while it is at
// work is one request. The caller calls stop once.
func watchSignals(parent context.Context, onUser func()) *signals {
	w := &signals{
		hurry: make(chan struct{}),
		asked: make(chan struct{}, 1),
		in:    make(chan os.Signal, 64), // what finds it full is lost
		marks: make(chan struct{}, 1),
		done:  make(chan struct{}),
	}
	w.ctx, w.cancel = context.WithCancelCause(parent)
	if !signal.Ignored(syscall.SIGQUIT) {
		signal.Reset(syscall.SIGQUIT) // takes it over from quit
	}
	w.catch(syscall.SIGUSR1, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	go w.heed()
	go func() {
		for {
			select {
			case <-w.asked:
				onUser()
			case <-w.done:
				return
			}
		}
	}()
	return w
}

func (w *signals) stop() {
	signal.Stop(w.in)
	close(w.in)
	<-w.done
	w.cancel(nil)
}

func (w *signals) catch(list ...syscall.Signal) {
	for _, s := range list {
		if !signal.Ignored(s) && !slices.Contains(w.caught, s) {
			w.caught = append(w.caught, s)
			signal.Notify(w.in, s)
		}
	}
}

func (w *signals) heed() {
	defer close(w.done)
	for received := range w.in {
		switch s := received.(syscall.Signal); {
		case s == marker:
			tell(w.marks)
		case !w.note(plan.Signal(s)):
			w.act(s)
		}
	}
}

// tell never waits: c holds what was not heard yet.
func tell(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// note keeps a signal that is deferred, and reports whether it is.
func (w *signals) note(s plan.Signal) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Contains(w.deferred, s) {
		return false
	}
	if !slices.Contains(w.pending, s) {
		w.pending = append(w.pending, s)
	}
	return true
}

// act does what a signal is for. Those that only a mask made palhm catch end the
// run too, or stop the process, as their default action would.
func (w *signals) act(s syscall.Signal) {
	switch s {
	case syscall.SIGUSR1:
		tell(w.asked)
	case syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU:
		syscall.Kill(os.Getpid(), syscall.SIGSTOP) //nolint:errcheck // a process may stop itself
	default:
		w.end(s)
	}
}

func (w *signals) end(s syscall.Signal) {
	w.cancel(signalError{s})
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopping++; w.stopping != 2 {
		return
	}
	close(w.hurry)
	for _, s := range w.caught {
		if s != syscall.SIGUSR1 && !slices.Contains(w.deferred, plan.Signal(s)) {
			signal.Reset(s)
		}
	}
	if slices.Contains(w.caught, syscall.SIGQUIT) && !slices.Contains(w.deferred, plan.Signal(syscall.SIGQUIT)) {
		quit()
	}
}

// quit makes SIGQUIT end palhm at once and in silence, as SIGTERM does by default. Go's
// own answer is the stack of every goroutine and exit code 2, which says "wrong usage".
func quit() {
	if signal.Ignored(syscall.SIGQUIT) {
		return
	}
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGQUIT)
	go func() {
		<-c
		os.Exit(exitSignal + int(syscall.SIGQUIT))
	}()
}

// deferrable reports whether a signal would do something to palhm if it did not
// catch it. Processes have the others blocked all the same.
func deferrable(s plan.Signal) bool {
	switch s := syscall.Signal(s); s {
	case syscall.SIGCHLD, syscall.SIGCONT, syscall.SIGPIPE, syscall.SIGURG, syscall.SIGWINCH, marker:
		return false
	default:
		return !signal.Ignored(s)
	}
}

// Set defers signals. Of several that are due, only the first ends the run: the
// others are no second request.
func (w *signals) Set(list []plan.Signal) {
	w.settle()
	w.mu.Lock()
	var due []plan.Signal
	w.pending = slices.DeleteFunc(w.pending, func(s plan.Signal) bool {
		gone := !slices.Contains(list, s)
		if gone {
			due = append(due, s)
		}
		return gone
	})
	w.deferred = slices.Clone(list)
	for _, s := range list {
		if deferrable(s) {
			w.catch(syscall.Signal(s))
		}
	}
	w.mu.Unlock()
	for _, s := range due {
		if w.ctx.Err() == nil || s == plan.Signal(syscall.SIGUSR1) {
			w.act(syscall.Signal(s))
		}
	}
}

// Clear defers nothing any more. What was deferred until the end does not kill a
// palhm that only has to say how its run went, either.
func (w *signals) Clear() {
	w.settle()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.deferred {
		if deferrable(s) {
			signal.Notify(make(chan os.Signal, 1), syscall.Signal(s))
		}
	}
	w.deferred, w.pending = nil, nil
}

// settle waits until the signals that were sent until now have been noted: that
// takes a moment. Without a mask it does not matter.
func (w *signals) settle() {
	w.mu.Lock()
	masked := len(w.deferred) > 0
	w.mu.Unlock()
	if !masked {
		return
	}
	signal.Notify(w.in, marker)
	select {
	case <-w.marks: // somebody else has sent it
	default:
	}
	if syscall.Kill(os.Getpid(), marker) != nil {
		return
	}
	select {
	case <-w.marks:
	case <-time.After(time.Second):
	}
}

// surviveSIGPIPE keeps a reader of palhm's output who goes away from killing a
// backup half way, until the process ends: the write fails, and that is all. It is called
// before the site is loaded, which may print. The processes that palhm starts are killed
// by SIGPIPE as ever.
func surviveSIGPIPE() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }
