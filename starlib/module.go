package starlib

import (
	"strings"
	"sync"
	"unicode/utf8"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"palhm/runtime/plan"
)

// dialect is the Starlark that sites are written in. What is off can be switched
// on later, and never the other way round.
var dialect = &syntax.FileOptions{Set: true, TopLevelControl: true, GlobalReassign: true}

// A module is a file that takes part in a site: the site file, or one that a load
// statement names.
type module struct {
	label    label
	name     string // as shown to a person
	text     string
	sum      string // SHA-256 of text, hex
	lines    []int  // where each line of text begins
	tree     *syntax.File
	loads    []loadEdge
	loadedBy plan.Pos // the load statement that first named it; zero for the site

	program *starlark.Program
	globals starlark.StringDict
	names   map[string]bool // what it offers to others
	failed  bool            // it has no globals that are of use
	calls   func() map[callKey]*syntax.CallExpr
}

// A loadEdge is a load statement.
type loadEdge struct {
	stmt   *syntax.LoadStmt
	target *module // nil when it could not be read
}

func newModule(l label, name, text string) *module {
	m := &module{label: l, name: name, text: text, lines: []int{0}}
	for i := range len(text) {
		if text[i] == '\n' {
			m.lines = append(m.lines, i+1)
		}
	}
	m.calls = sync.OnceValue(m.findCalls)
	return m
}

// own reports whether the file belongs to the site, and not to palhm.
func (m *module) own() bool { return m.label.owner == "" }

// line gives the text of a line, from 1.
func (m *module) line(n int) string {
	if n < 1 || n > len(m.lines) {
		return ""
	}
	line, _, _ := strings.Cut(m.text[m.lines[n-1]:], "\n")
	return line
}

// callStart moves the position of a call, which Starlark gives as that of its
// parenthesis, to the beginning of the called name.
func (m *module) callStart(p plan.Pos) plan.Pos {
	line := m.line(p.Line)
	offset := 0
	for range p.Col - 1 {
		if offset >= len(line) {
			return p
		}
		_, n := utf8.DecodeRuneInString(line[offset:])
		offset += n
	}
	if offset >= len(line) || line[offset] != '(' {
		return p
	}
	for offset > 0 && isNameByte(line[offset-1]) {
		offset--
		p.Col--
	}
	return p
}

func isNameByte(c byte) bool {
	return c == '_' || c == '.' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// A callKey is the position of a call's parenthesis.
type callKey struct{ line, col int32 }

// callAt finds the call whose parenthesis is at p. It may be called concurrently.
func (m *module) callAt(p syntax.Position) *syntax.CallExpr { return m.calls()[callKey{p.Line, p.Col}] }

// findCalls parses the file again, once: only errors need it, and keeping every tree
// would cost memory.
func (m *module) findCalls() map[callKey]*syntax.CallExpr {
	calls := map[callKey]*syntax.CallExpr{}
	tree, err := dialect.Parse(m.name, m.text, 0)
	if err != nil {
		return calls
	}
	syntax.Walk(tree, func(n syntax.Node) bool {
		if c, ok := n.(*syntax.CallExpr); ok {
			calls[callKey{c.Lparen.Line, c.Lparen.Col}] = c
		}
		return true
	})
	return calls
}

// argPos is where an argument of a call stands in the text. For a keyword it is
// its value, or its name when the name is what is wrong. Arguments that a "*" or
// "**" spreads have no place of their own.
func argPos(call *syntax.CallExpr, arg *argError) (syntax.Position, bool) {
	for i, a := range call.Args {
		if u, ok := a.(*syntax.UnaryExpr); ok && (u.Op == syntax.STAR || u.Op == syntax.STARSTAR) {
			break
		}
		kw, isKeyword := a.(*syntax.BinaryExpr)
		isKeyword = isKeyword && kw.Op == syntax.EQ
		switch {
		case isKeyword && arg.index < 0 && kw.X.(*syntax.Ident).Name == arg.keyword:
			if arg.param == "" {
				return syntax.Start(kw.X), true
			}
			return elementPos(kw.Y, arg.err), true
		case !isKeyword && i == arg.index:
			return elementPos(a, arg.err), true
		}
	}
	return syntax.Position{}, false
}

// elementPos is where a value stands, or the element of it that is wrong.
func elementPos(x syntax.Expr, err error) syntax.Position {
	if e, ok := err.(*elementError); ok {
		if list, ok := x.(*syntax.ListExpr); ok && e.index < len(list.List) {
			return syntax.Start(list.List[e.index])
		}
	}
	if e, ok := err.(*entryError); ok {
		if p, found := keyPos(x, e.key); found {
			return p
		}
	}
	return syntax.Start(x)
}

// keyPos is where a key of a dict stands, when it is written there as it is.
func keyPos(x syntax.Expr, key string) (syntax.Position, bool) {
	dict, ok := x.(*syntax.DictExpr)
	if !ok {
		return syntax.Position{}, false
	}
	for _, entry := range dict.List {
		if k, ok := entry.(*syntax.DictEntry).Key.(*syntax.Literal); ok && k.Value == key {
			return k.TokenPos, true
		}
	}
	return syntax.Position{}, false
}
