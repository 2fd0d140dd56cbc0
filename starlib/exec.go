package starlib

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"palhm/runtime/plan"
	"palhm/runtime/shell"
)

func execBuiltin() *builtin {
	return &builtin{
		Doc: Doc{
			Name: "exec",
			Text: `One command. It never changes: calling it gives a new one, with more arguments.

    tar = exec("tar", "-cf", "-")
    home = tar("-C", "/", "home")

Of the keywords of such a call, env is merged, inverse stays unless it is given, and each other one replaces.
What a call says of env, clean_env and user it says of the inverse too, unless it gives one: what loads a dump
finds the server as the dump did. cwd is not passed on, nor is any argument.
A secret cannot be an argument, because every user of the host can read the arguments of a process.`,
			Params: execParams(),
		},
		run: func(c *call) (starlark.Value, error) {
			e := &execValue{loader: c.l, e: newExec(c.caller())}
			if len(c.args) == 0 {
				c.report(errors.New(`missing the program, such as exec("tar", "-cf", "-", "/etc")`))
			}
			return e, e.take(c)
		},
		broken: func(c *call) starlark.Value {
			e := newExec(c.caller())
			e.Argv = []string{"?"}
			return &execValue{loader: c.l, e: e, broken: true}
		},
	}
}

func execParams() []Param {
	return []Param{
		{Name: "*argv", Type: "strings", Doc: "the program and its arguments; a program without a slash is looked up in PATH. An int is written in digits"},
		{Name: "env", Type: "dict of strings and secrets", Default: "{}", KeywordOnly: true, Doc: "variables, added to the inherited environment; an int is written in digits"},
		{Name: "clean_env", Type: "bool", Default: "False", KeywordOnly: true, Doc: "env is the whole environment"},
		{Name: "ec", Type: "string or int", Default: `"0"`, KeywordOnly: true, Doc: `the good exit codes: "0", "==3", "<2", "<=2", ">1", ">=0" or "0-1". A process killed by a signal is never good`},
		{Name: "cwd", Type: "string", Default: "None", KeywordOnly: true, Doc: "working directory, an absolute path; None is palhm's own"},
		{Name: "user", Type: "string or int", Default: "None", KeywordOnly: true, Doc: "user to run as, by name or number, which only root can; the variables HOME, USER and LOGNAME are its own unless env sets them, also with clean_env. None is palhm's own"},
		{Name: "timeout", Type: "duration", Default: "None", KeywordOnly: true, Doc: `such as "90s", "2h", "1h30m" or "7d"; None is no limit`},
		{Name: "stdin", Type: "string, secret or file", Default: "None", KeywordOnly: true, Doc: `what the command reads: a string or secret is content, file("/p") a path. Only the first stage of a pipeline may have it; None is /dev/null`},
		{Name: "sigpipe", Type: "bool", Default: "False", KeywordOnly: true, Doc: "being killed by SIGPIPE is good, as for yes before head"},
		{Name: "vl_stdout", Type: "int", Default: "3", KeywordOnly: true, Doc: "stdout is shown when the verbosity is at least this; for a stage whose output is not piped"},
		{Name: "vl_stderr", Type: "int", Default: "1", KeywordOnly: true, Doc: "stderr is shown when the verbosity is at least this"},
		{Name: "inverse", Type: "exec", Default: "None", KeywordOnly: true, Doc: "the exec that undoes this one, for restoring"},
	}
}

const (
	defaultStdoutVerbosity = 3
	defaultStderrVerbosity = 1
	maxVerbosity           = 99
)

func newExec(pos plan.Pos) *plan.Exec {
	return &plan.Exec{Pos: pos, VerbosityStdout: defaultStdoutVerbosity, VerbosityStderr: defaultStderrVerbosity}
}

// execValue is an exec as a site sees it. Nothing about it changes once it is
// made: whatever looks like a change makes another one.
type execValue struct {
	loader *loader
	e      *plan.Exec
	undo   *plan.Exec // the inverse that a call may still say things of; nil = none
	broken bool       // a mistake in it is already reported
}

var (
	_ starlark.Callable  = (*execValue)(nil)
	_ starlark.HasBinary = (*execValue)(nil)
	_ starlark.HasAttrs  = (*execValue)(nil)
)

func (x *execValue) String() string        { return commandLine(x.e) }
func (x *execValue) Type() string          { return "exec" }
func (x *execValue) Freeze()               {}
func (x *execValue) Truth() starlark.Bool  { return true }
func (x *execValue) Hash() (uint32, error) { return unhashable(x) }
func (x *execValue) Name() string          { return x.e.Argv[0] }

