package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"palhm/runtime/plan"
	"palhm/runtime/proc"
)

// Error says which part of a task failed.
type Error struct {
	Task   string
	Object string   // path of the object that failed, or ""
	Group  string   // whose objects could not be listed, or ""
	Step   int      // number of the step that failed, from 1, or 0
	Pos    plan.Pos // where the part was declared
	Err    error
	Others []*Error // objects that failed on their own at the same time, or that a time limit stopped too
	Note   string   // what became of the copy, or ""
}

// Error is one line; the failing stage's stderr is not in it.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "task %s: ", e.Task)
	switch {
	case e.Object != "":
		fmt.Fprintf(&b, "object %s: ", e.Object)
	case e.Group != "":
		fmt.Fprintf(&b, "group %s: ", e.Group)
	case e.Step > 0:
		fmt.Fprintf(&b, "step %d: ", e.Step)
	}
	b.WriteString(e.Err.Error())
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// SmallError says that an object is smaller than the site allows. All of its stages
// ended well: what they complained is the only word on why.
type SmallError struct {
	Got, Min int64         // bytes
	Stages   []proc.Result // in their order
}

func (e *SmallError) Error() string {
	if e.Got == 0 && e.Min == 1 {
		return "got nothing on stdout, want at least 1 byte: has a stage written to a file in place of stdout? min_size = 0 allows an empty object"
	}
	return fmt.Sprintf("got %d bytes, want at least min_size %d", e.Got, e.Min)
}

// TimeoutError says that the time that a site allows was up.
type TimeoutError struct {
	What  string // "task backup", "object root.tar.zst"
	After time.Duration
}

func (e *TimeoutError) Error() string { return fmt.Sprintf("%s timed out after %s", e.What, e.After) }

// Timeout makes the error a timeout for whoever asks with net.Error's method.
func (e *TimeoutError) Timeout() bool { return true }

func isTimeout(err error) bool {
	_, ok := errors.AsType[*TimeoutError](err)
	return ok
}

// errSibling is the cause with which the running objects are stopped when another
// object of their backup has failed.
var errSibling = errors.New("another object of the backup failed")

// because adds to an error why ctx has ended, if it has and the error does not say so:
// what has failed by itself in that moment does not hide that a signal or a time limit
// ended the run. An object that another one stopped keeps its own error.
func because(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	if err == nil || cause == nil || cause == errSibling || errors.Is(err, cause) {
		return err
	}
	return fmt.Errorf("stopped: %w; before that: %w", cause, err)
}
