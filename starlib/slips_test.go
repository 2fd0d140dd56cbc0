package starlib_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"go.starlark.net/syntax"

	"palhm/starlib"
)

// A slip is a site in which a person has made one mistake.
type slip struct {
	kind     string
	of       *siteText
	line     int
	from, to string
	text     string
}

// rank orders slips as if by chance, and always in the same way.
func (s slip) rank() uint64 { return hash(fmt.Sprint(s.kind, s.of.name, s.from, s.to, s.line)) }

// A mutator makes slips in one text.
type mutator struct {
	of      *siteText
	text    string
	lines   []int // where each line begins
	parents map[syntax.Node]syntax.Node
	defs    map[string]*syntax.DefStmt
	docs    map[string]starlib.Doc
	slips   []slip
}

func slipsIn(t *testing.T, x *siteText) []slip {
	t.Helper()
	options := &syntax.FileOptions{Set: true, TopLevelControl: true, GlobalReassign: true}
	tree, err := options.Parse(x.name, x.text, 0)
	if err != nil {
		t.Fatal(err)
	}
	m := &mutator{of: x, text: x.text, lines: []int{0}, parents: map[syntax.Node]syntax.Node{}, defs: map[string]*syntax.DefStmt{}, docs: map[string]starlib.Doc{}}
	for _, d := range append(starlib.Reference(), starlib.ContextReference()...) {
		m.docs[d.Name] = d
	}
	for i := range x.text {
		if x.text[i] == '\n' {
			m.lines = append(m.lines, i+1)
		}
	}
	var stack []syntax.Node
	syntax.Walk(tree, func(n syntax.Node) bool {
		if n == nil {
			stack = stack[:len(stack)-1]
			return true
		}
		if len(stack) > 0 {
			m.parents[n] = stack[len(stack)-1]
		}
		stack = append(stack, n)
		if def, ok := n.(*syntax.DefStmt); ok {
			m.defs[def.Name.Name] = def
		}
		return true
	})
	syntax.Walk(tree, func(n syntax.Node) bool {
		if !m.inFunction(n) {
			return true // the load runs it
		}
		switch n := n.(type) {
		case *syntax.DotExpr:
			m.attribute(n)
		case *syntax.CallExpr:
			m.call(n)
		case *syntax.LambdaExpr:
			m.lambda(n)
		case *syntax.ReturnStmt:
			m.returns(n)
		}
		return true
	})
	return m.slips
}

func (m *mutator) inFunction(n syntax.Node) bool {
	for ; n != nil; n = m.parents[n] {
		switch n.(type) {
		case *syntax.DefStmt, *syntax.LambdaExpr:
			return true
		}
	}
	return false
}

// offset is the index of a place in the text.
func (m *mutator) offset(p syntax.Position) int {
	at := m.lines[p.Line-1]
	for range p.Col - 1 {
		_, n := utf8.DecodeRuneInString(m.text[at:])
		at += n
	}
	return at
}

func (m *mutator) source(n syntax.Node) string {
	start, end := n.Span()
	return m.text[m.offset(start):m.offset(end)]
}

// replace makes a slip: what stands between two places becomes something else.
func (m *mutator) replace(kind string, start, end syntax.Position, to string) {
	from, until := m.offset(start), m.offset(end)
	if m.text[from:until] == to {
		return
	}
	m.slips = append(m.slips, slip{kind, m.of, int(start.Line), m.text[from:until], to, m.text[:from] + to + m.text[until:]})
}

func (m *mutator) replaceNode(kind string, n syntax.Node, to string) {
	start, end := n.Span()
	m.replace(kind, start, end, to)
}

// misspell changes a word as fingers do.
func misspell(word string) string {
	switch h := hash(word); {
	case len(word) < 4:
		return word + word[len(word)-1:]
	case h%3 == 0: // a letter is missing
		i := 1 + int(h/3)%(len(word)-1)
		return word[:i] + word[i+1:]
	case h%3 == 1: // a letter stands twice
		i := int(h/3) % len(word)
		return word[:i] + word[i:i+1] + word[i:]
	}
	for i := 1; i+1 < len(word); i++ { // two have changed places
		if word[i] != word[i+1] {
			return word[:i] + word[i+1:i+2] + word[i:i+1] + word[i+2:]
		}
	}
	return word + "s"
}

// attribute makes slips of X.name. What os-release has differs from host to host.
func (m *mutator) attribute(n *syntax.DotExpr) {
	_, end := n.X.Span()
	_, stop := n.Span()
	if of, ok := n.X.(*syntax.DotExpr); ok && of.Name.Name == "os" {
		return
	}
	m.replace("a misspelt attribute", n.Name.NamePos, stop, misspell(n.Name.Name))
	call, called := m.parents[n].(*syntax.CallExpr)
	called = called && call.Fn == n
	switch n.Name.Name {
	case "ok":
		m.replace("no .ok", end, stop, "")
		m.replace("a call of a value", stop, stop, "()")
	case "stdout", "stderr", "code":
		m.replace("no .stdout, .stderr or .code", end, stop, "")
		m.replace("a call of a value", stop, stop, "()")
	case "splitlines", "items":
		if called && m.iterated(call) {
			_, stop := call.Span()
			m.replace("no .splitlines() or .items()", end, stop, "")
		}
	}
}

