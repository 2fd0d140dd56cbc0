package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"palhm/backends"
	"palhm/runtime/fault"
	"palhm/runtime/plan"
	"palhm/runtime/report"
	"palhm/runtime/rotate"
)

// backup makes one copy. outer is the caller's context: rotation, which comes when
// the copy is safe, has no part in the task's own time limit.
func (r *run) backup(outer, ctx context.Context, t *plan.Task, at *level) error {
	backend := t.Backup.Backends[0]
	fail := func(err error) error { return &Error{Task: t.Name, Pos: t.Pos, Err: because(ctx, err)} }
	store, err := r.Open(backend)
	if err != nil {
		return fail(err)
	}
	release, err := r.lock(ctx, store, t.Name)
	if err != nil {
		return fail(err)
	}
	defer func() {
		if err := release(); err != nil {
			r.after(t, err.Error())
		}
	}()
	recoverErr := store.Recover(ctx)
	if ctx.Err() != nil {
		return fail(context.Cause(ctx))
	}
	c, err := r.begin(ctx, store, t)
	if err != nil {
		return fail(err) // what kept Recover from its work is most likely the same
	}
	if recoverErr != nil {
		r.after(t, fmt.Sprintf("remove what an earlier run left: %v", recoverErr))
	}
	done, err := r.fill(ctx, c, t, at)
	if err != nil {
		return err
	}
	r.report.Copies = append(r.report.Copies, done)
	copied := &r.report.Copies[len(r.report.Copies)-1] // nobody appends before this ends
	if backend.Kind == "null" {
		return nil
	}
	return r.follow(outer, store, t, copied)
}

// follow does what comes after a copy that is safe, and which none of it may call lost.
func (r *run) follow(ctx context.Context, store backends.Store, t *plan.Task, done *report.Copy) (err error) {
	var caught error
	defer func() {
		if caught != nil {
			r.Log.Debug(string(fault.Stack(caught)), "task", t.Name)
			r.after(t, caught.Error())
		}
	}()
	defer fault.Catch(&caught)
	if err := r.finish(ctx, store, done.Prefix); err != nil {
		r.after(t, err.Error())
	}
	return r.rotate(ctx, store, t, done)
}

