package starlib

import (
	"fmt"

	"go.starlark.net/starlark"
)

func fileBuiltin() *builtin {
	return &builtin{
		Doc: Doc{
			Name: "file",
			Text: `A file for the stdin of an exec. It is opened when the process starts.`,
			Params: []Param{
				{Name: "path", Type: "string", Doc: "an absolute path"},
			},
		},
		run: func(c *call) (starlark.Value, error) {
			f := &fileValue{}
			return f, c.unpack(func(_ string, v starlark.Value) error { return toAbsolute(&f.path, v) })
		},
		broken: func(*call) starlark.Value { return &fileValue{path: "/?"} },
	}
}

// fileValue names a file of the host.
type fileValue struct{ path string }

func (f *fileValue) String() string        { return fmt.Sprintf("file(%q)", f.path) }
func (f *fileValue) Type() string          { return "file" }
func (f *fileValue) Freeze()               {}
func (f *fileValue) Truth() starlark.Bool  { return true }
func (f *fileValue) Hash() (uint32, error) { return unhashable(f) }