// iterated reports whether a loop goes through the elements of a value.
func (m *mutator) iterated(x syntax.Expr) bool {
	switch p := m.parents[x].(type) {
	case *syntax.ForStmt:
		return p.X == x
	case *syntax.ForClause:
		return p.X == x
	}
	return false
}

func isName(x syntax.Expr, name string) bool {
	id, ok := x.(*syntax.Ident)
	return ok && id.Name == name
}

// callee gives the parameters of what a call calls, when it is known by its name.
func (m *mutator) callee(n *syntax.CallExpr) (d starlib.Doc, known bool) {
	switch fn := n.Fn.(type) {
	case *syntax.Ident:
		d, known = m.docs[fn.Name]
	case *syntax.DotExpr:
		if isName(fn.X, "ctx") {
			d, known = m.docs["ctx."+fn.Name.Name]
		}
	}
	return d, known
}

// takesAny reports whether a call is of a function that takes keywords of any name.
func (m *mutator) takesAny(n *syntax.CallExpr) bool {
	def := m.defs[calleeName(n)]
	return def != nil && slices.ContainsFunc(def.Params, func(p syntax.Expr) bool {
		u, ok := p.(*syntax.UnaryExpr)
		return ok && u.Op == syntax.STARSTAR
	})
}

// dropArg takes an argument out of a call.
func (m *mutator) dropArg(kind string, n *syntax.CallExpr, i int) {
	start, end := n.Args[i].Span()
	switch {
	case i+1 < len(n.Args):
		end, _ = n.Args[i+1].Span()
	case i > 0:
		_, start = n.Args[i-1].Span()
	}
	m.replace(kind, start, end, "")
}

// call makes slips of a call.
func (m *mutator) call(n *syntax.CallExpr) {
	_, end := n.Fn.Span()
	_, stop := n.Span()
	d, known := m.callee(n)
	if len(n.Args) == 0 {
		m.replace("no ()", end, stop, "")
	}
	for i, a := range n.Args {
		if isName(a, "ctx") {
			m.dropArg("no ctx", n, i)
		}
		if kw, ok := keyword(a); ok && !isName(n.Fn, "struct") && !m.takesAny(n) {
			id := kw.X.(*syntax.Ident)
			m.replaceNode("a misspelt keyword", id, misspell(id.Name))
		}
		if known {
			m.argument(d, i, a)
		}
	}
	if known {
		m.arguments(d, n)
	}
	if isName(n.Fn, "str") && len(n.Args) == 1 && m.added(n) {
		m.replaceNode("no str()", n, m.source(n.Args[0]))
	}
	if d.Name == "ctx.run" && len(n.Args) > 0 && !isSpread(n.Args[0]) {
		m.replaceNode("no ctx.run", n, m.source(n.Args[0]))
	}
	if len(n.Args) > 1 && plain(n.Args[0]) && plain(n.Args[1]) {
		def := m.defs[calleeName(n)]
		if isName(n.Args[0], "ctx") && def != nil || d.Name == "object" || d.Name == "group" && differ(n.Args[0], n.Args[1]) {
			start, _ := n.Args[0].Span()
			_, end := n.Args[1].Span()
			m.replace("exchanged arguments", start, end, m.source(n.Args[1])+", "+m.source(n.Args[0]))
		}
	}
}

func differ(a, b syntax.Expr) bool { return fmt.Sprintf("%T", a) != fmt.Sprintf("%T", b) }

func calleeName(n *syntax.CallExpr) string {
	if id, ok := n.Fn.(*syntax.Ident); ok {
		return id.Name
	}
	return ""
}

// added reports whether a value is joined to another with +.
func (m *mutator) added(x syntax.Expr) bool {
	sum, ok := m.parents[x].(*syntax.BinaryExpr)
	return ok && sum.Op == syntax.PLUS
}

func keyword(x syntax.Expr) (*syntax.BinaryExpr, bool) {
	kw, ok := x.(*syntax.BinaryExpr)
	return kw, ok && kw.Op == syntax.EQ
}

func isSpread(x syntax.Expr) bool {
	u, ok := x.(*syntax.UnaryExpr)
	return ok && (u.Op == syntax.STAR || u.Op == syntax.STARSTAR)
}

func plain(x syntax.Expr) bool {
	_, kw := keyword(x)
	return !kw && !isSpread(x)
}

