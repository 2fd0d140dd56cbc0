package main

import (
	"iter"

	"palhm/runtime/plan"
)

// execs goes through every exec that a task runs itself, in declaration order.
func execs(t *plan.Task) iter.Seq[*plan.Exec] {
	return func(yield func(*plan.Exec) bool) {
		for _, p := range pipelines(t) {
			for _, x := range p {
				if !yield(x) {
					return
				}
			}
		}
	}
}

func pipelines(t *plan.Task) []plan.Pipeline {
	var list []plan.Pipeline
	if t.Routine != nil {
		for _, s := range t.Routine.Steps {
			list = append(list, s.Pipeline)
		}
		return list
	}
	for _, g := range t.Backup.Groups {
		for _, o := range g.Objects {
			list = append(list, o.Pipeline)
		}
	}
	return list
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
