package starlib

import (
	"fmt"

	"go.starlark.net/starlark"

	"palhm/runtime/plan"
)

func objectBuiltin() *builtin {
	return &builtin{
		Doc: Doc{
			Name: "object",
			Text: `One file of a backup: its path in the copy, and the command whose stdout it is.`,
			Params: []Param{
				{Name: "path", Type: "string", Doc: "relative to the copy, separated by slashes"},
				{Name: "pipeline", Type: "exec or pipeline", Doc: "what makes it"},
				{Name: "alloc_size", Type: "size", Default: "None", KeywordOnly: true, Doc: `the expected size, such as "256MiB": space is reserved for it`},
				{Name: "min_size", Type: "size", Default: "None", KeywordOnly: true, Doc: "a smaller result is a failure: an empty dump is no backup. None is 1 byte, and nothing for a backup to null(): where an empty object is right, say 0"},
				{Name: "timeout", Type: "duration", Default: "None", KeywordOnly: true, Doc: "of one attempt; None is no limit"},
				{Name: "retry", Type: "int", Default: "0", KeywordOnly: true, Doc: "how often to try again after a failure"},
			},
		},
		run: func(c *call) (starlark.Value, error) {
			o := &objectValue{o: &plan.Object{Pos: c.caller()}}
			err := c.unpack(o.set)
			c.l.objects = append(c.l.objects, o)
			return o, err
		},
		broken: func(c *call) starlark.Value { return &objectValue{o: &plan.Object{Pos: c.caller()}, broken: true} },
	}
}

const maxRetry = 1000

// objectValue is an object as a site sees it.
type objectValue struct {
	o      *plan.Object
	broken bool
}

var _ starlark.HasAttrs = (*objectValue)(nil)

func (o *objectValue) String() string        { return fmt.Sprintf("object(%q)", o.o.Path) }
func (o *objectValue) Type() string          { return "object" }
func (o *objectValue) Freeze()               {}
func (o *objectValue) Truth() starlark.Bool  { return true }
func (o *objectValue) Hash() (uint32, error) { return unhashable(o) }

func (o *objectValue) set(name string, v starlark.Value) error {
	switch name {
	case "path":
		if err := toString(&o.o.Path, v); err != nil {
			return err
		}
		return plan.CheckPath(o.o.Path)
	case "pipeline":
		p, err := toCommand(v)
		if err == nil {
			o.o.Pipeline = p.stages
		}
		return err
	case "alloc_size":
		return toSize(&o.o.AllocSize, v)
	case "min_size":
		o.o.MinSize = new(int64)
		return toSize(o.o.MinSize, v)
	case "timeout":
		return toTimeout(&o.o.Timeout, v)
	case "retry":
		return toInt(&o.o.Retry, v, 0, maxRetry)
	}
	panic("object has no parameter " + name)
}

// Attr gives the parts of an object that a site may look at.
func (o *objectValue) Attr(name string) (starlark.Value, error) {
	switch name {
	case "path":
		return starlark.String(o.o.Path), nil
	case "pipeline":
		return &pipelineValue{stages: o.o.Pipeline, broken: o.broken}, nil
	}
	return nil, nil
}

// AttrNames lists the attributes.
func (o *objectValue) AttrNames() []string { return []string{"path", "pipeline"} }

// toObjects reads a list of objects.
func toObjects(dst *[]*objectValue, v starlark.Value) error {
	switch v := v.(type) {
	case *objectValue:
		return fmt.Errorf("got an object, want a list of objects; put it in brackets: [ ... ]")
	case *starlark.Function:
		return fmt.Errorf("got the function %s, want a list of objects; a function gives the objects of a group: group(\"name\", objects = %s)", v.Name(), v.Name())
	}
	return eachElement(v, "objects", func(v starlark.Value) error {
		o, ok := v.(*objectValue)
		if !ok {
			return fmt.Errorf("got %s, want an object%s", describe(v), objectHint(v))
		}
		*dst = append(*dst, o)
		return nil
	})
}

func objectHint(v starlark.Value) string {
	switch v.(type) {
	case *execValue, *pipelineValue:
		return fmt.Sprintf(`; give it a path: object("name", %s)`, clip(v.String()))
	case *starlark.List:
		return "; lists are joined with +"
	case *groupValue:
		return "; groups are given in groups = [ ... ] of a backup"
	}
	return ""
}
