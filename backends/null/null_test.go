package null_test

import (
	"testing"

	"palhm/backends"
	"palhm/backends/backendtest"
	"palhm/backends/null"
)

func TestContract(t *testing.T) {
	backendtest.Run(t, backendtest.Config{
		New:      func(testing.TB) backends.Store { return null.Store{} },
		Discards: true,
	})
}

// A store without a lock never makes a second rehearsal wait.
func TestNoLock(t *testing.T) {
	if _, ok := any(null.Store{}).(backends.Locker); ok {
		t.Error("null has a lock, want none")
	}
}
