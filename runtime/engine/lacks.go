package engine

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"

	"palhm/runtime/host"
	"palhm/runtime/plan"
	"palhm/runtime/secret"
)

// Lacks returns what would keep a command from being started on this host now, as a run
// would find it. It starts nothing, and reads nothing that can be read only once.
func (e *Engine) Lacks(ctx context.Context, x *plan.Exec) (found []error) {
	add := func(err error) {
		if err != nil {
			found = append(found, err)
		}
	}
	_, account, err := credential(ctx, x.User)
	add(err)
	pathKnown := true
	env, err := e.environ(x, account, func(v plan.EnvVar) (string, error) {
		if v.Value.Secret == nil {
			return v.Value.Text, nil
		}
		text, err := secret.Check(ctx, v.Value.Secret, e.Environ)
		add(err)
		pathKnown = pathKnown && (v.Name != "PATH" || text != "")
		return text, nil
	})
	add(err)
	if pathKnown {
		_, err = host.FindProgram(x.Argv[0], x.Dir, env)
		add(err)
	}
	switch in := x.Stdin; {
	case in == nil:
	case in.Content == nil:
		if err := unix.Access(stdinPath(x), unix.R_OK); err != nil {
			add(fmt.Errorf("stdin: open %s: %w", stdinPath(x), err))
		}
	case in.Content.Secret != nil:
		_, err := secret.Check(ctx, in.Content.Secret, e.Environ)
		add(err)
	}
	return found
}
