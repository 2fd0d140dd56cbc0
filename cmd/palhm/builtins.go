package main

import (
	"fmt"
	"strings"

	"palhm/starlib"
)

// languageNames returns the built-ins, and the names of the standard modules.
func languageNames() []string {
	var names []string
	eachDoc(func(_ string, d starlib.Doc) { names = append(names, d.Name) })
	return names
}

// languageHelp explains a name of the language.
func languageHelp(name string) (text string, ok bool) {
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
	for _, m := range starlib.StandardModules() {
		for _, d := range m.Names {
			f(m.Label, d)
		}
	}
}

func docText(label string, d starlib.Doc) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", d.Signature)
	if label != "" {
		fmt.Fprintf(&b, "load(%q, %q)\n\n", label, d.Name)
	}
	fmt.Fprintf(&b, "%s\n", strings.TrimSpace(d.Text))
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
