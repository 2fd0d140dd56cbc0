// Package player plays the tasks of a site for its tests: the engine runs them, in a world
// in which commands, checks and tasks answer as the test says. Nothing is started, read or
// written, and the clock stands still unless the task waits.
package player

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"syscall"

	"palhm/runtime/engine"
	"palhm/runtime/plan"
	"palhm/runtime/proc"
	"palhm/runtime/report"
	"palhm/runtime/secret"
	"palhm/runtime/shell"
	"palhm/runtime/simulate"
)

// Player plays tasks. The zero value is ready; its methods may be called concurrently.
type Player struct{}

// Play plays a task. The outcome is never nil. The error is the cause of ctx, when that
// ended the simulation, or simulate.ErrRunaway; whatever becomes of the task itself is in
// the outcome.
func (Player) Play(ctx context.Context, site *plan.Site, task *plan.Task, s simulate.Setup) (*simulate.Outcome, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	w := &world{
		clock: clock{all: ctx, now: s.Now}, files: newFiles(s.Files), setup: s, stop: stop,
		stores: map[string]*store{}, out: &simulate.Outcome{Task: task.Name}, asked: make([]int, len(s.Replies)),
	}
	e := engine.Engine{
		Open: w.open, Log: slog.New(slog.DiscardHandler), Host: cmp.Or(s.Host, "localhost"), Args: s.Args,
		Now: w.Now, Sleep: w.Sleep, Limit: w.Limit, World: w,
	}
	r, err := e.Run(ctx, site, task)
	out := w.out
	out.Err, out.Skipped, out.End = err, r.Skipped, w.Now()
	out.Warnings = append(out.Warnings, r.After...)
	switch {
	case err != nil:
		out.Exit = report.ExitFailed
	case len(r.After) > 0:
		out.Exit = report.ExitAfter
	}
	for i, reply := range s.Replies {
		if w.asked[i] < len(reply.Answers) {
			out.Unused = append(out.Unused, simulate.Unused{Pattern: reply.Pattern, Answers: len(reply.Answers), Asked: w.asked[i]})
		}
	}
	return out, context.Cause(ctx)
}

// world is where one task is played. The engine does one thing at a time in it.
type world struct {
	clock
	*files
	setup  simulate.Setup
	stop   context.CancelCauseFunc
	stores map[string]*store // by root
	out    *simulate.Outcome
	asked  []int // by reply
}

var _ engine.World = (*world)(nil)

const maxEvents = 100_000

// happen records an event, and returns how to say how it ended.
func (w *world) happen(kind simulate.Kind, text string, stages ...string) (e simulate.Event, ended func(error)) {
	e = simulate.Event{Kind: kind, Text: text, Stages: stages}
	i := len(w.out.Events)
	if i == maxEvents {
		w.stop(simulate.ErrRunaway)
		return e, func(error) {}
	}
	w.out.Events = append(w.out.Events, e)
	return e, func(err error) {
		w.out.Events[i].Result = "ok"
		if err != nil {
			w.out.Events[i].Result, _, _ = strings.Cut(err.Error(), "\n")
		}
	}
}

// reply finds the answer to an event.
func (w *world) reply(e simulate.Event) (a simulate.Answer, found bool) {
	for i, r := range w.setup.Replies {
		if !simulate.Match(r.Pattern, e) {
			continue
		}
		n := w.asked[i]
		w.asked[i]++
		if !r.InTurn {
			n = 0
		} else if n >= len(r.Answers) {
			w.out.Overused = append(w.out.Overused, e.Text)
			n = len(r.Answers) - 1
		}
		return r.Answers[n], true
	}
	return simulate.Answer{}, false
}

// Start plays a pipeline.
func (w *world) Start(ctx context.Context, cmds []proc.Command) (engine.Process, error) {
	stages := make([]string, len(cmds))
	for i, c := range cmds {
		stages[i] = shell.Quote(c.Argv)
	}
	e, ended := w.happen(simulate.Command, strings.Join(stages, simulate.Joint), stages...)
	p, err := proc.Play(ctx, cmds, w.endings(e), w)
	if err != nil {
		ended(err)
		return nil, err
	}
	ended(p.Err)
	return p, nil
}

