// Package report is what a run has to tell: the copies it made, what was rotated,
// and what went less well than it should. It is pure data and its rendering.
package report

import "time"

// Run is the result of one "palhm run".
type Run struct {
	Task   string    `json:"task"`
	Start  time.Time `json:"start"`
	End    time.Time `json:"end"`
	Copies []Copy    `json:"copies,omitempty"` // committed by this run, in order
	// After lists what failed after the main work was safe: rotation, a notice.
	// A run that has any ends with exit code 4.
	After []string `json:"after,omitempty"`
	// Skipped is why the task had nothing to do; "" = it had.
	Skipped string `json:"skipped,omitempty"`
}

// Copy is a copy that was committed.
type Copy struct {
	Task     string        `json:"task"`
	Root     string        `json:"root"` // "" = the null backend, which keeps nothing
	Prefix   string        `json:"prefix"`
	Objects  int           `json:"objects"`
	Bytes    int64         `json:"bytes"`
	Duration time.Duration `json:"duration"`
	Removed  []Removed     `json:"removed,omitempty"`
}

// Removed is an old copy that rotation took away.
type Removed struct {
	Prefix string `json:"prefix"`
	Bytes  int64  `json:"bytes"`
	Reason string `json:"reason"`
}
