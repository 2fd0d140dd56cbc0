package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"palhm/runtime/plan"
)

// fakeMask writes down what the engine asks for.
type fakeMask struct {
	calls []string
	onSet func()
}

func (m *fakeMask) Clear() { m.calls = append(m.calls, "clear") }
func (m *fakeMask) Set(signals []plan.Signal) {
	m.calls = append(m.calls, fmt.Sprint(signals))
	if m.onSet != nil {
		m.onSet()
	}
}

func block(list ...syscall.Signal) plan.Step {
	return plan.Step{Sigmask: &plan.Sigmask{Block: signals(list)}}
}

func unblock(list ...syscall.Signal) plan.Step {
	return plan.Step{Sigmask: &plan.Sigmask{Unblock: signals(list)}}
}

func signals(list []syscall.Signal) []plan.Signal {
	var all []plan.Signal
	for _, s := range list {
		all = append(all, plan.Signal(s))
	}
	return all
}

var showMask = &plan.Exec{Argv: []string{"awk", "/SigBlk/ { print $2 }", "/proc/self/status"}}

// The mask is that of the whole run, with the tasks in it, and of no other run.
func TestMaskEndsWithTheRun(t *testing.T) {
	f := newFixture(t)
	m := new(fakeMask)
	f.Mask = m
	inner := routineTask(unblock(syscall.SIGHUP), block(syscall.SIGINT))
	for range 2 {
		if err := f.run(t, routineTask(step(showMask), block(syscall.SIGTERM, syscall.SIGHUP), plan.Step{Task: inner}, step(showMask))); err != nil {
			t.Fatal(err)
		}
	}
	want := "[SIGHUP SIGTERM] [SIGTERM] [SIGINT SIGTERM] clear"
	if got := strings.Join(m.calls, " "); got != want+" "+want {
		t.Errorf("got %s, want twice %s", got, want)
	}
	masks := "0000000000000000\n0000000000004002\n"
	if got := f.stdout.String(); got != masks+masks {
		t.Errorf("got the masks %q, want twice %q", got, masks)
	}
}

// A signal that acts when it is unblocked ends the run, even in its last step.
func TestUnblockedSignalEndsTheRun(t *testing.T) {
	f := newFixture(t)
	asked := errors.New("asked to end")
	ctx, cancel := context.WithCancelCause(t.Context())
	m := new(fakeMask)
	m.onSet = func() {
		if len(m.calls) == 2 {
			cancel(asked)
		}
	}
	f.Mask = m
	_, err := f.Run(ctx, new(plan.Site), routineTask(block(syscall.SIGTERM), unblock(syscall.SIGTERM)))
	if !errors.Is(err, asked) {
		t.Errorf("got %v, want the cause", err)
	}
	if got := m.calls[len(m.calls)-1]; got != "clear" {
		t.Errorf("got %s last, want clear: a failed run has no mask either", got)
	}
}