// param is the parameter that an argument is for.
func param(d starlib.Doc, i int, a syntax.Expr) (p starlib.Param, ok bool) {
	if kw, is := keyword(a); is {
		for _, p := range d.Params {
			if p.Name == kw.X.(*syntax.Ident).Name {
				return p, true
			}
		}
		return p, false
	}
	for j, p := range d.Params {
		if isSpread(a) || p.KeywordOnly || strings.HasPrefix(p.Name, "*") {
			break
		}
		if j == i {
			return p, true
		}
	}
	return p, false
}

// argument makes slips of the value of an argument, of kinds that the parameter does not take.
func (m *mutator) argument(d starlib.Doc, i int, a syntax.Expr) {
	p, ok := param(d, i, a)
	if !ok || p.Type == "any" || p.Name == "msg" { // a message may be anything
		return
	}
	if kw, ok := keyword(a); ok {
		a = kw.Y
	}
	number := strings.Contains(p.Type, "int") || strings.Contains(p.Type, "size") || strings.Contains(p.Type, "number")
	switch a := a.(type) {
	case *syntax.Literal:
		switch {
		case a.Token == syntax.STRING && !number:
			m.replaceNode("a value of a wrong type", a, "7")
			m.replaceNode("a value of a wrong type", a, "True")
		case a.Token == syntax.INT && p.Type == "int":
			m.replaceNode("a value of a wrong type", a, `"`+a.Raw+`"`)
		}
	case *syntax.Ident:
		if p.Type == "bool" && (a.Name == "True" || a.Name == "False") {
			m.replaceNode("a value of a wrong type", a, `"no"`)
		}
	case *syntax.ListExpr:
		if strings.HasPrefix(p.Type, "list of ") && p.Name != "steps" && len(a.List) == 1 {
			m.replaceNode("a value in place of a list", a, m.source(a.List[0]))
		}
	}
	if !strings.Contains(p.Type, "list") && p.Type != "dict" {
		m.replaceNode("a list in place of a value", a, "["+m.source(a)+"]")
	}
}

// arguments makes slips of all arguments of a call together.
func (m *mutator) arguments(d starlib.Doc, n *syntax.CallExpr) {
	positional := 0
	for positional < len(n.Args) && plain(n.Args[positional]) {
		positional++
	}
	for i := range positional {
		if p, ok := param(d, i, n.Args[i]); ok && p.Default == "" && i == positional-1 {
			m.dropArg("a missing argument", n, i)
		}
	}
	if d.Name != "exec" || positional < 2 {
		return
	}
	start, _ := n.Args[0].Span()
	_, end := n.Args[positional-1].Span()
	m.replace("argv in a list", start, end, "["+m.text[m.offset(start):m.offset(end)]+"]")
	var words []string
	for _, a := range n.Args[:positional] {
		lit, ok := a.(*syntax.Literal)
		word, isString := "", false
		if ok {
			word, isString = lit.Value.(string)
		}
		if !isString || strings.ContainsAny(word, " /\"\\\n") {
			return
		}
		words = append(words, word)
	}
	m.replace("a command line in one string", start, end, `"`+strings.Join(words, " ")+`"`)
}

// lambda makes slips of a function that is called later.
func (m *mutator) lambda(n *syntax.LambdaExpr) {
	call, ok := n.Body.(*syntax.CallExpr)
	switch {
	case ok && len(n.Params) == 0:
		m.replaceNode("a call in place of a lambda", n, m.source(call))
		if len(call.Args) > 0 && isName(call.Args[0], "ctx") {
			m.replaceNode("a function in place of a lambda", n, m.source(call.Fn))
		}
	case len(n.Params) > 0:
		p, ok := keyword(n.Params[0])
		if ok && m.source(p.X) == m.source(p.Y) && m.inLoop(n) {
			start, _ := n.Params[0].Span()
			_, end := n.Params[len(n.Params)-1].Span()
			m.replace("a late binding", start, end, "")
		}
	}
}

func (m *mutator) inLoop(n syntax.Node) bool {
	for ; n != nil; n = m.parents[n] {
		switch n.(type) {
		case *syntax.ForStmt, *syntax.Comprehension:
			return true
		case *syntax.DefStmt:
			return false
		}
	}
	return false
}

// returns forgets the word return in a function whose value somebody uses.
func (m *mutator) returns(n *syntax.ReturnStmt) {
	if n.Result == nil || isName(n.Result, "None") {
		return
	}
	var def *syntax.DefStmt
	for p := m.parents[n]; p != nil && def == nil; p = m.parents[p] {
		def, _ = p.(*syntax.DefStmt)
	}
	if def == nil || !m.valueUsed(def.Name.Name) {
		return
	}
	start, _ := n.Result.Span()
	m.replace("no return", n.Return, start, "")
}

// valueUsed reports whether the text uses what a function returns.
func (m *mutator) valueUsed(name string) bool {
	for n, p := range m.parents {
		call, ok := n.(*syntax.CallExpr)
		if _, dropped := p.(*syntax.ExprStmt); ok && !dropped && isName(call.Fn, name) {
			return true
		}
	}
	return false
}
