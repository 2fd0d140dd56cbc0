package starlib

import (
	"fmt"
	"io/fs"
	"strings"

	"go.starlark.net/syntax"

	"palhm/starlib/std"
)

//go:generate go test -run TestReferenceIsCurrent -update

// ModuleDoc describes a standard module.
type ModuleDoc struct {
	Label string
	Text  string // the first line is a title
	Names []Doc  // in the order of the file
}

// Reference describes every built-in, in the order of the reference.
func Reference() []Doc { return docsOf(builtins()) }

// ContextReference describes what a function has with ctx: "ctx.run" and so on.
func ContextReference() []Doc { return append(docsOf(ctxBuiltins()), ctxFields()...) }

// TestReference describes what a test has with t: "t.simulate" and so on.
func TestReference() []Doc { return docsOf(testBuiltins(nil)) }

func docsOf(list []*builtin) []Doc {
	var docs []Doc
	for _, b := range list {
		docs = append(docs, b.document())
	}
	return docs
}

// document is the documentation of a built-in, with its signature.
func (b *builtin) document() Doc {
	d := b.Doc
	if d.Signature == "" {
		d.Signature = b.signature()
	}
	return d
}

// StandardModules describes the modules that are shipped in the program.
func StandardModules() []ModuleDoc { return standardModules() }

func (b *builtin) signature() string {
	if b.value != nil {
		return b.Name
	}
	var params []string
	starred := false
	for _, p := range b.Params {
		if p.KeywordOnly && !starred {
			starred = true
			if b.star() < 0 {
				params = append(params, "*")
			}
		}
		if p.Default == "" {
			params = append(params, p.Name)
		} else {
			params = append(params, p.Name+" = "+p.Default)
		}
	}
	return b.Name + "(" + strings.Join(params, ", ") + ")"
}

func standardModules() []ModuleDoc {
	files, _ := fs.Glob(std.Files, "*.star") // the pattern is good
	var all []ModuleDoc
	for _, file := range files {
		text, err := fs.ReadFile(std.Files, file)
		if err != nil {
			continue
		}
		all = append(all, documentModule(label{standardOwner, file}.String(), string(text)))
	}
	return all
}

// documentModule reads the documentation of a module from its text: docstrings of
// the module and of functions, and for other values the comment right above the
// assignment, or what the Go part of the module says of itself. Names that begin with "_" are private.
func documentModule(name, text string) ModuleDoc {
	doc := ModuleDoc{Label: name}
	tree, err := dialect.Parse(name, text, 0)
	if err != nil {
		return doc
	}
	doc.Text = docstring(tree.Stmts)
	lines := strings.Split(text, "\n")
	seen := map[string]bool{}
	for _, stmt := range tree.Stmts {
		var d Doc
		switch s := stmt.(type) {
		case *syntax.DefStmt:
			d = Doc{Name: s.Name.Name, Signature: functionSignature(s), Text: docstring(s.Body)}
		case *syntax.AssignStmt:
			id, ok := s.LHS.(*syntax.Ident)
			if !ok {
				continue
			}
			d = Doc{Name: id.Name, Signature: id.Name, Text: commentAbove(lines, int(id.NamePos.Line))}
			if member, ok := nativeMember(s.RHS); ok {
				d = member
			}
		}
		if d.Name != "" && d.Name[0] != '_' && !seen[d.Name] {
			seen[d.Name] = true
			doc.Names = append(doc.Names, d)
		}
	}
	return doc
}

// nativeMember describes native.NAME.
func nativeMember(x syntax.Expr) (Doc, bool) {
	dot, ok := x.(*syntax.DotExpr)
	if !ok {
		return Doc{}, false
	}
	id, ok := dot.X.(*syntax.Ident)
	if !ok || id.Name != nativeName {
		return Doc{}, false
	}
	return nativeDoc(dot.Name.Name)
}

// docstring is the string that a block begins with, without its indentation.
func docstring(body []syntax.Stmt) string {
	if len(body) == 0 {
		return ""
	}
	stmt, ok := body[0].(*syntax.ExprStmt)
	if !ok {
		return ""
	}
	lit, ok := stmt.X.(*syntax.Literal)
	if !ok || lit.Token != syntax.STRING {
		return ""
	}
	return dedent(lit.Value.(string))
}

