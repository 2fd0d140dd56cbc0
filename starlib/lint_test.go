package starlib_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"palhm/starlib"
)

// What is shipped must not be an example of what palhm warns of.
func TestShippedTextIsClean(t *testing.T) {
	for _, pattern := range []string{"../scripts/*.star", "std/*.star"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no files, %v", pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), "native.") {
				continue // such a module cannot be a site
			}
			dir := t.TempDir()
			write(t, dir, map[string]string{"site.star": string(text)})
			_, found, err := starlib.Check(t.Context(), testConfig(dir), "site.star")
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			for _, w := range found.Warnings {
				if w.Pos.Line > 0 {
					t.Errorf("%s: %v", file, w)
				}
			}
		}
	}
}

// Only a check pays for a look at the text.
func TestLoadDoesNotLookForMistakes(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"site.star": "def f(ctx):\n    ctx.nothing()\nroutine(\"r\", f)\n"})
	if _, err := starlib.Load(t.Context(), testConfig(dir), "site.star"); err != nil {
		t.Fatal(err)
	}
	_, found, err := starlib.Check(t.Context(), testConfig(dir), "site.star")
	if err != nil || len(found.Warnings) != 1 {
		t.Fatalf("got %v, %v, want one warning", found, err)
	}
}

// However a text is made, a check of it ends.
func TestCheckEnds(t *testing.T) {
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i, i+1)
		}
		return b.String()
	}
	for name, text := range map[string]string{
		"functions that call the next":       many(2000, "def f%d(ctx):\n    return f%d(ctx)\n") + "def f2000(ctx):\n    return [ctx]\n",
		"functions that call the one before": "def f0(ctx):\n    return [ctx]\n" + many(2000, "def f%[2]d(ctx):\n    return f%[1]d(ctx)\n"),
		"many arguments":                     "def f(ctx):\n    ctx.run(exec(" + many(250, `"%d-%d", `) + "))\n",
		"wide tuples in wide tuples": "def f(ctx):\n    a = (" + many(100, "%d, %d, ") + ")\n" +
			"    a0 = a\n" + many(8, "    a%[2]d = (a, "+strings.Repeat("a%[1]d, ", 100)+")\n") + "    return a8\n",
		"a list in itself": "def f(ctx):\n    a = []\n    for i in range(3):\n        a = [a, (a, a), {1: a}, struct(x = a)]\n        a.append(a)\n    return a\n",
		"a long sum":       "def f(ctx):\n    return ctx.now().year" + many(4900, " + %d - %d") + "\n",
		"many sorts":       "def f(ctx):\n    a = (1 if ctx else None)\n    return (" + strings.Repeat("a, ", 200) + ")\n",
	} {
		dir := t.TempDir()
		write(t, dir, map[string]string{"site.star": text})
		if _, _, err := starlib.Check(t.Context(), testConfig(dir), "site.star"); err != nil {
			t.Errorf("%s: %.300s", name, err)
		}
	}
}