// endings gives the ending of each stage of a pipeline. A reply to the whole pipeline is
// that of its last stage.
func (w *world) endings(e simulate.Event) []proc.Ending {
	list := make([]proc.Ending, len(e.Stages))
	if len(e.Stages) > 1 {
		if a, found := w.reply(simulate.Event{Text: e.Text}); found {
			list[len(list)-1] = ending(a)
			return list
		}
	}
	for i, s := range e.Stages {
		a, _ := w.reply(simulate.Event{Text: s, Stages: []string{s}})
		list[i] = ending(a)
	}
	return list
}

func ending(a simulate.Answer) proc.Ending {
	e := proc.Ending{Code: a.Code, Signal: syscall.Signal(a.Signal), Stderr: []byte(a.Stderr), After: a.Takes}
	if a.Stdout != nil {
		e.Stdout = []byte(*a.Stdout)
	}
	return e
}

// Step plays what is no pipeline: a task by its steps, unless there is a reply for it.
func (w *world) Step(ctx context.Context, s plan.Step, r *report.Run, work func() error) (err error) {
	kind, name := simulate.Task, ""
	switch {
	case s.Sigmask != nil:
		w.sigmask("block", s.Sigmask.Block)
		w.sigmask("unblock", s.Sigmask.Unblock)
		return work()
	case s.DNSSEC != nil:
		kind, name = simulate.DNSSEC, s.DNSSEC.Name
	default:
		name = s.Task.Name
	}
	e, ended := w.happen(kind, string(kind)+":"+name)
	defer func() { ended(err) }()
	a, found := w.reply(e)
	if !found && s.Task != nil {
		return work()
	}
	if err := w.Sleep(ctx, a.Takes); err != nil {
		return fmt.Errorf("stopped: %w", err)
	}
	why := strings.TrimRight(a.Stderr, "\n")
	switch {
	case a.Code == report.ExitOK:
		return nil
	case s.DNSSEC != nil:
		return fmt.Errorf("%s: %s", name, cmp.Or(why, "the check failed"))
	case a.Code == report.ExitAfter:
		r.After = append(r.After, name+": "+cmp.Or(why, "something after its main work failed"))
		return nil
	}
	why = cmp.Or(why, fmt.Sprintf("failed with exit code %d", a.Code))
	return &engine.Error{Task: name, Pos: s.Task.Pos, Err: &complaint{why, &proc.StageError{Code: -1, Stderr: []byte(a.Stderr)}}}
}

// complaint is why a task fails that a reply stands in for. As after a real one, its
// stderr is that of a stage.
type complaint struct {
	text  string
	stage *proc.StageError
}

func (c *complaint) Error() string { return c.text }
func (c *complaint) Unwrap() error { return c.stage }

func (w *world) sigmask(verb string, signals []plan.Signal) {
	if len(signals) == 0 {
		return
	}
	text := string(simulate.Sigmask) + ":" + verb
	for _, s := range signals {
		text += " " + s.String()
	}
	_, ended := w.happen(simulate.Sigmask, text)
	ended(nil)
}

// Secret gives a secret of the test's environment. All others have some value.
func (w *world) Secret(s *plan.Secret) ([]byte, error) {
	v, given := w.setup.Env[s.Env]
	switch {
	case !given:
		return []byte(s.String()), nil
	case v == nil:
		return secret.Read(context.Background(), s, nil)
	}
	return secret.Read(context.Background(), s, []string{s.Env + "=" + *v})
}

// Said keeps what a function says.
func (w *world) Said(level plan.LogLevel, msg string) {
	if level == plan.LogWarn {
		w.out.Warnings = append(w.out.Warnings, msg)
	} else {
		w.out.Log = append(w.out.Log, msg)
	}
}