// dedent removes the indentation that all lines but the first have in common.
func dedent(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	common := -1
	for _, l := range lines[1:] {
		if indent := len(l) - len(strings.TrimLeft(l, " ")); strings.TrimSpace(l) != "" && (common < 0 || indent < common) {
			common = indent
		}
	}
	for i, l := range lines[1:] {
		lines[i+1] = strings.TrimRight(l[min(max(common, 0), len(l)):], " ")
	}
	return strings.Join(lines, "\n")
}

// commentAbove is the block of comment lines that ends right above a line.
func commentAbove(lines []string, line int) string {
	end := line - 1 // index of the line itself
	start := end
	for start > 0 && strings.HasPrefix(lines[start-1], "#") {
		start--
	}
	var text []string
	for _, l := range lines[start:end] {
		text = append(text, strings.TrimPrefix(strings.TrimPrefix(l, "#"), " "))
	}
	return strings.TrimSpace(strings.Join(text, "\n"))
}

func functionSignature(def *syntax.DefStmt) string {
	params := make([]string, len(def.Params))
	for i, p := range def.Params {
		params[i] = exprText(p)
	}
	return def.Name.Name + "(" + strings.Join(params, ", ") + ")"
}

// exprText prints what stands in a parameter list. A default that is no simple
// expression is printed as "...".
func exprText(x syntax.Expr) string {
	switch x := x.(type) {
	case *syntax.Ident:
		return x.Name
	case *syntax.Literal:
		return x.Raw
	case *syntax.ListExpr:
		return "[" + exprTexts(x.List) + "]"
	case *syntax.TupleExpr:
		return "(" + exprTexts(x.List) + ")"
	case *syntax.DictExpr:
		if len(x.List) == 0 {
			return "{}"
		}
	case *syntax.UnaryExpr:
		if x.X == nil {
			return x.Op.String()
		}
		return x.Op.String() + exprText(x.X)
	case *syntax.BinaryExpr:
		if x.Op == syntax.EQ {
			return exprText(x.X) + " = " + exprText(x.Y)
		}
	}
	return "..."
}

func exprTexts(list []syntax.Expr) string {
	texts := make([]string, len(list))
	for i, x := range list {
		texts[i] = exprText(x)
	}
	return strings.Join(texts, ", ")
}

// ContextText says what ctx is.
const ContextText = `A function that is a step of a routine decides while the task runs. It is called with ctx, and acts through it:

    def nightly(ctx):
        ctx.run(save)
        if ctx.exists("/run/reboot-required"):
            ctx.run(exec("/sbin/reboot"))

    routine("default", nightly)

Here nothing is declared: exec, pipeline and object make values as ever, and backup, routine, settings and what reads facts of the host
while the site loads are refused. What the site made while it was loaded is frozen, also what only the function knows, such as the
default of a parameter: it changes what it has made itself, or a copy, list(x) or dict(x). A failure says which line of the function it came
from.
A function that gives the objects of a group is called with ctx in the same way: it may run execs and pipelines, no tasks.
`

// TestText explains t.
const TestText = `A file whose name ends in _test.star holds tests: its functions test_NAME(t), which palhm test runs. It lies beside the site, and loads
modules as the site does: load("//lib/pg.star", "dump"). It declares nothing.

    def test_reboots_only_when_needed(t):
        saved = {"task:save": t.exit(0)}
        t.not_ran(t.simulate("default", replies = saved), "systemctl reboot*")
        needed = t.simulate("default", replies = saved, files = {"/run/reboot-required": ""})
        t.ok(needed)
        t.order(needed, ["task:save", "systemctl reboot*"])

    def test_copies_fit_on_the_disk(t):
        r = t.rotation("save", size = "10GiB", days = 90)
        t.true(r.peak_size <= t.size("100GiB"))

Nothing is started and no file is written. The site is loaded as palhm check would load it, so what it reads of the host while it loads is
this host's, unless the test says otherwise with t.site(host = {...}, env = {...}). A test that takes more than a minute has failed.
`

