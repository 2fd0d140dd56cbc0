package main

import (
	"bytes"
	"flag"
	"io"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite doc.go from the commands")

// The package comment is the manual, made from the help on the commands.
func TestDocIsNotStale(t *testing.T) {
	want := manual()
	if *update {
		if err := os.WriteFile("doc.go", want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("doc.go differs from what palhm help says: run \"go test ./cmd/palhm -run TestDocIsNotStale -update\"")
	}
}

func manual() []byte {
	var b bytes.Buffer
	b.WriteString("// Palhm maintains and backs up hosts while they run. This is its manual, as\n// \"palhm help\" gives it.\n")
	section := func(title, text string) {
		b.WriteString("//\n// # " + title + "\n//\n")
		for l := range strings.Lines(strings.TrimSpace(text)) {
			b.WriteString(strings.TrimRight("//\t"+l, "\t \n") + "\n")
		}
	}
	a := newApp(io.Discard, io.Discard)
	root := a.command()
	help := func(path ...string) string {
		var text bytes.Buffer
		if err := writeHelp(&text, findCommand(root, path)); err != nil {
			panic(err)
		}
		return text.String()
	}
	section("palhm", help())
	for _, c := range visibleCommands(root) {
		// The global options are the same everywhere: once is enough.
		text, _, _ := strings.Cut(help(c.Name()), "\nglobal options")
		section("palhm "+c.Name(), text)
	}
	section("exit codes", exitHelp)
	b.WriteString("package main\n")
	return b.Bytes()
}
