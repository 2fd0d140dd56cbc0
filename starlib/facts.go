package starlib

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"go.starlark.net/starlark"

	"palhm/runtime/host"
)

func envBuiltin() *builtin {
	return &builtin{
		Doc: Doc{
			Name:    "env",
			Returns: "string, or the default",
			Text:    `A variable of palhm's environment, while the site loads. For a password use secret(env = ...).`,
			Params: []Param{
				{Name: "name", Type: "string", Doc: "the variable"},
				{Name: "default", Type: "any", Default: "None", Doc: "the result when it is not set"},
			},
		},
		loading: "read it at the top level, and use the value here",
		run: func(c *call) (starlark.Value, error) {
			var name string
			fallback := starlark.Value(starlark.None)
			err := c.unpack(func(param string, v starlark.Value) (err error) {
				if param == "default" {
					fallback = v
					return nil
				}
				name, err = envName(v)
				return err
			})
			if err != nil {
				return nil, err
			}
			c.l.input("env", name)
			if value, ok := c.l.cfg.LookupEnv(name); ok {
				return starlark.String(value), nil
			}
			return fallback, nil
		},
	}
}

const pathDoc = `an absolute path of the host, or a label: "//x" (from the site's directory), "./x" or "../x" (from the file that has the call)`

func readFileBuiltin() *builtin {
	return &builtin{
		Doc: Doc{
			Name:    "read_file",
			Returns: "string",
			Text:    `The text of a file, while the site loads: UTF-8, at most 16 MiB.`,
			Params: []Param{
				{Name: "path", Type: "string", Doc: pathDoc},
			},
		},
		loading: "ctx.read(path) reads a file of the host now",
		run: func(c *call) (starlark.Value, error) {
			at, err := c.location()
			if err != nil {
				return nil, err
			}
			c.l.input("file", at.String())
			defer c.l.busy("reading " + at.String())()
			text, err := readText(at.open, maxText)
			if err != nil {
				return nil, &argError{0, "path", "", fmt.Errorf("%s: %w", at, err)}
			}
			return starlark.String(text), nil
		},
	}
}

func pathExistsBuiltin() *builtin {
	return &builtin{
		Doc: Doc{
			Name:    "path_exists",
			Returns: "bool",
			Text:    `Whether there is a file or directory, while the site loads. Symbolic links are followed.`,
			Params: []Param{
				{Name: "path", Type: "string", Doc: pathDoc},
			},
		},
		loading: "ctx.exists(path) looks now",
		run: func(c *call) (starlark.Value, error) {
			at, err := c.location()
			if err != nil {
				return nil, err
			}
			c.l.input("path", at.String())
			defer c.l.busy("looking at " + at.String())()
			err = at.stat()
			if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
				return starlark.False, nil
			}
			if err != nil {
				return nil, &argError{0, "path", "", fmt.Errorf("%s: %w", at, reason(err))}
			}
			return starlark.True, nil
		},
	}
}

func globBuiltin() *builtin {
	return &builtin{
		Doc: Doc{
			Name:    "glob",
			Returns: "list of strings",
			Text: `The paths that match a pattern, sorted, while the site loads. "*" and "?" match within a component, as in [a-z].
The matches of a label are labels.`,
			Params: []Param{
				{Name: "path", Type: "string", Doc: pathDoc},
			},
		},
		loading: "call it at the top level, and use the list here",
		run: func(c *call) (starlark.Value, error) {
			at, err := c.location()
			if err != nil {
				return nil, err
			}
			c.l.input("glob", at.String())
			defer c.l.busy("looking for " + at.String())()
			matches, err := at.glob()
			if err != nil {
				return nil, &argError{0, "path", "", fmt.Errorf("pattern %s: %w", at, reason(err))}
			}
			list := make([]starlark.Value, len(matches))
			for i, m := range matches {
				list[i] = starlark.String(m)
			}
			return starlark.NewList(list), nil
		},
	}
}

// A location is a file of the host, or one below the site's directory.
type location struct {
	host  string   // absolute; "" = a label
	root  *os.Root // of the site, for a label
	label label
}

// location reads the one argument of a built-in that names a file.
func (c *call) location() (at location, err error) {
	err = c.unpack(func(_ string, v starlark.Value) error {
		var s string
		if err := toString(&s, v); err != nil {
			return err
		}
		from := c.l.byName[c.caller().File]
		if strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "//") {
			at.host = s
			return nil
		}
		if !strings.HasPrefix(s, "//") && !strings.HasPrefix(s, "./") && !strings.HasPrefix(s, "../") {
			return fmt.Errorf("got %s, want a path; %s", short(v), pathDoc)
		}
		var err error
		at.label, err = from.label.resolve(s)
		if err == nil && at.label.owner != "" {
			return fmt.Errorf("got %s; a standard module has no files of its own", short(v))
		}
		at.root = c.l.root
		return err
	})
	return at, err
}

func (at location) String() string {
	if at.host != "" {
		return at.host
	}
	return at.label.String()
}

func (at location) open(flag int) (*os.File, error) {
	if at.host != "" {
		return os.OpenFile(at.host, flag, 0)
	}
	return at.root.OpenFile(at.label.path, flag, 0)
}

func (at location) stat() error {
	var err error
	if at.host != "" {
		_, err = os.Stat(at.host)
	} else {
		_, err = at.root.Stat(at.label.path)
	}
	return err
}

func (at location) glob() ([]string, error) {
	if at.host != "" {
		matches, err := filepath.Glob(at.host)
		slices.Sort(matches)
		return matches, err
	}
	matches, err := fs.Glob(at.root.FS(), at.label.path)
	for i, m := range matches {
		matches[i] = "//" + m
	}
	slices.Sort(matches)
	return matches, err
}

func whichBuiltin() *builtin {
	return &builtin{
		Doc: Doc{
			Name:    "which",
			Returns: "string or None",
			Text:    `The path of a program, sought in PATH while the site loads as an exec would seek it, or None.`,
			Params: []Param{
				{Name: "name", Type: "string", Doc: "the program; with a slash it is an absolute path"},
			},
		},
		loading: "call it at the top level, and use the value here",
		run: func(c *call) (starlark.Value, error) {
			var name string
			err := c.unpack(func(_ string, v starlark.Value) error {
				if err := toString(&name, v); err != nil {
					return err
				}
				if name == "" || strings.Contains(name, "/") && !path.IsAbs(name) {
					return fmt.Errorf("got %s, want the name of a program or an absolute path", short(v))
				}
				return nil
			})
			if err != nil {
				return nil, err
			}
			c.l.input("which", name)
			defer c.l.busy("looking for " + name)()
			if p := c.l.findProgram(name); p != "" {
				return starlark.String(p), nil
			}
			return starlark.None, nil
		},
	}
}

// findProgram returns the absolute path of the file that an exec of that name would
// run in the current directory, or "".
func (l *loader) findProgram(name string) string {
	var environ []string
	if path, ok := l.cfg.LookupEnv("PATH"); ok {
		environ = []string{"PATH=" + path}
	}
	found, err := host.FindProgram(name, l.cfg.Dir, environ)
	if err != nil {
		return ""
	}
	switch {
	case path.IsAbs(found):
		return found
	case l.cfg.Dir == "":
		return ""
	}
	return filepath.Join(l.cfg.Dir, found)
}
