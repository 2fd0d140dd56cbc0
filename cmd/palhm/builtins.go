package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"palhm/starlib"
)

// languageNames returns the built-ins, and the names of the standard modules.
func languageNames() []string {
	var names []string
	eachDoc(func(_ string, d starlib.Doc) { names = append(names, d.Name) })
	return append(names, "ctx", "t")
}

// languageHelp explains a name of the language, a standard module, or what there is.
func languageHelp(name string) (text string, ok bool) {
	if name == "language" {
		return languageText(), true
	}
	if name == "ctx" {
		return contextText(), true
	}
	if name == "t" {
		return testText(), true
	}
	for _, m := range starlib.StandardModules() {
		if m.Label == name {
			return moduleText(m), true
		}
	}
	eachDoc(func(label string, d starlib.Doc) {
		if d.Name != name || ok {
			return
		}
		text, ok = docText(label, d), true
	})
	return text, ok
}

// eachDoc calls f with every name of the language and the label of its module,
// which is "" for a built-in.
func eachDoc(f func(label string, d starlib.Doc)) {
	for _, d := range starlib.Reference() {
		f("", d)
	}
	for _, d := range starlib.ContextReference() {
		f("", d)
	}
	for _, d := range starlib.TestReference() {
		f("", d)
	}
	for _, m := range starlib.StandardModules() {
		for _, d := range m.Names {
			f(m.Label, d)
		}
	}
}

const languageRules = `
"palhm help NAME" explains one of them.

What is in a module has to be loaded: load("@palhm//core.star", "tar", "zstd"). A
module is "@palhm//x.star" (shipped with palhm), "//x.star" (from the site's
directory), "./x.star" or "../x.star" (from the file that has the load).

a | b joins two commands. Sizes are numbers of bytes or strings: "256MiB" (by 1,024),
"300GB" (by 1,000). Durations are strings: "90s", "1h30m", "7d". None stands for an
argument that is not given.
`

// languageText lists all that a site can use.
func languageText() string {
	var b strings.Builder
	b.WriteString("A site is written in Starlark, a small Python, with these built-ins:\n\n")
	writeNames(&b, starlib.Reference())
	b.WriteString("\nA routine's function is called with ctx (see \"palhm help ctx\"):\n\n")
	writeNames(&b, starlib.ContextReference())
	b.WriteString("\nA test is called with t (see \"palhm help t\"):\n\n")
	writeNames(&b, starlib.TestReference())
	for _, m := range starlib.StandardModules() {
		b.WriteString("\n" + moduleText(m))
	}
	b.WriteString(languageRules)
	return b.String()
}

// contextText explains ctx and lists what it has.
func contextText() string {
	var b strings.Builder
	b.WriteString(starlib.ContextText + "\n")
	writeNames(&b, starlib.ContextReference())
	return b.String()
}

// testText explains t and lists what it has.
func testText() string {
	var b strings.Builder
	b.WriteString(starlib.TestText + "\n")
	writeNames(&b, starlib.TestReference())
	return b.String()
}

// moduleText explains a standard module and lists what it offers.
func moduleText(m starlib.ModuleDoc) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s\n\n", m.Label, strings.TrimSpace(m.Text))
	writeNames(&b, m.Names)
	return b.String()
}

// writeNames writes a line for each name: its first sentence, or as much of that as
// stands on its first line.
func writeNames(b *strings.Builder, docs []starlib.Doc) {
	t := tabwriter.NewWriter(b, 0, 8, 2, ' ', 0)
	for _, d := range docs {
		line, _, _ := strings.Cut(strings.TrimSpace(d.Text), "\n")
		line, _, _ = strings.Cut(line, ". ")
		line, _, _ = strings.Cut(line, ": ")
		fmt.Fprintf(t, "  %s\t%s\n", d.Name, strings.TrimRight(line, ".,:"))
	}
	t.Flush() //nolint:errcheck // a builder takes everything
}

func docText(label string, d starlib.Doc) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", d.Signature)
	if label != "" {
		fmt.Fprintf(&b, "load(%q, %q)\n\n", label, d.Name)
	}
	fmt.Fprintf(&b, "%s\n", strings.TrimSpace(d.Text))
	if d.Returns != "" {
		fmt.Fprintf(&b, "\nreturns: %s\n", d.Returns)
	}
	for i, p := range d.Params {
		if i == 0 {
			b.WriteString("\nparameters:\n")
		}
		fmt.Fprintf(&b, "  %s: %s", p.Name, p.Type)
		if p.Default != "" {
			fmt.Fprintf(&b, " (default %s)", p.Default)
		}
		b.WriteString("\n")
		if p.Doc != "" {
			fmt.Fprintf(&b, "      %s\n", p.Doc)
		}
	}
	return b.String()
}
