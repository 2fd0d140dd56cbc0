package engine

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"palhm/runtime/host"
	"palhm/runtime/plan"
	"palhm/runtime/proc"
	"palhm/runtime/secret"
)

// commands turns the stages of a plan into commands that can be started. release
// closes what they read and flushes what they printed; it is called when they have
// ended, or when they could not be started.
func (e *Engine) commands(ctx context.Context, stages plan.Pipeline, out *output) (cmds []proc.Command, release func(), err error) {
	var closers []io.Closer
	release = func() {
		for _, c := range closers {
			c.Close()
		}
	}
	cmds = make([]proc.Command, len(stages))
	for i, x := range stages {
		cmd, err := e.command(ctx, x)
		if err != nil {
			release()
			return nil, nil, fmt.Errorf("start %s: %w", proc.Quote(x.Argv), err)
		}
		if cmd.Stdin != nil {
			closers = append(closers, cmd.Stdin)
		}
		if w := out.stderr(x.VerbosityStderr); w != nil {
			cmd.Stderr = w
			closers = append(closers, w)
		}
		cmds[i] = cmd
	}
	return cmds, release, nil
}

// command makes a command of an exec. In the world of a test it has no account and reads
// nothing.
func (e *Engine) command(ctx context.Context, x *plan.Exec) (c proc.Command, err error) {
	c = proc.Command{
		Argv:    x.Argv,
		Dir:     x.Dir,
		Good:    x.ExitCodes.Good,
		Want:    x.ExitCodes.String(),
		SIGPIPE: x.SIGPIPE,
		Timeout: x.Timeout,
	}
	var account *user.User
	if e.World == nil {
		limited, cancel := e.withTimeout(ctx, x.Timeout, proc.Quote(x.Argv))
		defer cancel()
		ctx = limited
		if c.Credential, account, err = credential(ctx, x.User); err != nil {
			return c, err
		}
	}
	read := func(v plan.EnvVar) (string, error) { return e.value(ctx, v) }
	if c.Env, err = e.environ(x, account, read); err != nil {
		return c, err
	}
	c.Stdin, err = e.stdin(ctx, x)
	return c, err
}

// environ returns the whole environment of a command: what it inherits, the
// account's own variables when it runs as another user, and what the site sets, whose
// values read gives.
func (e *Engine) environ(x *plan.Exec, account *user.User, read func(plan.EnvVar) (string, error)) ([]string, error) {
	var set []string
	if account != nil {
		set = append(set, "HOME="+account.HomeDir, "USER="+account.Username, "LOGNAME="+account.Username)
	}
	for _, v := range x.Env {
		value, err := read(v)
		if err != nil {
			return nil, fmt.Errorf("environment variable %s: %w", v.Name, err)
		}
		if strings.ContainsRune(value, 0) {
			return nil, fmt.Errorf("environment variable %s: its value has a zero byte", v.Name)
		}
		set = append(set, v.Name+"="+value)
	}
	if x.CleanEnv {
		return dedupe(set), nil
	}
	if len(set) == 0 {
		return e.Environ, nil
	}
	return dedupe(append(slices.Clip(e.Environ), set...)), nil
}

// dedupe keeps the last of several settings of one variable: getenv(3) would find
// the first.
func dedupe(env []string) []string {
	last := make(map[string]int, len(env))
	for i, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		last[name] = i
	}
	kept := make([]string, 0, len(last))
	for i, kv := range env {
		if name, _, _ := strings.Cut(kv, "="); last[name] == i {
			kept = append(kept, kv)
		}
	}
	return kept
}

// value returns a literal, or reads a secret.
func (e *Engine) value(ctx context.Context, v plan.EnvVar) (string, error) {
	if v.Value.Secret == nil {
		return v.Value.Text, nil
	}
	data, err := e.secret(ctx, v.Value.Secret)
	return strings.TrimSuffix(string(data), "\n"), err
}

// secret reads a secret, and remembers what it read.
func (e *Engine) secret(ctx context.Context, s *plan.Secret) (data []byte, err error) {
	if e.World != nil {
		data, err = e.World.Secret(s)
	} else {
		data, err = secret.Read(ctx, s, e.Environ)
	}
	if err == nil {
		e.Secrets.Add(s, string(data))
	}
	return data, err
}

// stdin opens what a stage reads, or returns nil for /dev/null.
func (e *Engine) stdin(ctx context.Context, x *plan.Exec) (*os.File, error) {
	switch {
	case x.Stdin == nil, x.Stdin.Content == nil && e.World != nil:
		return nil, nil
	case x.Stdin.Content == nil:
		f, err := host.Open(ctx, stdinPath(x))
		if err != nil {
			return nil, fmt.Errorf("stdin: %w", err)
		}
		return f, nil
	case x.Stdin.Content.Secret == nil:
		return proc.Content([]byte(x.Stdin.Content.Text))
	}
	data, err := e.secret(ctx, x.Stdin.Content.Secret)
	if err != nil {
		return nil, fmt.Errorf("stdin: %w", err)
	}
	defer clear(data)
	return proc.Content(data)
}

func stdinPath(x *plan.Exec) string {
	if filepath.IsAbs(x.Stdin.File) {
		return x.Stdin.File
	}
	return filepath.Join(x.Dir, x.Stdin.File)
}

// credential looks an account up, by name or number. Both results are nil for
// palhm's own. A server may keep the accounts, and be silent.
func credential(ctx context.Context, name string) (*syscall.Credential, *user.User, error) {
	if name == "" {
		return nil, nil, nil
	}
	type account struct {
		user   *user.User
		groups []string
	}
	a, err := host.Await(ctx, func() (a account, err error) {
		if a.user, err = user.Lookup(name); err != nil {
			byID, idErr := user.LookupId(name)
			if idErr != nil {
				return a, err
			}
			a.user = byID
		}
		if a.user.Uid == strconv.Itoa(os.Geteuid()) {
			return a, nil
		}
		if a.groups, err = a.user.GroupIds(); err != nil {
			err = fmt.Errorf("read its groups: %w", err)
		}
		return a, err
	}, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("user %q: %w", name, err)
	}
	if a.user.Uid == strconv.Itoa(os.Geteuid()) {
		return nil, a.user, nil
	}
	cred := new(syscall.Credential)
	ids := append([]string{a.user.Uid, a.user.Gid}, a.groups...)
	numbers := make([]uint32, len(ids))
	for i, id := range ids {
		n, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			return nil, nil, fmt.Errorf("user %q: %w", name, err)
		}
		numbers[i] = uint32(n)
	}
	cred.Uid, cred.Gid, cred.Groups = numbers[0], numbers[1], numbers[2:]
	return cred, a.user, nil
}
