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
// SIGHUP and SIGINT that were ignored when palhm started, as nohup(1) does, stay
// ignored. SIGPIPE is caught so that a reader of palhm's output who goes away does
// not kill a backup half way: the write fails, and that is all.
func watchSignals(parent context.Context, onUser func()) (ctx context.Context, hurry <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGPIPE)
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	hurryUp, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		stopping := 0
		for s := range signals {
			switch s {
			case syscall.SIGUSR1:
				onUser()
			case syscall.SIGPIPE:
			default:
				stopping++
				cancel(signalError{s.(syscall.Signal)})
				if stopping == 2 {
					close(hurryUp)
				}
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