// CallInternal appends arguments: a new exec.
func (x *execValue) CallInternal(thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	return x.loader.call(thread, x.loader.execBuiltin, "exec "+clip(x.e.Argv[0]), args, kwargs, x.extend)
}

func (x *execValue) extend(c *call) (starlark.Value, error) {
	e := *x.e
	e.Pos = c.caller()
	e.Argv = slices.Clip(e.Argv)
	child := &execValue{loader: x.loader, e: &e, broken: x.broken}
	if e.Inverse != nil {
		undo := *e.Inverse
		e.Inverse, child.undo = &undo, &undo
	}
	return child, child.take(c)
}

// take reads the arguments of a call into the exec, which nobody else has yet.
func (x *execValue) take(c *call) error {
	for i, v := range c.args {
		arg, err := argument(v)
		x.e.Argv = append(x.e.Argv, arg)
		if err != nil {
			c.report(&argError{i, "", fmt.Sprintf("argv[%d]", i), err})
		} else if len(x.e.Argv) == 1 {
			c.report(checkProgram(arg))
		}
	}
	if err := c.unpack(x.set); err != nil {
		return err
	}
	c.l.lintShell(x.e)
	return nil
}

func (x *execValue) set(name string, v starlark.Value) error {
	switch name {
	case "env":
		return x.both(func(e *plan.Exec) error { return mergeEnv(&e.Env, v) })
	case "clean_env":
		return x.both(func(e *plan.Exec) error { return toBool(&e.CleanEnv, v) })
	case "ec":
		return toExitCodes(&x.e.ExitCodes, v)
	case "cwd":
		return toAbsolute(&x.e.Dir, v)
	case "user":
		return x.both(func(e *plan.Exec) error { return toUser(&e.User, v) })
	case "timeout":
		return toTimeout(&x.e.Timeout, v)
	case "stdin":
		return toStdin(&x.e.Stdin, v)
	case "sigpipe":
		return toBool(&x.e.SIGPIPE, v)
	case "vl_stdout":
		return toInt(&x.e.VerbosityStdout, v, 0, maxVerbosity)
	case "vl_stderr":
		return toInt(&x.e.VerbosityStderr, v, 0, maxVerbosity)
	case "inverse":
		return toInverse(&x.e.Inverse, v)
	}
	panic("exec has no parameter " + name)
}

// both sets what holds for an exec and for the inverse that it had before the call.
func (x *execValue) both(set func(*plan.Exec) error) error {
	if err := set(x.e); err != nil || x.undo == nil {
		return err
	}
	return set(x.undo)
}

// toInverse reads an inverse. Its own inverse is dropped: nobody asks for it, and a chain
// of them could be too deep for whatever goes through a plan.
func toInverse(dst **plan.Exec, v starlark.Value) error {
	x, ok := v.(*execValue)
	if !ok {
		return fmt.Errorf("got %s, want an exec%s", describe(v), callHint(v))
	}
	undo := *x.e
	undo.Inverse = nil
	*dst = &undo
	return nil
}

// argument reads one element of argv.
func argument(v starlark.Value) (string, error) {
	switch v := v.(type) {
	case starlark.Int:
		if v.BigInt().BitLen() > 256 {
			return "", fmt.Errorf("got %s, want a string", short(v))
		}
		return v.String(), nil
	case *secretValue:
		return "", errors.New("a secret cannot be an argument, every user of the host can read those; pass it in env or stdin")
	case *starlark.List, starlark.Tuple:
		return "", fmt.Errorf("got %s, want a string; a * in front spreads its elements: exec(*[...])", describe(v))
	case *execValue:
		return "", errors.New("got an exec, want a string; commands are joined with |")
	case starlark.String:
		if namesSecret(string(v)) {
			return "", fmt.Errorf("got %s: a secret cannot become a part of a string, it is read when a process starts", short(v))
		}
	}
	var s string
	return s, toString(&s, v)
}

// checkProgram refuses a whole command line in one string, which would be sought
// as a program of that name.
func checkProgram(program string) error {
	if program == "" {
		return errors.New("the program's name is empty")
	}
	words := strings.Fields(program)
	if len(words) > 1 && (!strings.Contains(program, "/") || strings.HasPrefix(words[1], "-")) {
		return &argError{0, "", "", &hintError{fmt.Errorf("%q is one word, the name of a program", clip(program)), commandHint(program)}}
	}
	return nil
}

func toUser(dst *string, v starlark.Value) error {
	if n, ok := v.(starlark.Int); ok {
		id := 0
		if err := toInt(&id, n, 0, math.MaxInt32); err != nil {
			return err
		}
		*dst = n.String()
		return nil
	}
	if _, ok := v.(starlark.String); !ok {
		return fmt.Errorf("got %s, want a user's name or number", describe(v))
	}
	var s string
	if err := toString(&s, v); err != nil {
		return err
	}
	if s == "" || strings.ContainsAny(s, ":/ \t\n") {
		return fmt.Errorf("got %s, want a user's name or number", short(v))
	}
	*dst = s
	return nil
}

