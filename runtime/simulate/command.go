package simulate

import (
	"context"
	"fmt"
	"strings"

	"palhm/runtime/plan"
	"palhm/runtime/shell"
)

// stageError is why a pipeline failed, in the words of a real run.
type stageError struct {
	text   string
	short  string // without the command line
	result *plan.Result
}

func (e *stageError) Error() string { return e.text }

// pipeline plays a pipeline. The result is never nil; its Stdout is nil when no reply says
// what is printed.
func (p *player) pipeline(ctx context.Context, stages plan.Pipeline) (r *plan.Result, err error) {
	e := Event{Stages: make([]string, len(stages))}
	for i, x := range stages {
		e.Stages[i] = shell.Quote(x.Argv)
	}
	e.Text = strings.Join(e.Stages, joint)
	event := p.happen(e)
	defer func() { p.result(event, err) }()
	r, err = play(stages, e, p.answers(e))
	p.pass(r.Duration)
	if ctx.Err() != nil {
		return &plan.Result{Code: -1, Signal: "SIGTERM", Duration: r.Duration}, fmt.Errorf("stopped: %w", context.Cause(ctx))
	}
	return r, err
}

// play judges each stage as a run does. The first that is not good is the cause.
func play(stages plan.Pipeline, e Event, answers []Answer) (r *plan.Result, err error) {
	r = &plan.Result{}
	for i, x := range stages {
		s, why := judge(x, answers[i])
		if text := answers[i].Stdout; text != nil {
			r.Stdout = []byte(*text)
		}
		r.Stages = append(r.Stages, s)
		r.Stderr = append(r.Stderr, s.Stderr...)
		r.Duration = max(r.Duration, s.Duration)
		if err != nil {
			continue
		}
		r.Code, r.Signal = s.Code, s.Signal
		if !s.OK {
			command := shell.Brief(x.Argv)
			text, short := command+": "+why, why
			if len(stages) > 1 {
				text = fmt.Sprintf("stage %d of %d (%s): %s", i+1, len(stages), command, why)
				short = fmt.Sprintf("stage %d of %d: %s", i+1, len(stages), why)
			}
			err = &stageError{text, short, r}
		}
	}
	return r, err
}

// answers gives the answer for each stage of a pipeline. One for the whole pipeline is
// that of its last stage.
func (p *player) answers(e Event) []Answer {
	answers := make([]Answer, len(e.Stages))
	if len(e.Stages) > 1 {
		if a, found := p.reply(Event{Text: e.Text}); found {
			answers[len(answers)-1] = a
			return answers
		}
	}
	for i, s := range e.Stages {
		answers[i], _ = p.reply(Event{Text: s, Stages: []string{s}})
	}
	return answers
}

// judge says how a stage ended, and what is wrong with that.
func judge(x *plan.Exec, a Answer) (s plan.StageResult, why string) {
	s = plan.StageResult{Argv: x.Argv, Code: a.Code, Signal: a.Signal, Stderr: []byte(a.Stderr), Duration: a.Takes}
	if a.Signal != "" {
		s.Code = -1
	}
	switch {
	case x.Timeout > 0 && a.Takes > x.Timeout:
		s.Code, s.Signal, s.Duration = -1, "SIGTERM", x.Timeout
		return s, "timed out after " + x.Timeout.String()
	case a.Signal == "SIGPIPE" && !x.SIGPIPE:
		return s, "killed by SIGPIPE: its reader stopped early"
	case a.Signal != "" && a.Signal != "SIGPIPE":
		return s, "killed by " + a.Signal
	case a.Signal == "" && !x.ExitCodes.Good(a.Code):
		return s, fmt.Sprintf("exit code %d, want %s", a.Code, x.ExitCodes)
	}
	s.OK = true
	return s, ""
}

// capture cuts what a pipeline printed as a run does.
func capture(r *plan.Result, c plan.Capture) error {
	switch {
	case c == plan.CaptureNone:
		r.Stdout = nil
	case len(r.Stdout) <= plan.MaxCapture:
	case c == plan.CaptureTail:
		r.Stdout = r.Stdout[len(r.Stdout)-plan.MaxCapture:]
	default:
		r.Stdout = nil
		return plan.ErrCapture
	}
	return nil
}
