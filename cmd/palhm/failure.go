package main

import (
	"errors"
	"fmt"
	"strings"

	"palhm/runtime/engine"
	"palhm/runtime/proc"
	"palhm/runtime/words"
)

const (
	shownStderr = 20  // last lines of a stage's stderr that an error shows
	shownLine   = 800 // bytes of each; a mail takes no more than 998 (RFC 5322, 2.1.1)
)

// failure is an error of a run as a log tells it: in lines for people, as an
// object in JSON.
type failure struct {
	Error  string         `json:"error"`
	Task   string         `json:"task,omitempty"`
	Object string         `json:"object,omitempty"`
	Step   int            `json:"step,omitempty"` // from 1
	Pos    string         `json:"pos,omitempty"`
	Stages []stageFailure `json:"stages,omitempty"` // the cause first, if it is a stage
	Said   []stageFailure `json:"said,omitempty"`   // stages that ended well and complained, of a result that is too small
	Others []failure      `json:"others,omitempty"` // objects that failed on their own at the same time
	Note   string         `json:"note,omitempty"`   // what became of the copy

	late bool // a time limit stopped the stages, and Error names none of them
}

// stageFailure is a stage that is not good.
type stageFailure struct {
	Error  string   `json:"error"`
	Stage  int      `json:"stage"` // from 1
	Argv   []string `json:"argv"`
	Exit   *int     `json:"exit,omitempty"`
	Signal string   `json:"signal,omitempty"`
	Stderr []string `json:"stderr,omitempty"` // its last lines
}

// newFailure takes an error apart.
func newFailure(err error) failure {
	f := failure{Error: err.Error()}
	// A routine's failure wraps that of the task that it ran: the innermost knows best.
	var e *engine.Error
	for inner := err; errors.As(inner, &e); inner = e.Err {
		f.Task, f.Object, f.Step, f.Note = e.Task, e.Object, e.Step, e.Note
		if e.Pos.File != "" {
			f.Pos = e.Pos.String()
		}
		for _, o := range e.Others {
			f.Others = append(f.Others, newFailure(o))
		}
	}
	var p *proc.Error
	if errors.As(err, &p) {
		_, timeout := errors.AsType[*engine.TimeoutError](p.Reason)
		f.late = timeout && p.Cause == nil
		if p.Cause != nil {
			f.Stages = append(f.Stages, newStageFailure(p.Cause))
		}
		for _, s := range p.Others {
			f.Stages = append(f.Stages, newStageFailure(s))
		}
	}
	if small, ok := errors.AsType[*engine.SmallError](err); ok {
		f.Said = whatWasSaid(small.Stages)
	}
	return f
}

// whatWasSaid are the stages of a result that is too small that have complained.
func whatWasSaid(stages []proc.Result) []stageFailure {
	var said []stageFailure
	for i, r := range stages {
		if len(r.Stderr) > 0 {
			said = append(said, stageFailure{Error: smallText(stages, i), Stage: i + 1, Argv: r.Argv, Stderr: lastLines(r.Stderr, shownStderr)})
		}
	}
	return said
}

// smallText says in a line what became of a stage of a result that is too small.
func smallText(stages []proc.Result, i int) string {
	return proc.StageName(stages[i].Argv, i, len(stages)) + ": it ended well, but the result is too small"
}

func newStageFailure(s *proc.StageError) stageFailure {
	f := stageFailure{Error: s.Error(), Stage: s.Index + 1, Argv: s.Argv, Stderr: lastLines(s.Stderr, shownStderr)}
	if s.Signal != 0 {
		f.Signal = proc.SignalName(s.Signal)
	} else if s.Code >= 0 {
		f.Exit = &s.Code
	}
	return f
}

// lastLines returns the last lines of what a process wrote, each safe to look at.
func lastLines(text []byte, most int) []string {
	lines := words.LastLines(text, most)
	for i, l := range lines {
		lines[i] = words.Shorten(words.Visible(l), shownLine)
	}
	return lines
}

// details gives what there is to say below the line of the error: what the stage
// at fault complained, the other stages, the other objects.
func (f failure) details() []string {
	_, rest, more := strings.Cut(f.Error, "\n")
	var lines []string
	if more {
		lines = strings.Split(rest, "\n")
	}
	for i, s := range f.Stages {
		switch {
		case f.late:
			lines = append(lines, "  "+s.Error)
		case i > 0:
			lines = append(lines, "  also "+s.Error)
		}
		for _, l := range s.Stderr {
			lines = append(lines, "  | "+l)
		}
	}
	for _, s := range f.Said {
		lines = append(lines, "  "+s.Error)
		for _, l := range s.Stderr {
			lines = append(lines, "  | "+l)
		}
	}
	for _, o := range f.Others {
		lines = append(lines, "  also "+firstLine(o.Error))
		for _, l := range o.details() {
			lines = append(lines, "  "+l)
		}
	}
	if f.Pos != "" {
		lines = append(lines, fmt.Sprintf("  declared at %s", f.Pos))
	}
	if f.Note != "" {
		lines = append(lines, "  "+f.Note)
	}
	return lines
}
