package starlib

import (
	"fmt"
	"regexp"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

var wrongArguments = regexp.MustCompile(`^function \S+ (missing|accepts|got)\b`)

// blameCaller drops the innermost call when it was never entered because its
// arguments do not fit: the mistake is the caller's. The hint is how the function
// is called.
func (l *loader) blameCaller(stack starlark.CallStack, msg string) (starlark.CallStack, string) {
	if len(stack) < 2 || !wrongArguments.MatchString(msg) {
		return stack, ""
	}
	callee := stack[len(stack)-1]
	stack = stack[:len(stack)-1]
	m := l.byName[callee.Pos.Filename()]
	if m == nil {
		return stack, ""
	}
	def := m.function(callee.Name)
	if def == nil {
		return stack, ""
	}
	hint := "it is called " + functionSignature(def)
	if _, quoted, ok := strings.Cut(msg, "unexpected keyword argument "); ok {
		var names []string
		for _, p := range def.Params {
			name, _, _ := strings.Cut(exprText(p), " = ")
			names = append(names, name)
		}
		if n := Nearest(strings.Trim(quoted, `"`), names); n != "" {
			hint = fmt.Sprintf("did you mean %s? %s", n, hint)
		}
	}
	return stack, hint
}

// function finds the definition of a function by its name.
func (m *module) function(name string) (def *syntax.DefStmt) {
	tree, err := dialect.Parse(m.name, m.text, 0)
	if err != nil {
		return nil
	}
	syntax.Walk(tree, func(n syntax.Node) bool {
		if d, ok := n.(*syntax.DefStmt); ok && d.Name.Name == name {
			def = d
		}
		return true
	})
	return def
}
