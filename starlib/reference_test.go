package starlib_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"palhm/starlib"
)

func TestReferenceIsCurrent(t *testing.T) {
	want := starlib.ReferenceMarkdown()
	if *update {
		if err := os.WriteFile("REFERENCE.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("REFERENCE.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("REFERENCE.md is stale; run go generate ./starlib")
	}
}

func TestEveryBuiltinIsDocumented(t *testing.T) {
	for _, d := range slices.Concat(starlib.Reference(), starlib.ContextReference(), starlib.TestReference()) {
		if d.Text == "" || d.Signature == "" {
			t.Errorf("%s has no documentation", d.Name)
		}
		for _, p := range d.Params {
			if p.Doc == "" || p.Type == "" {
				t.Errorf("parameter %s of %s has no documentation", p.Name, d.Name)
			}
		}
	}
}

func TestStandardModulesAreDocumented(t *testing.T) {
	for _, m := range starlib.StandardModules() {
		if m.Text == "" {
			t.Errorf("%s has no docstring", m.Label)
		}
		for _, d := range m.Names {
			if d.Text == "" {
				t.Errorf("%s: %s has no documentation", m.Label, d.Name)
			}
			for _, p := range d.Params {
				if p.Doc == "" || p.Type == "" {
					t.Errorf("%s: parameter %s of %s has no documentation", m.Label, p.Name, d.Name)
				}
			}
		}
	}
}

// Each parameter of the table is one that the built-in takes: a value of a wrong
// type is refused for its type, or taken, and never for its name.
func TestTableListsWhatIsTaken(t *testing.T) {
	for _, d := range starlib.Reference() {
		for _, p := range d.Params {
			if strings.HasPrefix(p.Name, "*") {
				continue
			}
			_, err := loadText(t, fmt.Sprintf("%s(%s = dir)", d.Name, p.Name))
			if err != nil && (strings.Contains(err.Error(), "no keyword") || strings.Contains(err.Error(), "internal error")) {
				t.Errorf("%s does not take %s: %v", d.Name, p.Name, err)
			}
			if p.Default == "" {
				continue
			}
			// The documented default is one that the built-in takes, and means.
			args := map[string]string{"exec": `"a", `, "object": `"p", exec("a"), `, "group": `"g", `, "backup": `"b", null(), `,
				"routine": `"r", [exec("a")], `, "localfs": `"/r", `, "aws_s3": `"bucket", "r", `, "env": `"X", `}[d.Name]
			switch d.Name {
			case "secret":
				args = map[string]string{"env": `file = "f", `, "file": `env = "E", `}[p.Name]
			case "sigmask":
				args = map[string]string{"block": `unblock = ["TERM"], `, "unblock": `block = ["TERM"], `}[p.Name]
			case "backup":
				if p.Name != "objects" {
					args += `objects = [object("o", exec("a"))], `
				} else {
					args += `groups = [group("g", [object("o", exec("a"))])], `
				}
			}
			bare := loadTwice(t, d.Name, strings.TrimSuffix(args, ", "))
			given := loadTwice(t, d.Name, args+p.Name+" = "+p.Default)
			if bare != given {
				t.Errorf("%s: giving %s = %s is not the same as leaving it out:\n%s\n%s", d.Name, p.Name, p.Default, bare, given)
			}
		}
	}
}

// loadTwice gives what a call makes, without positions.
func loadTwice(t *testing.T, name, args string) string {
	t.Helper()
	text := fmt.Sprintf("x = %s(%s)\n", name, args)
	switch name {
	case "exec":
		text += `routine("r", [x])`
	case "object":
		text += `backup("b", null(), objects = [x])`
	case "sigmask":
		text += `routine("r", x)`
	case "group":
		text += `backup("b", null(), groups = [x], objects = [object("o", exec("a"))])`
	case "localfs":
		text += `backup("b", x, objects = [object("o", exec("a"))])`
	}
	site, err := loadText(t, text)
	if err != nil {
		t.Errorf("%s(%s): %v", name, args, err)
		return ""
	}
	return planText(t, site)
}

func TestSignatures(t *testing.T) {
	want := map[string]string{
		"pipeline": "pipeline(*stages)",
		"group":    "group(name, objects = [], *, depends = [])",
		"null":     "null()",
		"host":     "host",
		"env":      "env(name, default = None)",
		"secret":   "secret(*, env = None, file = None)",
	}
	for _, d := range starlib.Reference() {
		if w, ok := want[d.Name]; ok && d.Signature != w {
			t.Errorf("got %s, want %s", d.Signature, w)
		}
	}
}
