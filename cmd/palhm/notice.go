package main

import (
	"context"
	"errors"
	"fmt"
	"os"
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
	noticeTime   = 90 * time.Second // that a notice may take
	stoppedTime  = 20 * time.Second // the same when palhm was told to stop
	noticeStderr = 200              // lines of a process in a notice
)

// notify sends the notice that the site asks for after a run. What fails is recorded
// in the report of the run, which is then not all well.
func (a *app) notify(ctx context.Context, e *engine.Engine, site *plan.Site, r *report.Run, err error) {
	exit := newSummary(r, err).Exit
	n := noticeFor(site.Settings, exit)
	if n == nil {
		return
	}
	limit := noticeLimit(ctx)
	// The signal that has ended the run must not keep the news of that from anybody.
	limited, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), limit, fmt.Errorf("it took longer than %s", limit))
	defer cancel()
	limited, giveUp := context.WithCancelCause(limited)
	defer giveUp(nil)
	go func() {
		select {
		case <-e.Hurry:
			giveUp(errors.New("given up after a second signal"))
		case <-limited.Done():
		}
	}()
	about := aboutRun(site, r, exit, err, e.Secrets)
	message := mail.Message{To: n.To, Subject: about.Subject(n.Subject), Body: about.Body()}
	if err := a.send(limited, n.MUA, message); err != nil {
		r.After = append(r.After, "notice: "+err.Error())
	}
}

// noticeLimit is how long a notice may take about the run of ctx.
func noticeLimit(ctx context.Context) time.Duration {
	if ctx.Err() != nil {
		return stoppedTime
	}
	return noticeTime
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
	host, _ := os.Hostname() // loading a site has already asked for it
	run := *r
	run.After = hideAll(secrets, r.After)
	n := &report.Notice{Host: host, Site: site.File, Run: &run, Exit: exit}
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
