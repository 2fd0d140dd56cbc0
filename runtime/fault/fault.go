// Package fault turns a panic into an error: a mistake in palhm costs what was being
// done, and neither the rest nor the word on it.
package fault

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// Error is a panic that was caught.
type Error struct {
	Value any    // that panic was given
	Stack []byte // of the goroutine
}

func (e *Error) Error() string {
	return fmt.Sprintf("internal error: %v; this is a fault of palhm, please report it with what -v shows", e.Value)
}

// Catch is deferred by the function whose panic is to become *err. A function that does
// not panic keeps its own. A panic with an *Error, as of one that another goroutine has
// caught, becomes that.
func Catch(err *error) {
	p := recover()
	if e, ok := p.(*Error); ok {
		*err = e
	} else if p != nil {
		*err = &Error{Value: p, Stack: debug.Stack()}
	}
}

// Stack is where the panic in err was, or nil when err has none.
func Stack(err error) []byte {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Stack
	}
	return nil
}
