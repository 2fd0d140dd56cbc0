package plan

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Sigmask is a step that blocks signals for what follows in the task, or unblocks
// them again. Both lists together are not empty.
type Sigmask struct {
	Block   []Signal `json:"block,omitempty"`
	Unblock []Signal `json:"unblock,omitempty"`
}

// Signal is a signal that can be blocked.
type Signal syscall.Signal

// String gives the name: "SIGTERM", or the number of one without a name.
func (s Signal) String() string {
	if name := unix.SignalName(syscall.Signal(s)); name != "" {
		return name
	}
	return strconv.Itoa(int(s))
}

// MarshalText makes a signal its name in JSON.
func (s Signal) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// maxSignal is the last number of a signal, SIGRTMAX of signal(7).
const maxSignal = 64

// ErrNoSignal is what is wrong with a text that names no signal.
var ErrNoSignal = errors.New(`want the name of a signal, such as "TERM", or its number`)

// ParseSignal reads a name with or without SIG, in any case, or a number. SIGKILL
// and SIGSTOP cannot be blocked (signal(7)) and are refused.
func ParseSignal(text string) (Signal, error) {
	name := strings.ToUpper(text)
	if n, err := strconv.Atoi(name); err == nil {
		if n < 1 || n > maxSignal {
			return 0, fmt.Errorf("got signal %d, want 1 to %d", n, maxSignal)
		}
		return blockable(Signal(n))
	}
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	if n := unix.SignalNum(name); n != 0 {
		return blockable(Signal(n))
	}
	return 0, fmt.Errorf("got %q, %w", text, ErrNoSignal)
}

func blockable(s Signal) (Signal, error) {
	if s == Signal(syscall.SIGKILL) || s == Signal(syscall.SIGSTOP) {
		return 0, fmt.Errorf("%v cannot be blocked", s)
	}
	return s, nil
}

// SignalNames lists the names of the signals that can be blocked, without SIG, in the
// order of their numbers.
func SignalNames() []string {
	var names []string
	for n := 1; n <= maxSignal; n++ {
		name, ok := strings.CutPrefix(unix.SignalName(syscall.Signal(n)), "SIG")
		if _, err := blockable(Signal(n)); ok && err == nil {
			names = append(names, name)
		}
	}
	return names
}
