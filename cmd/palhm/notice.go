package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"palhm/backends/mail"
	"palhm/runtime/engine"
	"palhm/runtime/plan"
	"palhm/runtime/proc"
	"palhm/runtime/report"
	"palhm/runtime/secret"
)

const (
	// noticeTime is how long a notice may be under way. The answer of a mail server to a
	// whole message may take ten minutes (RFC 5321, 4.5.3.2.6).
	noticeTime = 15*time.Minute - windDown
	// stoppedTime is how much of that is left when palhm was told to stop.
	stoppedTime = 20*time.Second - windDown
	// windDown is what a mailer may need to end when it is given up: a program has a
	// grace period.
	windDown = 8 * time.Second

	noticeStderr = 200 // lines of a process in a notice
)

// notify sends the notice that the site asks for after a run. What fails is recorded
// in the report of the run, which is then not all well.
func (a *app) notify(ctx context.Context, e *engine.Engine, site *plan.Site, r *report.Run, err error) {
	exit := newSummary(r, err).Exit
	n := noticeFor(site.Settings, exit)
	if n == nil {
		return
	}
	limited, done := limitNotice(ctx, e.Hurry, noticeTime, stoppedTime)
	defer done()
	about := aboutRun(site, r, exit, err, e.Secrets)
	message := mail.Message{To: n.To, Subject: about.Subject(n.Subject), Body: about.Body()}
	if err := a.send(limited, n.MUA, message); err != nil {
		r.After = append(r.After, "notice: "+err.Error())
	}
}

// limitNotice returns a context for a notice about the run of ctx. It ends when all has
// passed, when stopped has passed since palhm was told to stop, by ctx, and at a second
// signal, which closes hurry. The signal that has ended the run must not keep the news
// of that from anybody. The caller calls done.
func limitNotice(ctx context.Context, hurry <-chan struct{}, all, stopped time.Duration) (limited context.Context, done func()) {
	limited, giveUp := context.WithCancelCause(context.WithoutCancel(ctx))
	go func() {
		limit, passed, told := all, time.After(all), ctx.Done()
		for {
			select {
			case <-told:
				limit, passed, told = stopped, time.After(stopped), nil
				continue
			case <-passed:
				giveUp(fmt.Errorf("it took longer than %s", limit))
			case <-hurry:
				giveUp(errors.New("given up after a second signal"))
			case <-limited.Done():
			}
			return
		}
	}()
	return limited, func() { giveUp(nil) }
}

// noticeFor is the notice about a run with that exit code, or nil. Whoever presses
// ^C knows that the run has ended.
func noticeFor(s plan.Settings, exit int) *plan.Notice {
	switch exit {
	case exitOK:
		return s.OnSuccess
	case exitSignal + int(syscall.SIGINT):
		return nil
	}
	return s.OnFailure
}

// aboutRun gathers what a notice says. The values of secrets that were read are not
// in it, also where a process has complained with one.
func aboutRun(site *plan.Site, r *report.Run, exit int, err error, secrets *secret.Seen) *report.Notice {
	run := *r
	run.After = hideAll(secrets, r.After)
	n := &report.Notice{Host: hostName(site), Site: site.File, Run: &run, Exit: exit}
	if err == nil {
		return n
	}
	f := newFailure(err)
	n.Error, n.Pos, n.Note = secrets.Hide(f.Error), f.Pos, secrets.Hide(f.Note)
	for _, o := range f.Others {
		n.Also = append(n.Also, secrets.Hide(firstLine(o.Error)))
	}
	if p, ok := errors.AsType[*proc.Error](err); ok {
		if p.Cause != nil {
			n.Stages = append(n.Stages, aboutStage(p.Cause.Error(), p.Cause.Stderr, secrets))
		}
		for _, s := range p.Others {
			n.Stages = append(n.Stages, aboutStage(s.Error(), s.Stderr, secrets))
		}
	}
	if small, ok := errors.AsType[*engine.SmallError](err); ok {
		for i, r := range small.Stages {
			if len(r.Stderr) > 0 {
				n.Stages = append(n.Stages, aboutStage(smallText(small.Stages, i), r.Stderr, secrets))
			}
		}
	}
	return n
}

func aboutStage(text string, stderr []byte, secrets *secret.Seen) report.Stage {
	hidden := []byte(secrets.Hide(string(stderr)))
	return report.Stage{Error: secrets.Hide(text), Stderr: lastLines(hidden, noticeStderr)}
}

func hideAll(secrets *secret.Seen, texts []string) []string {
	hidden := make([]string, len(texts))
	for i, text := range texts {
		hidden[i] = secrets.Hide(text)
	}
	return hidden
}
