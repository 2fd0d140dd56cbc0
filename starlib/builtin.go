package starlib

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.starlark.net/starlark"

	"palhm/runtime/plan"
)

// Param is a parameter of a built-in.
type Param struct {
	Name        string // "*argv" takes any number of positional arguments
	Type        string // in words
	Default     string // as a site would write it; "" = required
	KeywordOnly bool
	TakesNone   bool // None is a value of its own, and not "not given"
	Doc         string
}

// Doc describes a name of the language: a built-in, or one that a standard module
// offers.
type Doc struct {
	Name      string
	Signature string // how it is called; just the name of a value
	Text      string // the first line is a summary
	Params    []Param
	Returns   string // in words, as "string or None"; "" = None, "nothing" = it does not return
}

// A builtin is a built-in and its documentation. Exactly one of run and value is
// set.
type builtin struct {
	Doc
	run   func(c *call) (starlark.Value, error)
	value func(l *loader) starlark.Value

	// loading says what to do instead where a function that runs calls what is only for
	// a site that loads; "" = it is for both.
	loading string

	// broken stands in for the result of a call that failed, so that the rest of
	// the site can be looked at too. Without it a failed call ends the load.
	broken func(c *call) starlark.Value
}

// bind makes the value that a site sees.
func (b *builtin) bind(l *loader) starlark.Value {
	if b.value != nil {
		return b.value(l)
	}
	return starlark.NewBuiltin(b.Name, func(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
		return l.call(thread, b, b.Name, args, kwargs, b.run)
	})
}

// call runs a built-in. Errors are collected in the loader; what is returned to
// Starlark is only that there was one.
func (l *loader) call(thread *starlark.Thread, b *builtin, name string, args starlark.Tuple, kwargs []starlark.Tuple, run func(*call) (starlark.Value, error)) (v starlark.Value, err error) {
	c := &call{l: l, b: b, thread: thread, name: name, args: args, kwargs: kwargs}
	if s := strandOf(thread); s != nil {
		return s.builtin(c, run)
	}
	defer func() {
		if p := recover(); p != nil { // here, where the place in the site is known
			c.report(&hintError{fmt.Errorf("internal error: %v", p), reportFault()})
			v, err = nil, errReported
		}
	}()
	v, err = run(c)
	if err == nil && !c.failed {
		return v, nil
	}
	if err != nil && !errors.Is(err, errReported) {
		c.report(err)
	}
	if b.broken == nil {
		return nil, errReported
	}
	return b.broken(c), nil
}

// errReported says that what went wrong is already in the loader's list.
var errReported = errors.New("already reported")

// A call is one call of a built-in.
type call struct {
	l      *loader
	b      *builtin
	thread *starlark.Thread
	name   string
	args   starlark.Tuple
	kwargs []starlark.Tuple
	failed bool
	strand *strand // nil while the site loads
	tried  *tried  // nil unless the call is only tried, see linter.try
}

// An argError is what is wrong with an argument.
type argError struct {
	index   int    // of a positional argument, else -1
	keyword string // as given
	param   string // what it was meant for; "" = nothing
	err     error
}

func (e *argError) Error() string { return e.err.Error() }
func (e *argError) Unwrap() error { return e.err }

// report adds an error to the loader's list, if there is one.
func (c *call) report(err error) {
	if err == nil {
		return
	}
	c.failed = true
	for _, err := range flatten(err) {
		switch {
		case errors.Is(err, errReported):
		case c.tried != nil:
			c.tried.errs = append(c.tried.errs, err)
		default:
			c.l.add(c.blame(err))
		}
	}
}

// flatten takes joined errors apart, and puts the argument that they are about
// back around each.
func flatten(err error) []error {
	if arg, ok := err.(*argError); ok {
		var all []error
		for _, e := range flatten(arg.err) {
			all = append(all, &argError{arg.index, arg.keyword, arg.param, e})
		}
		return all
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, flatten(e)...)
	}
	return all
}

