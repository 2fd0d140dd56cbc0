package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"palhm/runtime/engine"
	"palhm/runtime/plan"
	"palhm/runtime/proc"
	"palhm/runtime/report"
	"palhm/runtime/secret"
)

// Whatever a notice takes from a run, the values of secrets are not in it, and
// nothing that failed is left out.
func TestNoticeHidesSecretsAndTellsAll(t *testing.T) {
	secrets := new(secret.Seen)
	secrets.Add(&plan.Secret{Env: "PW"}, "hunter2")
	stage := func(i int, word string) *proc.StageError {
		return &proc.StageError{Index: i, Count: 3, Argv: []string{word, "hunter2"}, Code: 1, Want: "0", Stderr: []byte(word + " says hunter2\n")}
	}
	failed := &engine.Error{
		Task: "save", Object: "a", Note: "the note on hunter2",
		Err:    &proc.Error{Cause: stage(1, "cause"), Others: []*proc.StageError{stage(0, "first"), stage(2, "last")}},
		Others: []*engine.Error{{Task: "save", Object: "b", Err: errors.New("also hunter2")}},
	}
	small := &engine.Error{Task: "save", Object: "a", Err: &engine.SmallError{Got: 1, Min: 2, Stages: []proc.Result{
		{Argv: []string{"dump", "hunter2"}, Stderr: []byte("dump says hunter2\n")}, {Argv: []string{"silent"}},
	}}}
	for _, c := range []struct {
		err  error
		want []string
	}{
		{failed, []string{"after PW", "object a: stage 2 of 3 (cause PW)", "stage 1 of 3 (first PW)", "stage 3 of 3 (last PW)",
			"cause says PW", "first says PW", "last says PW", "object b: also PW", "the note on PW"}},
		{small, []string{"after PW", "got 1 bytes, want at least min_size 2", "stage 1 of 2 (dump PW)", "dump says PW"}},
		{errors.New("plain hunter2\nin two lines of hunter2"), []string{"plain PW", "in two lines of PW"}},
		{nil, []string{"after PW"}},
	} {
		run := &report.Run{Task: "save", After: []string{"after hunter2"}}
		body := aboutRun(&plan.Site{File: "site.star"}, run, exitCode(c.err), c.err, secrets).Body()
		text := strings.NewReplacer(`secret(env = "PW")`, "PW", `secret(env = \"PW\")`, "PW").Replace(body)
		for _, want := range c.want {
			if !strings.Contains(text, want) {
				t.Errorf("%v: %q is not in\n%s", c.err, want, text)
			}
		}
		if strings.Contains(body, "hunter2") || strings.Contains(body, "silent") {
			t.Errorf("%v: too much is in\n%s", c.err, body)
		}
		if run.After[0] != "after hunter2" {
			t.Error("the report of the run itself was changed")
		}
	}
}

// Whoever stops palhm waits for less than what runs by a clock: also when the signal
// comes while a notice is being sent.
func TestNoticeIsGivenUp(t *testing.T) {
	told := errors.New("told to stop")
	const long = time.Hour
	ended := func(limited context.Context, want string) {
		t.Helper()
		select {
		case <-limited.Done():
		case <-time.After(patience):
			t.Fatal("it goes on")
		}
		if got := context.Cause(limited).Error(); !strings.Contains(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	t.Run("too long", func(t *testing.T) {
		limited, done := limitNotice(t.Context(), nil, time.Millisecond, long)
		defer done()
		ended(limited, "longer than 1ms")
	})
	t.Run("stopped before", func(t *testing.T) {
		ctx, stop := context.WithCancelCause(t.Context())
		stop(told)
		limited, done := limitNotice(ctx, nil, long, time.Millisecond)
		defer done()
		ended(limited, "longer than 1ms")
	})
	t.Run("stopped meanwhile", func(t *testing.T) {
		ctx, stop := context.WithCancelCause(t.Context())
		limited, done := limitNotice(ctx, nil, long, time.Millisecond)
		defer done()
		if limited.Err() != nil {
			t.Fatal("it ends before it was asked to")
		}
		stop(told)
		ended(limited, "longer than 1ms")
	})
	t.Run("second signal", func(t *testing.T) {
		hurry := make(chan struct{})
		limited, done := limitNotice(t.Context(), hurry, long, long)
		defer done()
		close(hurry)
		ended(limited, "second signal")
	})
}

// README's limits hold, with what a mailer needs to end once it is given up.
func TestNoticeLimits(t *testing.T) {
	if noticeTime+windDown > 15*time.Minute || stoppedTime+windDown > 20*time.Second || noticeTime < 10*time.Minute {
		t.Errorf("got %v and %v, and %v to end", noticeTime, stoppedTime, windDown)
	}
}
