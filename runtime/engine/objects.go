package engine

import (
	"context"

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
		return made{group: group, err: m.groupError(g, because(ctx, err))}
	}
	m.Log.Debug("group has its objects", "task", m.task.Name, "group", g.Name, "objects", len(objects))
	return made{group: group, objects: objects}
}

func (m *maker) groupError(g *plan.Group, err error) *Error {
	return &Error{Task: m.task.Name, Group: g.Name, Pos: g.Pos, Err: err}
}

// close ends what the functions may still use.
func (m *maker) close(ctx context.Context) {
	for _, c := range m.calls {
		c.close(ctx)
	}
}

// accept checks the objects that a function gave.
func (m *maker) accept(s *schedule, res made) *Error {
	g := m.task.Backup.Groups[res.group]
	if err := m.task.Backup.CheckMade(g, s.all(), res.objects); err != nil {
		return m.groupError(g, err)
	}
	return nil
}
