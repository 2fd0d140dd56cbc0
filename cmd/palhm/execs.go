package main

import (
	"iter"
	"slices"
	"strings"

	"palhm/runtime/plan"
)

// execs goes through every exec that a task runs itself or says that its functions
// run, in declaration order, and gives the place in the site where each comes from.
func execs(t *plan.Task) iter.Seq2[plan.Pos, *plan.Exec] {
	return func(yield func(plan.Pos, *plan.Exec) bool) {
		for used, p := range pipelines(t) {
			for _, x := range p {
				if !yield(placeOf(x, used), x) {
					return
				}
			}
		}
	}
}

// placeOf is the place in the site where an exec comes from: its own, or for one of a
// shared module the place where it is used.
func placeOf(x *plan.Exec, used plan.Pos) plan.Pos {
	if strings.HasPrefix(x.Pos.File, "@") {
		return used
	}
	return x.Pos
}

// pipelines gives the pipelines of a task, each with the place of its object or step.
func pipelines(t *plan.Task) iter.Seq2[plan.Pos, plan.Pipeline] {
	return func(yield func(plan.Pos, plan.Pipeline) bool) {
		if t.Routine != nil {
			for _, s := range slices.Concat(t.Routine.Steps, t.Routine.Uses) {
				if !yield(s.Pos, s.Pipeline) {
					return
				}
			}
			return
		}
		for _, g := range t.Backup.Groups {
			for _, o := range g.Objects {
				if !yield(o.Pos, o.Pipeline) {
					return
				}
			}
		}
	}
}

// secretsOf returns the secrets of an exec with what each is for.
func secretsOf(x *plan.Exec) (uses []string, secrets []*plan.Secret) {
	add := func(use string, s *plan.Secret) {
		if s != nil {
			uses, secrets = append(uses, use), append(secrets, s)
		}
	}
	for _, v := range x.Env {
		add(v.Name, v.Value.Secret)
	}
	if x.Stdin != nil && x.Stdin.Content != nil {
		add("stdin", x.Stdin.Content.Secret)
	}
	return uses, secrets
}
