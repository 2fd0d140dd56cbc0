package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"palhm/runtime/plan"
	"palhm/runtime/proc"
)

// runPipeline runs a pipeline for a function and keeps what it prints.
func (c *call) runPipeline(ctx context.Context, stages plan.Pipeline, o plan.RunOptions) (*plan.Result, error) {
	if o.Stdin != nil {
		first := *stages[0]
		first.Stdin = o.Stdin
		stages = append(plan.Pipeline{&first}, stages[1:]...)
	}
	result := new(plan.Result)
	p, err := c.start(ctx, stages, c.at.out, toShow)
	if err != nil {
		return result, err
	}
	defer p.Close()
	kept := &capture{mode: o.Capture}
	if o.Capture == plan.CaptureNone {
		_, err = io.Copy(c.at.out.stdout(stages[len(stages)-1].VerbosityStdout), p)
	} else {
		_, err = io.Copy(kept, p)
	}
	if errors.Is(err, plan.ErrCapture) {
		err = fmt.Errorf("%s: %w", plan.Step{Pipeline: stages}.Text(proc.Quote), err)
	}
	p.Close()
	result.Stdout = kept.bytes()
	for _, r := range p.Results() {
		result.Stages = append(result.Stages, stageResult(r))
		result.Stderr = append(result.Stderr, r.Stderr...)
		result.Code = r.Code
	}
	return result, err
}

func stageResult(r proc.Result) plan.StageResult {
	s := plan.StageResult{Argv: r.Argv, Code: r.Code, Stderr: r.Stderr, Duration: r.Duration, OK: r.Err == nil}
	if r.Signal != 0 {
		s.Signal = proc.SignalName(r.Signal)
	}
	return s
}

// blamed returns how the stage ended that a failure is about: the one at fault, else the
// last that palhm has stopped.
func blamed(err error, stages []plan.StageResult) (code int, signal string) {
	if failed, ok := errors.AsType[*proc.StageError](err); ok {
		if failed.Signal != 0 {
			signal = proc.SignalName(failed.Signal)
		}
		return failed.Code, signal
	}
	for _, s := range slices.Backward(stages) {
		if !s.OK {
			return s.Code, s.Signal
		}
	}
	return -1, ""
}

// capture keeps what a pipeline prints, in memory.
type capture struct {
	mode plan.Capture
	buf  []byte
}

func (c *capture) Write(b []byte) (int, error) {
	room := plan.MaxCapture - len(c.buf)
	if c.mode != plan.CaptureTail && len(b) > room {
		c.buf = append(c.buf, b[:room]...)
		return room, plan.ErrCapture
	}
	if len(c.buf)+len(b) > 2*plan.MaxCapture {
		c.buf = append(c.buf[:0], c.bytes()...)
	}
	c.buf = append(c.buf, b...)
	return len(b), nil
}

func (c *capture) bytes() []byte { return c.buf[max(0, len(c.buf)-plan.MaxCapture):] }