// ReferenceMarkdown is the text of REFERENCE.md: the built-ins from the table that
// defines them, and the standard modules from their own text.
func ReferenceMarkdown() string {
	var b strings.Builder
	b.WriteString(`# The language

A site is written in [Starlark](https://github.com/google/starlark-go/blob/master/doc/spec.md), a small Python. On top of Starlark's own
functions there are the built-ins below; what the standard modules offer has to be loaded. Sets, ` + "`if` and `for`" + ` at the top
level and reassigning a global are allowed; ` + "`while`" + ` and recursion are not. Every argument that has a default accepts ` + "`None`" + `
for "not given". Sizes are numbers of bytes or strings such as ` + "`\"256MiB\"` (by 1,024) and `\"300GB\"`" + ` (by 1,000); durations are
strings such as ` + "`\"90s\"`, `\"2h\"`, `\"1h30m\"` and `\"7d\"`" + `.

A label names a module, as in load("//lib/pg.star", "dump", blog_dump = "dump"):

| label | means |
|---|---|
| "@palhm//core.star" | shipped inside the program |
| "//lib/pg.star" | from the directory of the site file; when that is a symbolic link, from the link's |
| "./x.star", "../x.star" | from the file that contains the load; not out of the site's directory |

Declaring (backup, routine, settings, boot_report) is allowed in the site file and in functions that it calls, and not at the top level of a module.

This file is generated: ` + "`go generate ./starlib`" + `.

## Built-ins

`)
	for _, d := range Reference() {
		writeDoc(&b, d)
	}
	b.WriteString("## ctx\n\n" + ContextText + "\n")
	for _, d := range ContextReference() {
		writeDoc(&b, d)
	}
	b.WriteString("## t\n\n" + TestText + "\n")
	for _, d := range TestReference() {
		writeDoc(&b, d)
	}
	for _, m := range standardModules() {
		fmt.Fprintf(&b, "## %s\n\n%s\n\n", m.Label, m.Text)
		for _, d := range m.Names {
			writeDoc(&b, d)
		}
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func writeDoc(b *strings.Builder, d Doc) {
	fmt.Fprintf(b, "### %s\n\n", d.Name)
	if d.Signature != d.Name {
		fmt.Fprintf(b, "    %s\n\n", d.Signature)
	}
	fmt.Fprintf(b, "%s\n\n", markdownSections(d.Text))
	if d.Returns != "" {
		fmt.Fprintf(b, "Returns: %s.\n\n", d.Returns)
	}
	if len(d.Params) == 0 {
		return
	}
	b.WriteString("| parameter | takes | default | |\n|---|---|---|---|\n")
	cell := strings.NewReplacer("|", `\|`, "*", `\*`)
	for _, p := range d.Params {
		value := "required"
		if p.Default != "" {
			value = "`" + p.Default + "`"
		} else if strings.HasPrefix(p.Name, "*") {
			value = ""
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", cell.Replace(p.Name), cell.Replace(p.Type), value, cell.Replace(p.Doc))
	}
	b.WriteString("\n")
}

// markdownSections turns the "Args:" and "Returns:" of a docstring into Markdown,
// which would join their lines.
func markdownSections(text string) string {
	var out []string
	section := ""
	for line := range strings.SplitSeq(text, "\n") {
		body, indented := strings.CutPrefix(line, "  ")
		switch {
		case line == "Args:" || line == "Returns:":
			section = line
			out = append(out, map[string]string{"Args:": "Arguments:", "Returns:": "Result:"}[line], "")
		case section == "" || line == "":
			out = append(out, line)
		case !indented:
			section = ""
			out = append(out, line)
		case section == "Args:" && !strings.HasPrefix(body, " "):
			name, about, _ := strings.Cut(body, ":")
			out = append(out, fmt.Sprintf("- `%s`:%s", name, about))
		default:
			out = append(out, body)
		}
	}
	return strings.Join(out, "\n")
}
