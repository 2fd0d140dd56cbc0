package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// watchSignals returns a context that ends with a signalError when a signal asks
// palhm to stop, and a channel that is closed by the second such signal. onUser is
// called for each SIGUSR1. The caller calls stop once.
//
// A third signal has its default action: it ends what can no longer end by itself,
// such as a palhm whose output nobody reads. The next run on the root cleans up.
//
// SIGHUP and SIGINT that were ignored when palhm started, as nohup(1) does, stay
// ignored.
func watchSignals(parent context.Context, onUser func()) (ctx context.Context, hurry <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGUSR1)
	var caught []os.Signal
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
			caught = append(caught, s)
		}
	}
	hurryUp, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		stopping := 0
		for s := range signals {
			if s == syscall.SIGUSR1 {
				onUser()
				continue
			}
			stopping++
			cancel(signalError{s.(syscall.Signal)})
			if stopping == 2 {
				close(hurryUp)
				signal.Reset(caught...)
			}
		}
	}()
	return ctx, hurryUp, func() {
		signal.Stop(signals)
		close(signals)
		<-done
		cancel(nil)
	}
}

// surviveSIGPIPE keeps a reader of palhm's output who goes away from killing a
// backup half way, until the process ends: the write fails, and that is all. The
// processes that palhm starts are killed by SIGPIPE as ever.
func surviveSIGPIPE() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }
