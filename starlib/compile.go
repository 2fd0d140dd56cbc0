package starlib

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"palhm/starlib/std"
)

// compile checks the names of a module and makes it ready to run. The modules
// that it loads are compiled already.
func (l *loader) compile(m *module) {
	if m.tree == nil {
		return
	}
	predeclared := l.predeclared
	if m.label.owner == standardOwner {
		predeclared = l.standard
	}
	program, err := starlark.FileProgram(m.tree, predeclared.Has)
	var list resolve.ErrorList
	switch {
	case errors.As(err, &list):
		l.blameResolve(m, list)
	case err != nil:
		l.add(l.blameSyntax(m, err))
	}
	m.program = program
	m.names = map[string]bool{}
	if globals, ok := m.tree.Module.(*resolve.Module); ok {
		for _, b := range globals.Globals {
			m.names[b.First.Name] = true
			l.checkShadowing(m, b.First)
		}
	}
	for _, edge := range m.loads {
		l.checkLoad(m, edge)
	}
	m.tree = nil // large, and of no use any more
}

// checkShadowing refuses a top-level name that is one of palhm's. Without this,
// "backup = backup(...)" would work once, and the next call would be of a task.
func (l *loader) checkShadowing(m *module, id *syntax.Ident) {
	if !l.predeclared.Has(id.Name) || slices.Contains(exhaustive(), id.Name) {
		return
	}
	other, keeps := "my_"+id.Name, ""
	if id.Name == "backup" || id.Name == "routine" {
		other, keeps = "nightly_"+id.Name, ", the task keeps the name that you pass in quotes"
	}
	l.add(l.at(m, id.NamePos, fmt.Sprintf("`%s` is palhm's; call yours `%s`%s", id.Name, other, keeps)))
}

// checkLoad reports names that the loaded module does not have.
func (l *loader) checkLoad(m *module, edge loadEdge) {
	for i, from := range edge.stmt.From {
		l.checkShadowing(m, edge.stmt.To[i])
		target := edge.target
		if target == nil || target.names == nil || target.names[from.Name] || strings.HasPrefix(from.Name, "_") {
			continue
		}
		e := l.at(m, from.NamePos, fmt.Sprintf("%s has no name %q", target.label, from.Name))
		names := slices.DeleteFunc(slices.Sorted(maps.Keys(target.names)), func(n string) bool { return n[0] == '_' })
		if n := Nearest(from.Name, names); n != "" {
			e.Hint = fmt.Sprintf("did you mean %q?", n)
		} else if len(names) > 0 {
			e.Hint = "it has " + joinWords(names)
		}
		l.add(e)
	}
}

// undefinedHint finds what an undefined name may have been meant to be.
func (l *loader) undefinedHint(m *module, name string, line int) string {
	if globals, ok := m.tree.Module.(*resolve.Module); ok {
		for _, b := range globals.Globals {
			if b.First.Name == name {
				return fmt.Sprintf("%s is defined below, in line %d; a name is defined before it is used", name, b.First.NamePos.Line)
			}
		}
	}
	if meant := map[string]string{"true": "True", "false": "False", "null": "None", "nil": "None", "none": "None"}[name]; meant != "" {
		return fmt.Sprintf("write %s", meant)
	}
	if text := unsupported[name]; text != "" {
		return text
	}
	if at := l.standardNames()[name]; at != "" && m.label.owner == "" {
		return fmt.Sprintf("it comes from a standard module: load(%q, %q)", at, name)
	}
	candidates := slices.Concat(slices.Sorted(maps.Keys(l.predeclared)), m.definedNames(), slices.Sorted(maps.Keys(starlark.Universe)))
	if n := Nearest(name, candidates); n != "" && n != name {
		return fmt.Sprintf("did you mean %s?", n)
	}
	if n := Nearest(name, slices.Sorted(maps.Keys(l.standardNames()))); n != "" {
		return fmt.Sprintf("did you mean %s? load(%q, %q)", n, l.standardNames()[n], n)
	}
	return ""
}

// definedNames is every name that the file defines or loads anywhere.
func (m *module) definedNames() []string {
	names := map[string]bool{}
	syntax.Walk(m.tree, func(n syntax.Node) bool {
		if id, ok := n.(*syntax.Ident); ok && id.Binding != nil {
			if b := id.Binding.(*resolve.Binding); b.Scope != resolve.Undefined {
				names[id.Name] = true
			}
		}
		return true
	})
	return slices.Sorted(maps.Keys(names))
}

// standardLabels lists the standard modules.
func standardLabels() []string {
	files, _ := fs.Glob(std.Files, "*.star") // the pattern is good
	for i, f := range files {
		files[i] = label{standardOwner, f}.String()
	}
	return files
}

// standardNames maps what the standard modules offer to the module's label. Only
// errors ask, so the modules are parsed for it.
func (l *loader) standardNames() map[string]string {
	if l.exports == nil {
		l.exports = map[string]string{}
		for _, m := range standardModules() {
			for _, d := range m.Names {
				l.exports[d.Name] = m.Label
			}
		}
	}
	return l.exports
}

func joinWords(words []string) string { return strings.Join(words, ", ") }
