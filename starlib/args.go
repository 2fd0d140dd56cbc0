package starlib

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"

	"palhm/runtime/plan"
)

const argsForm = `a value is the default and the type: "nginx", 3, False; a list of strings is a choice, the first being the default. ` +
	`str, int, bool and a list that begins with None have no default: they must be given. struct(value = "nginx", doc = "the service") says what it is for`

// argName is a name that reads well as a field and as an option.
var argName = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

// toArgs reads the arguments of a routine, in their order.
func toArgs(dst *[]plan.Arg, v starlark.Value) error {
	return eachEntry(v, `arguments such as {"service": "nginx"}`, func(name string, v starlark.Value) error {
		a := plan.Arg{Name: name}
		if !argName.MatchString(name) {
			return fmt.Errorf("got the name %q, want small letters, digits and _, such as \"dry_run\"", clip(name))
		}
		if slices.Contains(plan.ReservedFlags(), a.Flag()) {
			return fmt.Errorf("--%s is an option of palhm; choose another name", a.Flag())
		}
		err := toArg(&a, v)
		*dst = append(*dst, a)
		return err
	})
}

func toArg(a *plan.Arg, v starlark.Value) error {
	if s, ok := v.(*starlarkstruct.Struct); ok {
		value, err := toDocumented(&a.Doc, s)
		if err != nil {
			return err
		}
		v = value
	}
	switch v := v.(type) {
	case starlark.String:
		a.Kind, a.Default = plan.ArgString, string(v)
		return nil
	case starlark.Bool:
		a.Kind, a.Default = plan.ArgBool, bool(v)
		return nil
	case starlark.Int:
		n, ok := v.Int64()
		if !ok {
			return fmt.Errorf("got %s, want an int of at most 64 bits", short(v))
		}
		a.Kind, a.Default = plan.ArgInt, n
		return nil
	case *starlark.List:
		return toChoice(a, v)
	case starlark.Tuple:
		return toChoice(a, v)
	}
	for name, kind := range map[string]plan.ArgKind{"str": plan.ArgString, "int": plan.ArgInt, "bool": plan.ArgBool} {
		if v == starlark.Universe[name] {
			a.Kind = kind
			return nil
		}
	}
	return &hintError{fmt.Errorf("got %s, want a string, an int, a bool or a list of strings", describe(v)), argsForm}
}

func toChoice(a *plan.Arg, v starlark.Iterable) error {
	a.Kind = plan.ArgChoice
	first := true
	for v := range starlark.Elements(v) {
		s, ok := starlark.AsString(v)
		switch {
		case first && v == starlark.None: // no default
		case !ok || s == "":
			return fmt.Errorf("got %s in the list, want a string to choose", describe(v))
		case slices.Contains(a.Choices, s):
			return fmt.Errorf("%q is listed twice", clip(s))
		default:
			a.Choices = append(a.Choices, s)
			if first {
				a.Default = s
			}
		}
		first = false
	}
	if len(a.Choices) == 0 {
		return errors.New("the list has nothing to choose from")
	}
	return nil
}

// toDocumented takes struct(value = ..., doc = "...") apart.
func toDocumented(doc *string, s *starlarkstruct.Struct) (value starlark.Value, err error) {
	for _, name := range s.AttrNames() {
		v, _ := s.Attr(name) // it has that name
		switch name {
		case "value":
			value = v
		case "doc":
			err = toDoc(doc, v)
		default:
			err = fmt.Errorf("the struct has %s, want value and doc", name)
		}
		if err != nil {
			return nil, err
		}
	}
	if value == nil {
		return nil, &hintError{errors.New("the struct has no value"), argsForm}
	}
	return value, nil
}

// needed names the options without which a task cannot be run: a task that another
// one runs is given none.
func needed(t *plan.Task) error {
	if t.Routine == nil {
		return nil
	}
	var missing []string
	for _, a := range t.Routine.Args {
		if a.Default == nil {
			missing = append(missing, "--"+a.Flag())
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("task %q can only be run by palhm run: it must be given %s; a default would do", t.Name, strings.Join(missing, ", "))
}
