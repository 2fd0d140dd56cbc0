package simulate

import (
	"context"
	"fmt"
	"slices"
	"time"

	"palhm/runtime/plan"
)

// backup plays a backup with one worker. Its copy is safe when all objects are made;
// rotation is not a part of it: see Rotate.
func (p *player) backup(ctx context.Context, t *plan.Task) error {
	groups := t.Backup.Groups
	objects := make([][]*plan.Object, len(groups))
	for i, g := range groups {
		objects[i] = g.Objects
	}
	made := 0
	done := make([]bool, len(groups))
	for range groups {
		i := nextGroup(groups, done)
		g := groups[i]
		if g.Make != nil {
			more, err := g.Make.Func.Objects(ctx, &world{p, nil})
			if err != nil {
				return fmt.Errorf("task %s: group %s: %w", t.Name, g.Name, err)
			}
			if err := t.Backup.CheckMade(g, slices.Concat(objects...), more); err != nil {
				return fmt.Errorf("task %s: group %s: %w", t.Name, g.Name, err)
			}
			objects[i] = slices.Concat(objects[i], more)
		}
		for _, o := range objects[i] {
			if err := p.object(ctx, t.Backup, o); err != nil {
				return fmt.Errorf("task %s: object %s: %w", t.Name, o.Path, err)
			}
		}
		made += len(objects[i])
		done[i] = true
	}
	if made == 0 {
		return fmt.Errorf("task %s: %w", t.Name, plan.ErrNoObjects)
	}
	return nil
}

// nextGroup is the first group that is not done and waits for no other: the graph has no
// cycle, so there is one.
func nextGroup(groups []*plan.Group, done []bool) int {
	for i, g := range groups {
		free := !done[i]
		for _, d := range g.Depends {
			free = free && done[d]
		}
		if free {
			return i
		}
	}
	panic("the groups of a backup wait for each other")
}

// The pause before a repeated attempt doubles from the first to the longest.
const (
	firstPause   = time.Second
	longestPause = time.Minute
)

// object makes an object, with as many attempts as it may have.
func (p *player) object(ctx context.Context, b *plan.Backup, o *plan.Object) error {
	pause := firstPause
	for left := o.Retry; ; left-- {
		err := p.attempt(ctx, o, o.LeastSize(b.Backends[0]))
		if err == nil {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.out.Objects = append(p.out.Objects, o.Path)
			return nil
		}
		if left == 0 || ctx.Err() != nil {
			return err
		}
		p.pass(pause)
		pause = min(2*pause, longestPause)
	}
}

// attempt makes an object once. How large it is is only known when some reply says what
// is printed.
func (p *player) attempt(ctx context.Context, o *plan.Object, least int64) error {
	ctx, release := p.limit(ctx, o.Timeout, "object "+o.Path)
	defer release()
	if ctx.Err() != nil {
		return fmt.Errorf("stopped: %w", context.Cause(ctx))
	}
	r, err := p.pipeline(ctx, o.Pipeline)
	if err == nil && r.Stdout != nil && int64(len(r.Stdout)) < least {
		return fmt.Errorf("got %d bytes, want at least min_size %d", len(r.Stdout), least)
	}
	return err
}