// finish does what is left to do on a copy that is safe, and on earlier ones; prefix
// "" means only those. The end of ctx is no failure of it: whoever calls it looks.
func (e *Engine) finish(ctx context.Context, store backends.Store, prefix string) error {
	f, ok := store.(backends.Finisher)
	if !ok {
		return nil
	}
	if err := f.Finish(ctx, prefix); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// fill makes the objects of a copy and commits it, or aborts it.
func (r *run) fill(ctx context.Context, c *openCopy, t *plan.Task, at *level) (report.Copy, error) {
	records, err := r.complete(ctx, c, t, at)
	if _, ok := errors.AsType[*Error](err); err != nil && !ok {
		err = &Error{Task: t.Name, Pos: t.Pos, Err: err}
	}
	r.warn(c, t)
	if err != nil {
		return report.Copy{}, r.abort(ctx, c, t, err)
	}
	done := report.Copy{Task: t.Name, Root: t.Backup.Backends[0].Root(), Prefix: c.prefix, Objects: len(records), Duration: r.now().Sub(c.begun)}
	for _, rec := range records {
		done.Bytes += rec.Size
	}
	r.Log.Debug("copy is committed", "task", t.Name, "copy", c.prefix)
	return done, nil
}

// complete makes the objects of a copy and commits it.
func (r *run) complete(ctx context.Context, c *openCopy, t *plan.Task, at *level) (records []backends.ObjectRecord, err error) {
	defer fault.Catch(&err)
	records, err = r.objects(ctx, c, t, at)
	switch {
	case err != nil:
		return nil, err
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	// From here on a signal waits: a commit that is cut would only cost the copy.
	return records, backends.Commit(context.WithoutCancel(ctx), c.Copy, r.manifest(c, t, records))
}

// abort removes a partial copy and returns err with a word on what became of it.
func (r *run) abort(ctx context.Context, c *openCopy, t *plan.Task, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	note := "the partial copy was removed; earlier copies are untouched"
	if abortErr := c.Abort(ctx); abortErr != nil {
		note = fmt.Sprintf("the partial copy could not be removed (%v); the next run will try again; earlier copies are untouched", abortErr)
	}
	var e *Error
	if errors.As(err, &e) && t.Backup.Backends[0].Kind != "null" { // which has no copies to speak of
		e.Note = note
	}
	return err
}

// warn logs what a backend did less well than it was asked.
func (r *run) warn(c *openCopy, t *plan.Task) {
	if w, ok := c.Copy.(backends.Warner); ok {
		for _, msg := range w.Warnings() {
			r.Log.Warn(msg, "task", t.Name)
		}
	}
}

// lock takes the lock of a root that has one.
func (e *Engine) lock(ctx context.Context, store backends.Store, task string) (release func() error, err error) {
	l, ok := store.(backends.Locker)
	if !ok {
		return func() error { return nil }, nil
	}
	owner := backends.Owner{PID: os.Getpid(), Host: e.Host, Task: task, Since: e.now().UTC(), Process: process()}
	return l.Lock(ctx, owner, e.Wait)
}

// process tells this process from all others, also from one with its pid in another
// container.
var process = sync.OnceValue(rand.Text)

// openCopy is a copy that is being made.
type openCopy struct {
	backends.Copy
	prefix string
	start  time.Time // what prefix says
	begun  time.Time // the same, not cut to the second
}

// prefixWait is how long a run waits for a prefix of its own: two runs in one
// second, or a clock that was set back a little.
const prefixWait = time.Minute

// begin starts a copy under a name that is later than the newest copy's, so that
// the order of the names stays the order in which the copies were made.
func (r *run) begin(ctx context.Context, store backends.Store, t *plan.Task) (*openCopy, error) {
	infos, err := store.List(ctx)
	if err != nil {
		return nil, err
	}
	newest := newestOf(rotate.Select(infos, r.query(t)))
	deadline := r.now().Add(prefixWait)
	for {
		now := r.now()
		start := now.UTC().Truncate(time.Second)
		prefix := backends.FormatPrefix(start, t.Backup.Prefix)
		if start.After(newest.Time) {
			c, err := store.Begin(ctx, prefix)
			if err == nil {
				return &openCopy{c, prefix, start, now}, nil
			}
			if !errors.Is(err, backends.ErrPrefixTaken) || !now.Before(deadline) {
				return nil, err
			}
		} else if newest.Time.After(deadline) || !now.Before(deadline) {
			return nil, fmt.Errorf("the clock says %s, which is not later than the newest copy %s: has it been set back? set it, or rename that copy",
				prefix, newest.Prefix)
		}
		if err := r.sleep(ctx, start.Add(time.Second).Sub(now)); err != nil {
			return nil, err
		}
	}
}

// newestOf returns the newest copy that takes part in the rotation.
func newestOf(r rotate.Result) backends.Info {
	var newest backends.Info
	for _, d := range r.Decisions {
		if d.Verdict != rotate.Ignore {
			newest = d.Copy
		}
	}
	return newest
}

// objects makes every object of a backup and returns their records in declaration
// order. After a failure no new one is started and the running ones are stopped. A
// function that gives objects counts as one while it runs.
func (r *run) objects(ctx context.Context, c *openCopy, t *plan.Task, at *level) ([]backends.ObjectRecord, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	m := &maker{run: r, copy: c, task: t, at: at}
	defer m.close(ctx)
	sched := newSchedule(t.Backup)
	limit := r.workers(runtime.NumCPU())
	records := make(map[*plan.Object]backends.ObjectRecord)
	results := make(chan made)
	var failed *Error
	for running := 0; ; {
		for running < limit && ctx.Err() == nil {
			j, ok := sched.take()
			if !ok {
				break
			}
			running++
			go func() { results <- m.do(ctx, j) }()
		}
		if running == 0 {
			break
		}
		res := <-results
		running--
		if res.err == nil && res.object == nil {
			res.err = m.accept(sched, res)
		}
		switch {
		case res.err == nil && res.object != nil:
			records[res.object] = res.record
			sched.done(res.group)
		case res.err == nil:
			sched.add(res.group, res.objects)
		case failed == nil:
			failed = res.err
			cancel(errSibling)
		case !errors.Is(res.err, errSibling) && (context.Cause(ctx) == errSibling || isTimeout(context.Cause(ctx))):
			failed.Others = append(failed.Others, res.err)
		}
	}
	switch {
	case failed != nil:
		return nil, failed
	case ctx.Err() != nil:
		return nil, nil // the caller says why
	case len(records) != sched.total():
		return nil, &Error{Task: t.Name, Pos: t.Pos, Err: errors.New("internal error: the groups of the plan wait for each other")}
	case len(records) == 0:
		return nil, &Error{Task: t.Name, Pos: t.Pos, Err: plan.ErrNoObjects}
	}
	return sched.inOrder(records), nil
}
