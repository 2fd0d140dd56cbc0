package starlib

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"

	"go.starlark.net/starlark"

	"palhm/runtime/host"
)

// HostFacts reads the facts of this host: its name (see host.Name), its architecture as
// Go names it, the CPUs that this process may use, and os-release(5). A host without an
// os-release has an empty OS. lookup reads the environment.
func HostFacts(lookup func(string) (string, bool)) (Host, error) {
	name, err := host.Name(lookup)
	if err != nil {
		return Host{}, err
	}
	h := Host{Name: name, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), OS: map[string]string{}}
	for _, file := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		text, err := readText(func(flag int) (*os.File, error) { return os.OpenFile(file, flag, 0) }, maxSource)
		if err == nil {
			h.OS = parseOSRelease(text)
			return h, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return Host{}, fmt.Errorf("read %s: %w", file, err)
		}
	}
	return h, nil
}

// parseOSRelease reads shell assignments as os-release(5) allows them: no
// expansion, quotes of either kind, backslashes before special characters. Lines
// of another form are passed over.
func parseOSRelease(text string) map[string]string {
	fields := map[string]string{}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		name, value, ok := strings.Cut(strings.TrimSpace(lines.Text()), "=")
		if ok && name != "" && !strings.HasPrefix(name, "#") {
			fields[strings.ToLower(name)] = unquoteShell(value)
		}
	}
	return fields
}

func unquoteShell(s string) string {
	if len(s) >= 2 && s[0] == '\'' && s[len(s)-1] == '\'' {
		return s[1 : len(s)-1]
	}
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func hostBuiltin() *builtin {
	return &builtin{
		Doc: Doc{
			Name: "host",
			Text: `This host: .name, .arch (such as "amd64"), .cpus, and .os, the fields of os-release in lower case: host.os.id,
host.os.version_id. A field that not every system has is read with getattr(host.os, "id_like", "").

The name is $PALHM_HOST, else what the kernel has. It is the same before and after settings(host = ...), which is for copies, locks and
mails only.`,
		},
		value: func(l *loader) starlark.Value {
			h := l.cfg.Host
			release := map[string]starlark.Value{}
			for name, value := range h.OS {
				release[name] = starlark.String(value)
			}
			osFacts := &factsValue{loader: l, name: "host.os", fields: release}
			return &factsValue{loader: l, name: "host", fields: map[string]starlark.Value{
				"name": starlark.String(h.Name), "arch": starlark.String(h.Arch), "cpus": starlark.MakeInt(h.CPUs), "os": osFacts,
			}}
		},
	}
}

// factsValue is a struct that notes which of its fields are read.
type factsValue struct {
	loader *loader
	name   string
	fields map[string]starlark.Value
}

var _ starlark.HasAttrs = (*factsValue)(nil)

func (f *factsValue) String() string {
	var parts []string
	for _, n := range f.AttrNames() {
		parts = append(parts, fmt.Sprintf("%s = %s", n, f.fields[n]))
	}
	return f.name + "(" + strings.Join(parts, ", ") + ")"
}
func (f *factsValue) Type() string          { return f.name }
func (f *factsValue) Freeze()               {}
func (f *factsValue) Truth() starlark.Bool  { return true }
func (f *factsValue) Hash() (uint32, error) { return unhashable(f) }

// Attr gives a fact, and records that it was asked for.
func (f *factsValue) Attr(name string) (starlark.Value, error) {
	v := f.fields[name]
	if _, nested := v.(*factsValue); !nested {
		f.loader.input("host", strings.TrimPrefix(f.name+"."+name, "host."))
	}
	return v, nil
}

// AttrNames lists the facts.
func (f *factsValue) AttrNames() []string { return slices.Sorted(maps.Keys(f.fields)) }