// unpack hands each argument that is given to set, by the name of its parameter.
// None means "not given" for a parameter that has a default. Positional arguments
// for a "*" parameter are left to the caller. Everything that is wrong is
// reported; the result is errReported then.
func (c *call) unpack(set func(name string, v starlark.Value) error) error {
	given := make([]bool, len(c.b.Params))
	for i, v := range c.args {
		if i == c.b.star() {
			break
		}
		if i >= len(given) || c.b.Params[i].KeywordOnly || c.b.Params[i].anyKeyword() {
			c.report(c.tooMany(i))
			break
		}
		given[i] = true
		c.set(set, i, &argError{index: i}, v)
	}
	for _, kw := range c.kwargs {
		name := string(kw[0].(starlark.String))
		i := c.param(name)
		switch {
		case i < 0 && slices.ContainsFunc(c.b.Params, Param.anyKeyword):
			continue
		case i < 0:
			c.report(&argError{-1, name, "", c.unknownKeyword(name)})
			continue
		case given[i]:
			c.report(&argError{-1, name, "", fmt.Errorf("%s is given twice", name)})
			continue
		}
		given[i] = true
		c.set(set, i, &argError{index: -1, keyword: name}, kw[1])
	}
	for i, p := range c.b.Params {
		if !given[i] && p.Default == "" && !strings.HasPrefix(p.Name, "*") {
			c.report(errors.New(strings.TrimSuffix(fmt.Sprintf("missing argument %s: %s", p.Name, p.Type), ": ")))
		}
	}
	if c.failed || c.tried != nil {
		return errReported
	}
	return nil
}

func (c *call) set(set func(string, starlark.Value) error, i int, where *argError, v starlark.Value) {
	p := c.b.Params[i]
	if v == starlark.None && p.Default != "" && !p.TakesNone {
		return
	}
	if err := set(p.Name, v); err != nil {
		where.param, where.err = p.Name, err
		c.report(where)
	}
}

// star is the index of the parameter that takes what positional arguments are left,
// or -1.
func (b *builtin) star() int {
	return slices.IndexFunc(b.Params, func(p Param) bool { return strings.HasPrefix(p.Name, "*") && !p.anyKeyword() })
}

// anyKeyword reports whether the parameter takes the keywords that no other does, as **rest.
func (p Param) anyKeyword() bool { return strings.HasPrefix(p.Name, "**") }

func (c *call) param(name string) int {
	for i, p := range c.b.Params {
		if p.Name == name {
			return i
		}
	}
	return -1
}

// about says which argument an error is about that was found after unpack.
func (c *call) about(param string, err error) error {
	i := c.param(param)
	if i < len(c.args) {
		return &argError{i, "", param, err}
	}
	return &argError{-1, param, param, err}
}

func (c *call) tooMany(index int) error {
	var positional, keywords []string
	for _, p := range c.b.Params {
		switch {
		case strings.HasPrefix(p.Name, "*"):
		case p.KeywordOnly:
			keywords = append(keywords, p.Name)
		default:
			positional = append(positional, p.Name)
		}
	}
	err := fmt.Errorf("got %d arguments without a name, want at most %d", len(c.args), len(positional))
	if len(keywords) > 0 {
		err = &hintError{err, fmt.Sprintf("write the others with their names, such as %s = ...", keywords[0])}
	}
	return &argError{index, "", "", err}
}

func (c *call) unknownKeyword(name string) error {
	var names []string
	for _, p := range c.b.Params {
		if !strings.HasPrefix(p.Name, "*") {
			names = append(names, p.Name)
		}
	}
	if n := Nearest(name, names); n != "" {
		return fmt.Errorf("no keyword %s (did you mean %s?)", name, n)
	}
	if len(names) == 0 {
		return fmt.Errorf("no keyword %s; it takes none", name)
	}
	return fmt.Errorf("no keyword %s; there are %s", name, strings.Join(names, ", "))
}

// caller is where the call stands.
func (c *call) caller() plan.Pos {
	if c.tried != nil {
		return c.tried.at
	}
	for depth := 1; depth < c.thread.CallStackDepth(); depth++ {
		if f := c.thread.CallFrame(depth); f.Pos.Line > 0 {
			return c.l.callPos(f.Pos)
		}
	}
	return plan.Pos{}
}

// noArguments refuses the arguments of a built-in that takes none.
func noArguments(string, starlark.Value) error { panic("a built-in without parameters got one") }

// registering refuses calls that would add to the site from the top level of a
// module: loading a library must not add a task behind anybody's back.
func (c *call) registering() error {
	if c.tried != nil {
		return errReported
	}
	if c.strand != nil {
		return errors.New("the site is loaded; declare it at the top level of the site file")
	}
	if c.l.testing {
		return errors.New("a test declares nothing; it plays what its site declares, with t.simulate")
	}
	if m := threadModule(c.thread); m != c.l.site {
		return fmt.Errorf("a module declares nothing while it is loaded; put the call into a function, and call that from the site file")
	}
	return nil
}
