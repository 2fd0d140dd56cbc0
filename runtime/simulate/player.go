package simulate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"palhm/runtime/plan"
	"palhm/runtime/report"
)

// player plays one task.
type player struct {
	setup Setup
	stop  context.CancelCauseFunc

	mu        sync.Mutex
	now       time.Time
	out       *Outcome
	asked     []int // by reply
	dirs      int   // temporary ones that were asked for
	deadlines []*deadline
}

// deadline is a time limit by the simulated clock.
type deadline struct {
	at    time.Time
	after time.Duration
	what  string
	end   context.CancelCauseFunc
}

// limit is context.WithTimeout by the simulated clock; d = 0 is no limit. The caller calls
// release.
func (p *player) limit(ctx context.Context, d time.Duration, what string) (limited context.Context, release func()) {
	limited, cancel := context.WithCancelCause(ctx)
	if d <= 0 {
		return limited, func() { cancel(nil) }
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	dl := &deadline{p.now.Add(d), d, what, cancel}
	p.deadlines = append(p.deadlines, dl)
	return limited, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.deadlines = slices.DeleteFunc(p.deadlines, func(other *deadline) bool { return other == dl })
		cancel(nil)
	}
}

// pass lets time pass.
func (p *player) pass(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.now.Add(d)
	for _, dl := range p.deadlines {
		if p.now.After(dl.at) {
			dl.end(fmt.Errorf("%s timed out after %s", dl.what, dl.after))
		}
	}
}

// happen records an event, and returns its place in the outcome.
func (p *player) happen(e Event) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.out.Events) == maxEvents {
		p.stop(ErrRunaway)
		return maxEvents - 1
	}
	p.out.Events = append(p.out.Events, e)
	return len(p.out.Events) - 1
}

// result says how an event ended.
func (p *player) result(event int, err error) {
	text := "ok"
	if stage, ok := err.(*stageError); ok {
		text = stage.short
	} else if err != nil {
		text, _, _ = strings.Cut(err.Error(), "\n")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out.Events[event].Result = text
}

// reply finds the answer to an event.
func (p *player) reply(e Event) (a Answer, found bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, r := range p.setup.Replies {
		if !Match(r.Pattern, e) {
			continue
		}
		n := p.asked[i]
		p.asked[i]++
		if !r.InTurn {
			n = 0
		} else if n >= len(r.Answers) {
			p.out.Overused = append(p.out.Overused, e.Text)
			n = len(r.Answers) - 1
		}
		return r.Answers[n], true
	}
	return Answer{}, false
}

// task plays a task: the one that was asked for, or one below it.
func (p *player) task(ctx context.Context, t *plan.Task, args map[string]any) error {
	ctx, release := p.limit(ctx, t.Timeout, "task "+t.Name)
	defer release()
	if t.Backup != nil {
		return p.backup(ctx, t)
	}
	return p.routine(ctx, t, args)
}

// below plays a task that another one runs, unless there is a reply for it.
func (p *player) below(ctx context.Context, t *plan.Task) (warnings []string, err error) {
	e := Event{Kind: Task, Text: string(Task) + ":" + t.Name}
	event := p.happen(e)
	defer func() { p.result(event, err) }()
	a, found := p.reply(e)
	if !found {
		return nil, p.task(ctx, t, nil)
	}
	p.pass(a.Takes)
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("stopped: %w", context.Cause(ctx))
	case a.Code == report.ExitAfter:
		return []string{p.after(t, firstOf(a.Stderr, "something after its main work failed"))}, nil
	case a.Code != report.ExitOK:
		return nil, fmt.Errorf("task %s: %s", t.Name, firstOf(a.Stderr, fmt.Sprintf("failed with exit code %d", a.Code)))
	}
	return nil, nil
}

func firstOf(text, fallback string) string {
	if text = strings.TrimRight(text, "\n"); text == "" {
		return fallback
	}
	return text
}

// after records what failed when the main work of a task was safe.
func (p *player) after(t *plan.Task, msg string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	msg = t.Name + ": " + msg
	p.out.Warnings = append(p.out.Warnings, msg)
	p.out.After++
	return msg
}

func (p *player) routine(ctx context.Context, t *plan.Task, given map[string]any) error {
	args, err := t.Routine.ArgValues(given)
	if err != nil {
		return fmt.Errorf("task %s: %w", t.Name, err)
	}
	for i, s := range t.Routine.Steps {
		err := p.step(ctx, s, args)
		if skip, ok := errors.AsType[*plan.Skip](err); ok {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.out.Skipped = skip.Msg
			return nil
		}
		if err != nil {
			return fmt.Errorf("task %s: step %d: %w", t.Name, i+1, err)
		}
	}
	return nil
}

func (p *player) step(ctx context.Context, s plan.Step, args map[string]any) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case s.Task != nil:
		_, err := p.below(ctx, s.Task)
		return err
	case s.Call != nil:
		return s.Call.Func.Run(ctx, &world{p, args})
	case s.Sigmask != nil:
		p.sigmask(*s.Sigmask)
		return nil
	case s.DNSSEC != nil:
		return p.dnssec(ctx, s.DNSSEC)
	}
	_, err := p.pipeline(ctx, s.Pipeline)
	return err
}

func (p *player) sigmask(m plan.Sigmask) {
	for _, change := range []struct {
		verb    string
		signals []plan.Signal
	}{{"block", m.Block}, {"unblock", m.Unblock}} {
		if len(change.signals) == 0 {
			continue
		}
		text := string(Sigmask) + ":" + change.verb
		for _, s := range change.signals {
			text += " " + s.String()
		}
		p.result(p.happen(Event{Kind: Sigmask, Text: text}), nil)
	}
}

func (p *player) dnssec(ctx context.Context, d *plan.DNSSECCheck) (err error) {
	e := Event{Kind: DNSSEC, Text: string(DNSSEC) + ":" + d.Name}
	event := p.happen(e)
	defer func() { p.result(event, err) }()
	a, _ := p.reply(e)
	p.pass(a.Takes)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("stopped: %w", context.Cause(ctx))
	case a.Code != report.ExitOK:
		return fmt.Errorf("%s: %s", d.Name, firstOf(a.Stderr, "the check failed"))
	}
	return nil
}
