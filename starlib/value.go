package starlib

import (
	"errors"
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.starlark.net/starlark"
)

// describe names a value for "got X, want Y".
func describe(v starlark.Value) string {
	switch v := v.(type) {
	case starlark.String:
		return "the string " + short(v)
	case starlark.Int, starlark.Float:
		return "the " + v.Type() + " " + short(v)
	case starlark.NoneType, starlark.Bool:
		return v.String()
	case *starlark.Function:
		return "the function " + v.Name()
	case *starlark.Builtin:
		return "the built-in " + v.Name()
	}
	return describeSort(v)
}

// describeSort names what sort of value it is.
func describeSort(v starlark.Value) string {
	t := v.Type()
	switch {
	case v == starlark.None:
		return "None"
	case strings.ContainsRune("aeio", rune(t[0])):
		return "an " + t
	}
	return "a " + t
}

// short prints a value for a message, cut to a bearable length.
func short(v starlark.Value) string {
	if s, ok := starlark.AsString(v); ok {
		return strconv.Quote(clip(s))
	}
	if n, ok := v.(starlark.Int); ok && n.BigInt().BitLen() > 256 {
		return "a very large int"
	}
	return clip(v.String())
}

const maxClip = 60

func clip(s string) string { return clipTo(s, maxClip) }

func clipTo(s string, most int) string {
	if len(s) <= most {
		return s
	}
	end := most
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "..."
}

// toString reads a string that a system call may take: without a NUL byte.
func toString(dst *string, v starlark.Value) error {
	s, ok := starlark.AsString(v)
	if !ok {
		return fmt.Errorf("got %s, want a string%s", describe(v), joinHint(v))
	}
	if strings.ContainsRune(s, 0) {
		return fmt.Errorf("got %s, which has a NUL byte", short(v))
	}
	*dst = s
	return nil
}

func joinHint(v starlark.Value) string {
	if _, ok := v.(*secretValue); ok {
		return "; a secret is read when a process starts, and may stand only in env and stdin of an exec"
	}
	return ""
}

func toBool(dst *bool, v starlark.Value) error {
	b, ok := v.(starlark.Bool)
	if !ok {
		return fmt.Errorf("got %s, want True or False", describe(v))
	}
	*dst = bool(b)
	return nil
}

// toInt reads an int between low and high. A bool is no int.
func toInt(dst *int, v starlark.Value, low, high int) error {
	n, ok := v.(starlark.Int)
	if !ok {
		return fmt.Errorf("got %s, want an int", describe(v))
	}
	i, ok := n.Int64()
	if !ok || i < int64(low) || i > int64(high) {
		if high == math.MaxInt32 && low <= 0 && low > math.MinInt32 {
			return fmt.Errorf("got %s, want %d or more", short(v), low)
		}
		return fmt.Errorf("got %s, want an int from %d to %d", short(v), low, high)
	}
	*dst = int(i)
	return nil
}

// toAbsolute reads a path that means the same wherever palhm was started.
func toAbsolute(dst *string, v starlark.Value) error {
	var s string
	if err := toString(&s, v); err != nil {
		return err
	}
	if !path.IsAbs(s) {
		return fmt.Errorf("got %s, want an absolute path", short(v))
	}
	*dst = s
	return nil
}

// An elementError is what is wrong with one element of a list.
type elementError struct {
	index int
	err   error
}

func (e *elementError) Error() string { return fmt.Sprintf("element %d: %v", e.index, e.err) }
func (e *elementError) Unwrap() error { return e.err }

// eachElement calls visit with the elements of a list or tuple. The list is not
// kept: a site may change it afterwards. All elements are visited; their errors
// are joined.
func eachElement(v starlark.Value, want string, visit func(starlark.Value) error) error {
	var seq starlark.Indexable
	switch v := v.(type) {
	case *starlark.List:
		seq = v
	case starlark.Tuple:
		seq = v
	default:
		return fmt.Errorf("got %s, want a list of %s", describe(v), want)
	}
	var errs []error
	for i := range seq.Len() {
		if err := visit(seq.Index(i)); err != nil {
			errs = append(errs, &elementError{i, err})
		}
	}
	return errors.Join(errs...)
}

// unhashable is the error for a value that cannot be a key.
func unhashable(v starlark.Value) (uint32, error) {
	return 0, fmt.Errorf("unhashable type: %s", v.Type())
}
