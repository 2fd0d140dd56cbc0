package starlib_test

import (
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
