package starlib

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"go.starlark.net/starlark"

	"palhm/runtime/plan"
)

const (
	defaultDirMode   = 0o750
	defaultFileMode  = 0o640
	defaultBlockSize = 1 << 20
	minBlockSize     = 4 << 10
	maxBlockSize     = 64 << 20
)

func localfsBuiltin() *builtin {
	return &builtin{
		Doc: Doc{
			Name: "localfs",
			Text: `A directory that holds copies. A limit is exact, whatever its size; "Infinity" switches it off.
The newest copy is never rotated away, so peak use is root_size_limit plus one copy.`,
			Params: []Param{
				{Name: "root", Type: "string", Doc: "the directory; a relative one is meant from the current directory"},
				{Name: "dmode", Type: "string", Default: `"750"`, KeywordOnly: true, Doc: "octal permission bits of directories"},
				{Name: "fmode", Type: "string", Default: `"640"`, KeywordOnly: true, Doc: "octal permission bits of files; the owner has to be able to read"},
				{Name: "nb_copy_limit", Type: "number or string", Default: `"Infinity"`, KeywordOnly: true, Doc: "how many copies stay, at least 1"},
				{Name: "root_size_limit", Type: "size", Default: `"Infinity"`, KeywordOnly: true, Doc: `how many bytes the copies may take together: a number, or a string such as "1.5TiB" or "300GB"`},
				{Name: "block_size", Type: "size", Default: `"1MiB"`, KeywordOnly: true, Doc: `how much is written at a time, "4KiB" to "64MiB"; a large object takes twice as much memory`},
				{Name: "require_mount", Type: "bool", Default: "False", KeywordOnly: true, Doc: "fail when root is not on a mounted file system of its own"},
			},
		},
		run: func(c *call) (starlark.Value, error) {
			b := &backendValue{dir: c.l.cfg.Dir, backend: plan.Backend{Kind: "localfs", Pos: c.caller(), LocalFS: &plan.LocalFS{
				DirMode: defaultDirMode, FileMode: defaultFileMode, BlockSize: defaultBlockSize,
			}}}
			return b, c.unpack(b.setLocalFS)
		},
		broken: brokenBackend,
	}
}

func nullBuiltin() *builtin {
	return &builtin{
		Doc: Doc{Name: "null", Text: `A backend that runs everything and keeps nothing.`},
		run: func(c *call) (starlark.Value, error) {
			return &backendValue{backend: plan.Backend{Kind: "null", Pos: c.caller()}}, c.unpack(noArguments)
		},
		broken: brokenBackend,
	}
}

func brokenBackend(c *call) starlark.Value {
	return &backendValue{backend: plan.Backend{Kind: "null", Pos: c.caller()}}
}

// backendValue is a backend as a site sees it.
type backendValue struct {
	dir     string // what a relative path is meant from
	backend plan.Backend
}

func (b *backendValue) String() string {
	if root := b.backend.Root(); root != "" {
		return fmt.Sprintf("%s(%q)", b.backend.Kind, root)
	}
	return b.backend.Kind + "()"
}
func (b *backendValue) Type() string          { return "backend" }
func (b *backendValue) Freeze()               {}
func (b *backendValue) Truth() starlark.Bool  { return true }
func (b *backendValue) Hash() (uint32, error) { return unhashable(b) }

func (b *backendValue) setLocalFS(name string, v starlark.Value) error {
	fs := b.backend.LocalFS
	switch name {
	case "root":
		return toRoot(&fs.Root, v, b.dir)
	case "dmode":
		return toMode(&fs.DirMode, v)
	case "fmode":
		return toFileMode(&fs.FileMode, v)
	case "nb_copy_limit":
		return toLimit(&b.backend.Limits.Copies, v, false)
	case "root_size_limit":
		return toLimit(&b.backend.Limits.Bytes, v, true)
	case "block_size":
		return toBlockSize(&fs.BlockSize, v)
	case "require_mount":
		return toBool(&fs.RequireMount, v)
	}
	panic("localfs has no parameter " + name)
}

func toRoot(dst *string, v starlark.Value, dir string) error {
	var root string
	if err := toString(&root, v); err != nil {
		return err
	}
	if root == "" {
		return errors.New("is empty, want a directory")
	}
	if err := shellPath(root); err != nil {
		return err
	}
	switch {
	case filepath.IsAbs(root):
	case dir == "":
		return fmt.Errorf("got %s, want an absolute path: there is no current directory", short(v))
	default:
		root = filepath.Join(dir, root)
	}
	*dst = filepath.Clean(root)
	return nil
}

func toBlockSize(dst *int64, v starlark.Value) error {
	var n int64
	if err := toSize(&n, v); err != nil {
		return err
	}
	if n < minBlockSize || n > maxBlockSize {
		return fmt.Errorf(`got %s, want "4KiB" to "64MiB"`, short(v))
	}
	*dst = n
	return nil
}

func toBackend(dst *plan.Backend, v starlark.Value) error {
	b, ok := v.(*backendValue)
	if !ok {
		hint := callHint(v)
		if s, isString := v.(starlark.String); isString {
			hint = fmt.Sprintf("; a directory is written localfs(%s)", short(v))
			if strings.HasPrefix(string(s), "s3:") {
				hint = `; a bucket is written aws_s3("bucket", "root")`
			}
		}
		return fmt.Errorf("got %s, want a backend%s", describe(v), hint)
	}
	*dst = b.backend
	return nil
}
