package fault_test

import (
	"strings"
	"testing"

	"palhm/runtime/fault"
)

func caught(f func()) (err error) {
	defer fault.Catch(&err)
	f()
	return nil
}

// A panic that goes on in another goroutine keeps the stack of its own.
func TestCatch(t *testing.T) {
	if err := caught(func() {}); err != nil {
		t.Errorf("got %v", err)
	}
	first := caught(mistake)
	again := caught(func() { panic(first) })
	if again != first || !strings.Contains(string(fault.Stack(again)), "mistake") {
		t.Errorf("got %v, want the first error, with its stack:\n%s", again, fault.Stack(again))
	}
}

func mistake() { panic("x") }
