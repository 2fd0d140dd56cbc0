package engine

import (
	"context"
	"errors"
	"io"

	"palhm/runtime/plan"
)

// routine runs the steps of a routine one after the other; the first failure ends it.
func (r *run) routine(ctx context.Context, t *plan.Task, at *level) error {
	var given map[string]any
	if at.above == nil {
		given = r.Args
	}
	var err error
	if at.args, err = t.Routine.ArgValues(given); err != nil {
		return &Error{Task: t.Name, Pos: t.Pos, Err: err}
	}
	for i, s := range t.Routine.Steps {
		err := r.step(ctx, s, at)
		if skip, ok := errors.AsType[*plan.Skip](err); ok {
			r.Log.Info("nothing to do: "+skip.Msg, "task", t.Name)
			if at.above == nil {
				r.report.Skipped = skip.Msg
			}
			return nil
		}
		if err != nil {
			return &Error{Task: t.Name, Step: i + 1, Pos: s.Pos, Err: because(ctx, err)}
		}
	}
	return nil
}

func (r *run) step(ctx context.Context, s plan.Step, at *level) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case s.Call != nil:
		return r.function(ctx, s.Call, at)
	case s.Pipeline == nil:
		return r.do(ctx, s, at)
	}
	p, err := r.start(ctx, s.Pipeline, at.out, toShow)
	if err != nil {
		return err
	}
	defer p.Close()
	last := s.Pipeline[len(s.Pipeline)-1]
	_, err = io.Copy(at.out.stdout(last.VerbosityStdout), p)
	return err
}

// do does a step that is neither a pipeline nor a function.
func (r *run) do(ctx context.Context, s plan.Step, at *level) error {
	work := func() error {
		switch {
		case s.Task != nil:
			return r.task(ctx, s.Task, at)
		case s.DNSSEC != nil:
			return r.dnssec(ctx, s.DNSSEC)
		}
		return r.sigmask(ctx, *s.Sigmask)
	}
	if r.World != nil {
		return r.World.Step(ctx, s, r.report, work)
	}
	return work()
}
