// Package rotate decides which copies go. It is a pure function: copies and limits
// in, decisions and their reasons out.
package rotate

import (
	"time"

	"palhm/backends"
	"palhm/runtime/plan"
)

// Query is what the decision depends on besides the copies.
type Query struct {
	Host   string
	Task   string
	Now    time.Time
	Limits plan.Limits
}

// Verdict is what becomes of a copy.
type Verdict string

// The verdicts.
const (
	Keep   Verdict = "keep"
	Remove Verdict = "remove"
	Ignore Verdict = "ignore" // neither counted nor removed
)

// Decision is the verdict on one copy.
type Decision struct {
	Copy    backends.Info
	Verdict Verdict
	Reason  string // for a person
}

// Result is the verdict on every copy, the oldest first, and what the
// administrator should know besides.
type Result struct {
	Decisions []Decision
	Notices   []string // each makes the run end with exit code 4
}

// Select decides.
func Select(copies []backends.Info, q Query) Result { panic("to be written") }
