package engine

import (
	"context"
	"fmt"

	"palhm/runtime/plan"
)

// list asks the function of a group for its objects.
func (m *maker) list(ctx context.Context, group int) made {
	g := m.task.Backup.Groups[group]
	c := &call{run: m.run, at: m.at, backup: true}
	m.mu.Lock()
	m.calls = append(m.calls, c)
	m.mu.Unlock()
	objects, err := g.Make.Func.Objects(ctx, c)
	if err != nil {
		return made{group: group, err: m.groupError(g, err)}
	}
	m.Log.Debug("group has its objects", "task", m.task.Name, "group", g.Name, "objects", len(objects))
	return made{group: group, objects: objects}
}

func (m *maker) groupError(g *plan.Group, err error) *Error {
	return &Error{Task: m.task.Name, Group: g.Name, Pos: g.Pos, Err: err}
}

// close ends what the functions may still use.
func (m *maker) close() {
	for _, c := range m.calls {
		c.close()
	}
}

// accept checks the objects that a function gave as loading checks all others: each
// path, and all paths of the copy against each other.
func (m *maker) accept(s *schedule, res made) *Error {
	b := m.task.Backup
	g := b.Groups[res.group]
	fail := func(o *plan.Object, format string, args ...any) *Error {
		return m.groupError(g, fmt.Errorf("%s: objects of the function %s: %w", o.Pos, g.Make.Name, fmt.Errorf(format, args...)))
	}
	all := s.all()
	known := len(all)
	all = append(all, res.objects...)
	paths := make([]string, len(all))
	for i, o := range all {
		paths[i] = o.Path
		if i < known {
			continue
		}
		if err := plan.CheckPath(o.Path); err != nil {
			return fail(o, "%w", err)
		}
		if err := b.Backends[0].CheckKey(b.Prefix, o.Path); err != nil {
			return fail(o, "%w", err)
		}
	}
	if conflicts := plan.CheckPaths(paths); len(conflicts) > 0 {
		o, other := all[conflicts[0].Index], all[conflicts[0].Other]
		if o.Path == other.Path {
			return fail(o, "two objects have the path %q; the other one is at %s", o.Path, other.Pos)
		}
		return fail(o, "paths %q and %q cannot be in one copy, one is a directory of the other; the other one is at %s", o.Path, other.Path, other.Pos)
	}
	return nil
}
