package starlib

import (
	"slices"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
)

// A linter reads functions by playing them with stand-ins: real values of Starlark and of
// palhm, each of which stands for all values of its sort. So operators, methods and
// built-ins are asked themselves what they make of a value, and nothing is described
// twice. Only their sort is known of stand-ins: what text a string has, how many elements
// a list, which way a condition goes.

// some is what a value can be: a stand-in for each sort. Nil means that nothing has given it
// a value yet, or that it never gets one.
type some []starlark.Value

// maxSorts bounds the sorts of one value, maxNesting how deep containers lie in each other,
// and maxInside how much is in one. What is beyond them is unknown.
const (
	maxSorts   = 6
	maxNesting = 4
	maxInside  = 200
)

// unknownValue stands for a value of any sort. Nothing is said of it.
type unknownValue struct{}

// unknownMark is in each error that a reader makes of an unknown value.
const unknownMark = "\x00unknown"

var (
	unknown  = unknownValue{}
	anything = some{unknown}
	fails    = some{} // what surely ends in an error gives nothing

	_ starlark.Callable = unknown
)

func (unknownValue) String() string        { return unknownMark }
func (unknownValue) Type() string          { return unknownMark }
func (unknownValue) Name() string          { return unknownMark }
func (unknownValue) Freeze()               {}
func (unknownValue) Truth() starlark.Bool  { return true }
func (unknownValue) Hash() (uint32, error) { return 0, nil }
func (unknownValue) CallInternal(*starlark.Thread, starlark.Tuple, []starlark.Tuple) (starlark.Value, error) {
	return unknown, nil
}

// The stand-ins of what has nothing but its content. The text is one that a person takes
// for a gap, where a message quotes it.
var (
	aText   = starlark.String("...")
	aNumber = starlark.MakeInt(1)
)

func (s some) known() bool { return len(s) > 0 && s[0] != starlark.Value(unknown) }

// all reports whether a value is surely of a sort that f accepts. Where it may be None,
// that is left out of account.
func (s some) all(f func(starlark.Value) bool) bool {
	s = s.notNone()
	return s.known() && !slices.ContainsFunc(s, func(v starlark.Value) bool { return !f(v) })
}

func (s some) has(v starlark.Value) bool {
	return slices.ContainsFunc(s, func(x starlark.Value) bool { return sortOf(x) == sortOf(v) })
}

func (s some) notNone() some {
	if len(s) < 2 {
		return s
	}
	return slices.DeleteFunc(slices.Clone(s), func(v starlark.Value) bool { return v == starlark.None })
}

// orFails is what a call gives that fails, in place of nothing that goes elsewhere.
func orFails(s some) some {
	if s == nil {
		return fails
	}
	return s
}

// join is what a value can be that comes from either of two places.
func join(a, b some) some {
	for _, v := range b {
		a = a.with(v)
	}
	return a
}

func (s some) with(v starlark.Value) some {
	if v == starlark.Value(unknown) || len(s) > 0 && !s.known() {
		return anything
	}
	sort := sortOf(v)
	for i, old := range s {
		if sortOf(old) == sort {
			return s
		}
		if both := joinContainers(old, v); both != nil {
			s = slices.Clone(s)
			s[i] = both
			return s
		}
	}
	if len(s) == maxSorts {
		return anything
	}
	return append(slices.Clip(s), v)
}

func joinContainers(a, b starlark.Value) starlark.Value {
	switch a := a.(type) {
	case *starlark.List:
		if b, ok := b.(*starlark.List); ok {
			return listOf(join(elements(a), elements(b)))
		}
	case *starlark.Set:
		if b, ok := b.(*starlark.Set); ok {
			return setOf(join(elements(a), elements(b)))
		}
	case *starlark.Dict:
		if b, ok := b.(*starlark.Dict); ok {
			return dictOf(join(elements(a), elements(b)), join(dictValues(a), dictValues(b)))
		}
	}
	return nil
}

// sortOf names the sort that a stand-in is of.
func sortOf(v starlark.Value) string {
	switch v := v.(type) {
	case *starlark.List:
		return "[" + sortsOf(elements(v)) + "]"
	case *starlark.Set:
		return "set(" + sortsOf(elements(v)) + ")"
	case *starlark.Dict:
		return "{" + sortsOf(elements(v)) + ":" + sortsOf(dictValues(v)) + "}"
	case starlark.Tuple:
		sorts := make([]string, len(v))
		for i, e := range v {
			sorts[i] = sortOf(e)
		}
		return "(" + strings.Join(sorts, ",") + ")"
	case *starlarkstruct.Struct:
		text := "struct("
		for _, name := range v.AttrNames() {
			field, _ := v.Attr(name) // it has that name
			text += name + "=" + sortOf(field) + ","
		}
		return text + ")"
	case *lintFunction:
		return "function " + functionStart(v.fn.node).String()
	case *starlark.Builtin:
		if v.Receiver() != nil {
			return sortOf(v.Receiver()) + "." + v.Name()
		}
		return "built-in " + v.Name()
	case *outcomeValue:
		return "outcome(" + sortOf(v.value) + ")"
	}
	return v.Type()
}

