package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"palhm/backends"
	"palhm/runtime/plan"
	"palhm/runtime/report"
	"palhm/runtime/rotate"
)

func (e *Engine) query(t *plan.Task) rotate.Query {
	return rotate.Query{Host: e.Host, Task: t.Name, Now: e.now().UTC(), Limits: t.Backup.Backends[0].Limits}
}

// rotate removes old copies after a copy was committed. Only the end of ctx is
// returned as an error: whatever else goes wrong, the new copy is safe.
func (r *run) rotate(ctx context.Context, store backends.Store, t *plan.Task, done *report.Copy) error {
	infos, err := store.List(ctx)
	made, listed := whole(infos, done.Prefix)
	switch {
	case err != nil && ctx.Err() == nil:
		r.after(t, fmt.Sprintf("rotation: %v", err))
		return nil
	case err == nil && !listed:
		r.after(t, fmt.Sprintf("rotation: copy %s was committed but %s does not list it; nothing was rotated", done.Prefix, store.Root()))
		return nil
	}
	query := r.query(t)
	query.Made = made.Time
	result := rotate.Select(infos, query)
	r.tellOthers(t, result)
	for _, n := range result.Notices {
		r.after(t, n)
	}
	var problems []string
	done.Removed, problems = r.remove(ctx, store, result)
	for _, p := range problems {
		r.after(t, "rotation: "+p)
	}
	if ctx.Err() != nil {
		return &Error{Task: t.Name, Pos: t.Pos, Err: context.Cause(ctx),
			Note: fmt.Sprintf("the new copy %s is safe; rotation was cut short", done.Prefix)}
	}
	return nil
}

// tellOthers says which other hosts have copies of a task in its root. A host that has
// been renamed is one of them, and nothing else tells that its old copies stay for ever.
func (e *Engine) tellOthers(t *plan.Task, result rotate.Result) {
	if len(result.Hosts) == 0 {
		return
	}
	names := make([]string, len(result.Hosts))
	for i, name := range result.Hosts {
		names[i] = strconv.Quote(name)
	}
	const most = 5
	if more := len(names) - most; more > 0 {
		names = append(names[:most], fmt.Sprintf("%d more", more))
	}
	e.Log.Info(fmt.Sprintf(`the root has copies of this task by other hosts, which the rotation of host %q neither counts nor removes: %s; a host that was renamed keeps its old name with settings(host = "...") or $PALHM_HOST`,
		e.Host, strings.Join(names, ", ")), "task", t.Name)
}

// find looks whether the root of a store is there, where that can be asked.
func find(ctx context.Context, store backends.Store) error {
	if f, ok := store.(backends.Finder); ok {
		return f.Find(ctx)
	}
	return nil
}

// whole returns the copy of that name, if it is listed as a whole one.
func whole(infos []backends.Info, prefix string) (info backends.Info, ok bool) {
	for _, i := range infos {
		if i.Prefix == prefix && i.Damage == nil {
			return i, true
		}
	}
	return info, false
}

// remove removes what was decided, until ctx ends. A copy that cannot be removed
// keeps none of the others.
func (e *Engine) remove(ctx context.Context, store backends.Store, result rotate.Result) (gone []report.Removed, problems []string) {
	for _, d := range result.Removals() {
		if ctx.Err() != nil {
			return gone, problems
		}
		if err := store.Remove(ctx, d.Copy.Prefix); err != nil {
			if kept, ok := errors.AsType[*backends.RetainedError](err); ok {
				e.Log.Info(kept.Error(), "why it would go", d.Reason)
			} else if ctx.Err() == nil {
				problems = append(problems, fmt.Sprintf("remove copy %s: %v", d.Copy.Prefix, err))
			}
			continue
		}
		e.Log.Info("old copy is removed", "copy", d.Copy.Prefix, "why", d.Reason)
		gone = append(gone, report.Removed{Prefix: d.Copy.Prefix, Bytes: d.Copy.Size, Reason: d.Reason})
	}
	return gone, problems
}

