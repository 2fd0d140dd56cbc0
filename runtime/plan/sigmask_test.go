package plan_test

import (
	"syscall"
	"testing"

	"palhm/runtime/plan"
)

func TestParseSignal(t *testing.T) {
	for text, want := range map[string]plan.Signal{
		"TERM": 15, "SIGTERM": 15, "term": 15, "SigInt": 2, "1": 1, "64": 64, "34": 34, "usr1": plan.Signal(syscall.SIGUSR1),
	} {
		if got, err := plan.ParseSignal(text); err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "SIG", "SIGSIGTERM", "TREM", "0", "65", "-1", "99999999999999999999", "KILL", "sigstop", "9", "TERM\n", "TERM\x00"} {
		if got, err := plan.ParseSignal(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

// Every name that is offered is one that can be given.
func TestSignalNames(t *testing.T) {
	names := plan.SignalNames()
	if len(names) < 29 {
		t.Errorf("got only %v", names)
	}
	for _, name := range names {
		s, err := plan.ParseSignal(name)
		if err != nil || s.String() != "SIG"+name {
			t.Errorf("%s: got %v, %v", name, s, err)
		}
	}
}