// sortsOf names the sorts that a value can be of, in one order.
func sortsOf(s some) string {
	sorts := make([]string, len(s))
	for i, v := range s {
		sorts[i] = sortOf(v)
	}
	slices.Sort(sorts)
	return strings.Join(slices.Compact(sorts), "|")
}

// iterate gives what a loop over a value sees, and whether there can be such a loop.
func iterate(v starlark.Value) (some, bool) {
	if v == starlark.Value(unknown) {
		return anything, true
	}
	list, ok := v.(starlark.Iterable)
	if !ok {
		return nil, false
	}
	var all some
	for e := range starlark.Elements(list) {
		all = all.with(general(e))
	}
	return all, true
}

func elements(v starlark.Iterable) some {
	all, _ := iterate(v)
	return all
}

func dictValues(d *starlark.Dict) some {
	var all some
	for _, item := range d.Items() {
		all = all.with(item[1])
	}
	return all
}

// tooLarge reports whether there is more in a value than is looked at.
func tooLarge(v starlark.Value) bool {
	depth, parts := measure(v)
	return depth >= maxNesting || parts > maxInside
}

// measure counts how deep containers lie in each other, and all that is in them.
func measure(v starlark.Value) (depth, parts int) {
	look := func(all some) {
		for _, e := range all {
			d, p := measure(e)
			depth, parts = max(depth, d), parts+p
		}
	}
	switch v := v.(type) {
	case *starlark.List:
		look(elements(v))
	case *starlark.Set:
		look(elements(v))
	case *starlark.Dict:
		look(dictValues(v))
	case starlark.Tuple:
		look(some(v))
	case *starlarkstruct.Struct:
		for _, name := range v.AttrNames() {
			field, _ := v.Attr(name) // it has that name
			look(some{field})
		}
	case *outcomeValue:
		look(some{v.value})
	default:
		return 0, 1
	}
	return depth + 1, parts + 1
}

// inside is what a container is filled with, unless that lies too deep.
func inside(s some) some {
	if slices.ContainsFunc(s, tooLarge) {
		return anything
	}
	return s
}

// A list, a set and the values of a dict hold one stand-in for each sort of element.
func listOf(s some) *starlark.List { return starlark.NewList(slices.Clone(inside(s))) }

func setOf(s some) starlark.Value {
	set := starlark.NewSet(len(s))
	for _, v := range s {
		if set.Insert(v) != nil {
			return setOf(anything)
		}
	}
	return set
}

func dictOf(keys, values some) *starlark.Dict {
	dict := starlark.NewDict(len(values))
	keys, values = inside(keys), inside(values)
	for i := range max(len(keys), len(values)) {
		if len(keys) == 0 || len(values) == 0 {
			break
		}
		key := keys[min(i, len(keys)-1)]
		if _, ok := key.(starlark.String); ok {
			key = starlark.String(strings.Repeat(".", 3+i))
		}
		if _, taken, err := dict.Get(key); taken || err != nil {
			return dictOf(anything, anything)
		}
		dict.SetKey(key, values[min(i, len(values)-1)]) //nolint:errcheck // it can be hashed
	}
	return dict
}

// product makes a value of each choice of one stand-in from each of several.
func product(parts []some, make func([]starlark.Value)) {
	n := 1
	for _, p := range parts {
		n = min(n*len(p), maxSorts+1)
	}
	parts = slices.Clone(parts)
	for i, p := range parts {
		if n > maxSorts && len(p) > 1 {
			parts[i] = anything
		}
	}
	choose(parts, nil, make)
}

func choose(parts []some, chosen []starlark.Value, make func([]starlark.Value)) {
	if len(parts) == 0 {
		make(slices.Clone(chosen))
		return
	}
	for _, v := range parts[0] {
		choose(parts[1:], append(chosen, v), make)
	}
}

// general turns a value into the stand-in of its sort: a copy, so that what is done to it
// is done to nothing else.
func general(v starlark.Value) starlark.Value {
	switch v := v.(type) {
	case starlark.String:
		return aText
	case starlark.Int:
		return aNumber
	case starlark.Float:
		return starlark.Float(1)
	case starlark.Bool:
		return starlark.True
	case *starlark.List:
		return listOf(elements(v))
	case *starlark.Set:
		return setOf(elements(v))
	case *starlark.Dict:
		var values some
		for _, x := range dictValues(v) {
			values = values.with(general(x))
		}
		return dictOf(elements(v), values)
	case starlark.Tuple:
		t := make(starlark.Tuple, len(v))
		for i, e := range v {
			t[i] = general(e)
		}
		if tooLarge(t) {
			return unknown
		}
		return t
	case *starlarkstruct.Struct:
		fields := starlark.StringDict{}
		v.ToStringDict(fields)
		for name, field := range fields {
			fields[name] = general(field)
		}
		if v := starlarkstruct.FromStringDict(v.Constructor(), fields); !tooLarge(v) {
			return v
		}
		return unknown
	}
	return v
}
