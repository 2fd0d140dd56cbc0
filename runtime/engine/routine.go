package engine

import (
	"context"
	"io"

	"palhm/runtime/plan"
)

// routine runs the steps of a routine one after the other; the first failure ends it.
func (r *run) routine(ctx context.Context, t *plan.Task, out *output) error {
	for i, s := range t.Routine.Steps {
		if err := r.step(ctx, s, out); err != nil {
			return &Error{Task: t.Name, Step: i + 1, Pos: s.Pos, Err: err}
		}
	}
	return nil
}

func (r *run) step(ctx context.Context, s plan.Step, out *output) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if s.Task != nil {
		return r.task(ctx, s.Task)
	}
	if s.DNSSEC != nil {
		return r.dnssec(ctx, s.DNSSEC)
	}
	p, err := r.start(ctx, s.Pipeline, out)
	if err != nil {
		return err
	}
	defer p.Close()
	last := s.Pipeline[len(s.Pipeline)-1]
	_, err = io.Copy(out.stdout(last.VerbosityStdout), p)
	return err
}
