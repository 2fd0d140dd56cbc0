package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"palhm/runtime/plan"
)

const (
	term = plan.Signal(syscall.SIGTERM)
	hup  = plan.Signal(syscall.SIGHUP)
)

func send(t *testing.T, s plan.Signal) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), syscall.Signal(s)); err != nil {
		t.Fatal(err)
	}
}

// Of several signals that act when they are unblocked, the others are no request to
// hurry.
func TestDueSignalsAreOneRequest(t *testing.T) {
	w := watchSignals(t.Context(), func() {})
	defer w.stop()
	w.Set([]plan.Signal{hup, term})
	for _, s := range []plan.Signal{term, hup} {
		if !w.note(s) {
			t.Fatalf("%v is not deferred", s)
		}
	}
	w.Set(nil)
	if got := context.Cause(w.ctx); got != (signalError{syscall.SIGTERM}) {
		t.Errorf("got %v, want the first signal", got)
	}
	select {
	case <-w.hurry:
		t.Error("the second signal is taken for a request to hurry")
	default:
	}
}

// A signal that was sent before it is unblocked has acted when it is.
func TestUnblockedSignalHasActed(t *testing.T) {
	defer signal.Stop(catch(term)) // one that comes too late must not end the tests
	for range 20 {
		w := watchSignals(t.Context(), func() {})
		w.Set([]plan.Signal{term})
		send(t, term)
		w.Set(nil)
		if w.ctx.Err() == nil {
			t.Error("the run goes on")
		}
		w.stop()
	}
}

// A signal that was blocked until the end of the run does not kill a palhm that says how
// it went: if it did, the tests would end here.
func TestClearedSignalDoesNotKill(t *testing.T) {
	defer signal.Reset(syscall.Signal(term))
	w := watchSignals(t.Context(), func() {})
	w.Set([]plan.Signal{term})
	w.Clear()
	w.stop()
	send(t, term)
	marked := catch(plan.Signal(marker))
	defer signal.Stop(marked)
	send(t, plan.Signal(marker))
	<-marked // so term, which the kernel hands over first, has come before Reset
}

func catch(s plan.Signal) chan os.Signal {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.Signal(s))
	return c
}

// Whoever asks for the progress and does not read it makes palhm deaf to nothing.
func TestProgressThatNobodyReads(t *testing.T) {
	asked, read := make(chan struct{}), make(chan struct{})
	defer close(read)
	w := watchSignals(t.Context(), func() { close(asked); <-read })
	send(t, plan.Signal(syscall.SIGUSR1))
	<-asked
	send(t, term)
	select {
	case <-w.ctx.Done():
	case <-time.After(patience):
		t.Fatal("SIGTERM has not ended the run")
	}
	w.stop()
}
