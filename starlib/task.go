package starlib

import (
	"fmt"
	"strings"

	"go.starlark.net/starlark"

	"palhm/runtime/plan"
)

// taskValue is a task as a site sees it.
type taskValue struct {
	task   *plan.Task
	broken bool
}

var _ starlark.HasAttrs = (*taskValue)(nil)

func (t *taskValue) String() string        { return fmt.Sprintf("task(%q)", t.task.Name) }
func (t *taskValue) Type() string          { return "task" }
func (t *taskValue) Freeze()               {}
func (t *taskValue) Truth() starlark.Bool  { return true }
func (t *taskValue) Hash() (uint32, error) { return unhashable(t) }

// Attr gives the parts of a task that a site may look at.
func (t *taskValue) Attr(name string) (starlark.Value, error) {
	switch name {
	case "name":
		return starlark.String(t.task.Name), nil
	case "doc":
		return starlark.String(t.task.Doc), nil
	}
	return nil, nil
}

// AttrNames lists the attributes.
func (t *taskValue) AttrNames() []string { return []string{"doc", "name"} }

// toTaskName reads the name of a task. The command line must be able to tell it
// from a site file and from a flag.
func toTaskName(dst *string, v starlark.Value) error {
	var name string
	if err := toName(&name, v); err != nil {
		return err
	}
	if strings.Contains(name, "/") || strings.HasPrefix(name, "-") {
		return fmt.Errorf("name %q: the name of a task has no slash and does not begin with a dash", name)
	}
	for _, suffix := range []string{".star", ".json", ".jsonc"} {
		if strings.HasSuffix(name, suffix) {
			return fmt.Errorf("name %q ends in %s, so palhm run would take it for a site file", name, suffix)
		}
	}
	*dst = name
	return nil
}

// declare adds a task to the site. A task that is wrong otherwise keeps its name
// taken, so that all errors of its name are found.
func (l *loader) declare(t *plan.Task) error {
	if t.Name == "" {
		return nil // reported as a missing or bad argument
	}
	if other := l.tasks[t.Name]; other != nil {
		return &placedError{err: fmt.Errorf("two tasks are named %q", t.Name), notes: []Note{{other.Pos, "the first one"}}}
	}
	l.tasks[t.Name] = t
	l.result.Tasks = append(l.result.Tasks, t)
	return nil
}
