package starlib

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.starlark.net/starlark"

	"palhm/runtime/plan"
)

func groupBuiltin() *builtin {
	return &builtin{
		Doc: Doc{
			Name: "group",
			Text: `Objects that may be made at the same time, after all objects of the groups that the group depends on.`,
			Params: []Param{
				{Name: "name", Type: "string", Doc: "for logs; two groups of one backup cannot share it"},
				{Name: "objects", Type: "list of objects, or function", Default: "[]", Doc: "may be empty. A function is called with ctx when the group's turn has come, and returns the list: one dump for each database that there is then"},
				{Name: "depends", Type: "list of groups", Default: "[]", KeywordOnly: true, Doc: "the groups themselves, not their names"},
			},
		},
		run: func(c *call) (starlark.Value, error) {
			g := &groupValue{l: c.l, pos: c.caller()}
			err := c.unpack(g.set)
			c.l.groups = append(c.l.groups, g)
			return g, err
		},
		broken: func(c *call) starlark.Value { return &groupValue{name: "?", pos: c.caller(), broken: true} },
	}
}

// groupValue is a group as a site sees it. A group can only depend on groups that
// were made before it, so there is no cycle.
type groupValue struct {
	l       *loader
	name    string
	pos     plan.Pos
	objects []*objectValue
	make    *plan.ObjectsCall // gives further ones while the backup runs
	depends []*groupValue
	broken  bool
}

var _ starlark.HasAttrs = (*groupValue)(nil)

func (g *groupValue) String() string        { return fmt.Sprintf("group(%q)", g.name) }
func (g *groupValue) Type() string          { return "group" }
func (g *groupValue) Freeze()               {}
func (g *groupValue) Truth() starlark.Bool  { return true }
func (g *groupValue) Hash() (uint32, error) { return unhashable(g) }

func (g *groupValue) set(name string, v starlark.Value) error {
	switch name {
	case "name":
		return toName(&g.name, v)
	case "objects":
		if fn, ok := v.(*starlark.Function); ok {
			return g.objectsFrom(fn)
		}
		return toObjects(&g.objects, v)
	case "depends":
		return toGroups(&g.depends, v)
	}
	panic("group has no parameter " + name)
}

func (g *groupValue) objectsFrom(fn *starlark.Function) error {
	f, err := g.l.toFunction(fn)
	if err == nil {
		g.make = &plan.ObjectsCall{Name: fn.Name(), Doc: docLine(fn), Func: f}
	}
	return err
}

// Attr gives the parts of a group that a site may look at.
func (g *groupValue) Attr(name string) (starlark.Value, error) {
	var list starlark.Tuple
	switch name {
	case "name":
		return starlark.String(g.name), nil
	case "objects":
		for _, o := range g.objects {
			list = append(list, o)
		}
		return list, nil
	case "depends":
		for _, d := range g.depends {
			list = append(list, d)
		}
		return list, nil
	}
	return nil, nil
}

// AttrNames lists the attributes.
func (g *groupValue) AttrNames() []string { return []string{"depends", "name", "objects"} }

// toGroups reads a list of groups.
func toGroups(dst *[]*groupValue, v starlark.Value) error {
	if g, ok := v.(*groupValue); ok {
		return fmt.Errorf("got the group %q, want a list of groups; put it in brackets: [ ... ]", g.name)
	}
	return eachElement(v, "groups", func(v starlark.Value) error {
		switch v := v.(type) {
		case *groupValue:
			*dst = append(*dst, v)
			return nil
		case starlark.String:
			return fmt.Errorf("got %s, want a group: the value that group(...) gave, not its name", describe(v))
		case *objectValue:
			return errors.New("got an object, want a group; objects are given in objects = [ ... ]")
		}
		return fmt.Errorf("got %s, want a group", describe(v))
	})
}

const maxName = 200 // bytes

// toName reads the name of a group: anything that stands well in a log.
func toName(dst *string, v starlark.Value) error {
	s, ok := starlark.AsString(v)
	switch {
	case !ok:
		return fmt.Errorf("got %s, want a name in quotes", describe(v))
	case s == "" || strings.TrimSpace(s) != s:
		return fmt.Errorf("name %q is empty or has blanks at its ends", clip(s))
	case len(s) > maxName:
		return fmt.Errorf("name %q is %d bytes long, the longest is %d", clip(s), len(s), maxName)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("name %q has a character that cannot be printed", clip(s))
	}
	*dst = s
	return nil
}