func toExitCodes(dst *plan.ExitCodes, v starlark.Value) error {
	var s string
	switch v := v.(type) {
	case starlark.String:
		s = string(v)
	case starlark.Int:
		if v.Sign() < 0 {
			return fmt.Errorf("got %s, want an exit code from 0 to 255", short(v))
		}
		s = short(v)
	default:
		return fmt.Errorf(`got %s, want an int or a form like "0", "<2", ">=1" or "0-1"`, describe(v))
	}
	codes, err := plan.ParseExitCodes(s)
	if err != nil {
		return err
	}
	*dst = codes
	return nil
}

// mergeEnv adds the variables of a dict to a sorted list, which is not changed.
func mergeEnv(dst *[]plan.EnvVar, v starlark.Value) error {
	dict, ok := v.(*starlark.Dict)
	if !ok {
		return fmt.Errorf(`got %s, want a dict such as {"LANG": "C"}`, describe(v))
	}
	merged := slices.Clone(*dst)
	var errs []error
	for _, item := range dict.Items() {
		name, err := envName(item[0])
		if err != nil {
			errs = append(errs, err)
			continue
		}
		value, err := toValue(item[1])
		if err != nil {
			errs = append(errs, fmt.Errorf("variable %s: %w", name, err))
			continue
		}
		i, found := slices.BinarySearchFunc(merged, name, func(e plan.EnvVar, n string) int { return strings.Compare(e.Name, n) })
		if found {
			merged[i].Value = value
		} else {
			merged = slices.Insert(merged, i, plan.EnvVar{Name: name, Value: value})
		}
	}
	*dst = merged
	return errors.Join(errs...)
}

// envName reads a variable's name. environ(7) allows all but "=" and NUL.
func envName(v starlark.Value) (string, error) {
	var s string
	if err := toString(&s, v); err != nil {
		return "", fmt.Errorf("name of a variable: %w", err)
	}
	if s == "" || strings.Contains(s, "=") {
		return "", fmt.Errorf("name of a variable: got %s, want a name without =", short(v))
	}
	return s, nil
}

// toValue reads a text or a secret.
func toValue(v starlark.Value) (plan.Value, error) {
	switch v := v.(type) {
	case *secretValue:
		return plan.Value{Secret: v.secret}, nil
	case starlark.Int:
		return plan.Value{Text: short(v)}, nil
	case starlark.String:
		if namesSecret(string(v)) {
			return plan.Value{}, errors.New("a secret cannot become a part of a string, it is read when a process starts")
		}
		var s string
		err := toString(&s, v)
		return plan.Value{Text: s}, err
	}
	return plan.Value{}, fmt.Errorf("got %s, want a string, an int or a secret", describe(v))
}

func toStdin(dst **plan.Stdin, v starlark.Value) error {
	switch v := v.(type) {
	case *fileValue:
		*dst = &plan.Stdin{File: v.path}
		return nil
	case *secretValue:
		*dst = &plan.Stdin{Content: &plan.Value{Secret: v.secret}}
		return nil
	case starlark.String:
		if namesSecret(string(v)) {
			return errors.New("a secret cannot become a part of a string, it is read when a process starts")
		}
		*dst = &plan.Stdin{Content: &plan.Value{Text: string(v)}}
		return nil
	}
	return fmt.Errorf(`got %s, want a string or secret (content) or file("/path")`, describe(v))
}

// Binary joins commands with |. It answers for the operators that people try.
func (x *execValue) Binary(op syntax.Token, y starlark.Value, side starlark.Side) (starlark.Value, error) {
	return commandBinary(x, op, y, side)
}

// Attr gives the parts of an exec that a site may look at.
func (x *execValue) Attr(name string) (starlark.Value, error) {
	switch name {
	case "argv":
		t := make(starlark.Tuple, len(x.e.Argv))
		for i, a := range x.e.Argv {
			t[i] = starlark.String(a)
		}
		return t, nil
	case "inverse":
		if x.e.Inverse == nil {
			return starlark.None, nil
		}
		return &execValue{loader: x.loader, e: x.e.Inverse}, nil
	}
	return nil, nil
}

// AttrNames lists the attributes.
func (x *execValue) AttrNames() []string { return []string{"argv", "inverse"} }

// commandLine prints an exec as one would type it into a shell. Values of
// variables are left out.
func commandLine(e *plan.Exec) string { return shell.Quote(e.Argv) }
