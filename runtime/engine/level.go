package engine

import (
	"fmt"
	"strings"

	"palhm/runtime/plan"
)

// level is a task that is being run, and the one that runs it.
type level struct {
	task  *plan.Task
	out   *output
	args  map[string]any
	above *level // nil = it was asked for
}

// enter is the level of a task below at. A function can name a task that is declared
// further down, and so its own: that would never end.
func (e *Engine) enter(t *plan.Task, at *level) (*level, error) {
	next := &level{task: t, above: at}
	if at == nil {
		next.out = e.newOutput(nil)
		return next, nil
	}
	next.out = e.newOutput(at.out)
	circle := []string{t.Name}
	for l := at; l != nil; l = l.above {
		circle = append([]string{l.task.Name}, circle...)
		if l.task == t {
			return nil, fmt.Errorf("task %s would run itself: %s", t.Name, strings.Join(circle, " -> "))
		}
	}
	return next, nil
}