// Explain says what rotation of a backup task would do now. It changes nothing and
// takes no lock.
func (e *Engine) Explain(ctx context.Context, t *plan.Task) (rotate.Result, error) {
	if err := e.checkHost(t); err != nil {
		return rotate.Result{}, err
	}
	store, err := e.openBackup(t)
	if err != nil {
		return rotate.Result{}, err
	}
	if err := find(ctx, store); err != nil { // a disk that is not mounted has no copies either
		return rotate.Result{}, &Error{Task: t.Name, Pos: t.Pos, Err: err}
	}
	infos, err := store.List(ctx)
	if err != nil {
		return rotate.Result{}, &Error{Task: t.Name, Pos: t.Pos, Err: err}
	}
	result := rotate.Select(infos, e.query(t))
	if err := spare(ctx, store, result); err != nil {
		return rotate.Result{}, &Error{Task: t.Name, Pos: t.Pos, Err: err}
	}
	return result, nil
}

// spare finds out which of the copies to remove the store would keep.
func spare(ctx context.Context, store backends.Store, result rotate.Result) error {
	k, ok := store.(backends.Keeper)
	if !ok {
		return nil
	}
	for i := range result.Decisions {
		d := &result.Decisions[i]
		if d.Verdict != rotate.Remove {
			continue
		}
		err := k.Kept(ctx, d.Copy.Prefix)
		if kept, ok := errors.AsType[*backends.RetainedError](err); ok {
			d.Verdict, d.Reason = rotate.Keep, fmt.Sprintf("%s (%s)", kept.Reason(), d.Reason)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// Rotate removes what the limits of a backup task ask for now. Before that it removes
// what dead runs left, and does on copies what their runs could not. Problems that
// left a copy in place are in the second result.
func (e *Engine) Rotate(ctx context.Context, t *plan.Task) (gone []report.Removed, problems []string, err error) {
	fail := func(err error) ([]report.Removed, []string, error) {
		return gone, problems, &Error{Task: t.Name, Pos: t.Pos, Err: because(ctx, err)}
	}
	if err := e.checkHost(t); err != nil {
		return nil, nil, err
	}
	ctx = backends.WithHurry(ctx, e.Hurry)
	store, err := e.openBackup(t)
	if err != nil {
		return nil, nil, err
	}
	if err := find(ctx, store); err != nil { // the lock would make the root
		return fail(err)
	}
	release, err := e.lock(ctx, store, t.Name)
	if err != nil {
		return fail(err)
	}
	defer release() //nolint:errcheck // the kernel frees the lock at the latest when palhm ends
	if err := store.Recover(ctx); err != nil {
		if ctx.Err() != nil {
			return fail(context.Cause(ctx))
		}
		problems = append(problems, fmt.Sprintf("remove what an earlier run left: %v", err))
	}
	if err := e.finish(ctx, store, ""); err != nil {
		problems = append(problems, err.Error())
	}
	infos, err := store.List(ctx)
	if err != nil {
		return fail(err)
	}
	result := rotate.Select(infos, e.query(t))
	e.tellOthers(t, result)
	problems = append(problems, result.Notices...)
	gone, more := e.remove(ctx, store, result)
	problems = append(problems, more...)
	if ctx.Err() != nil {
		return fail(context.Cause(ctx))
	}
	return gone, problems, nil
}

func (e *Engine) openBackup(t *plan.Task) (backends.Store, error) {
	if t.Backup == nil {
		return nil, &Error{Task: t.Name, Pos: t.Pos, Err: fmt.Errorf("it is a routine; only a backup has copies")}
	}
	store, err := e.Open(t.Backup.Backends[0])
	if err != nil {
		return nil, &Error{Task: t.Name, Pos: t.Pos, Err: err}
	}
	return store, nil
}
