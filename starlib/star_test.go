package starlib_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"palhm/starlib"
)

// TestStar loads each chunk of testdata/star/*.star as a site. Chunks are
// separated by lines of "---". A comment ### "REGEXP" at the end of a line wants an
// error there, ### warning: "REGEXP" a warning; there may be several. What is not
// wanted fails the test.
func TestStar(t *testing.T) {
	files, err := filepath.Glob("../testdata/star/*.star")
	if err != nil || len(files) == 0 {
		t.Fatalf("no Starlark tests: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		line := 0
		for chunk := range strings.SplitSeq(string(text), "\n---\n") {
			first := line + 1
			line += strings.Count(chunk, "\n") + 2
			t.Run(filepath.Base(file)+":"+strconv.Itoa(first), func(t *testing.T) { runChunk(t, file, first, chunk) })
		}
	}
}

var starModules = map[string]string{
	"assert.star": `
def eq(got, want):
    if got != want:
        fail("got %r, want %r" % (got, want))
`,
	"data/a.txt":      "a\n",
	"data/b.txt":      "b\n",
	"data/latin1.txt": "ok\nm\xfcde\n",
	"data/nul.txt":    "a\x00b",
	"data/module.star": `
text = read_file("./a.txt")

def read():
    return read_file("./a.txt")
`,
}

func runChunk(t *testing.T, file string, first int, chunk string) {
	dir := t.TempDir()
	write(t, dir, starModules)
	write(t, dir, map[string]string{"site.star": chunk, "bin/data": "x"})
	if err := os.WriteFile(filepath.Join(dir, "bin/tool"), []byte("x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "data/link")); err != nil {
		t.Fatal(err)
	}
	_, found, err := starlib.Check(t.Context(), testConfig(dir), "site.star")
	wanted := expectations(t, file, first, chunk)
	if found == nil {
		found = &starlib.Findings{}
	}
	for _, w := range found.Warnings {
		if w.Pos.Line == 0 {
			continue // that there is no task: most chunks have none
		}
		wanted.meet(t, file, first, "warning: ", w)
	}
	if err != nil {
		errs, ok := err.(starlib.Errors)
		if !ok {
			t.Fatalf("got %T, want Errors: %v", err, err)
		}
		for _, e := range errs {
			wanted.meet(t, file, first, "", e)
		}
	}
	for line, list := range wanted {
		for _, w := range list {
			if !w.met {
				t.Errorf("%s:%d: nothing matches %s", file, first+line-1, w.text)
			}
		}
	}
}

type expectation struct {
	text, kind string
	pattern    *regexp.Regexp
	met        bool
}

type wanted map[int][]*expectation

func expectations(t *testing.T, file string, first int, chunk string) wanted {
	all := wanted{}
	for i, line := range strings.Split(chunk, "\n") {
		parts := strings.Split(line, "### ")
		for _, text := range parts[1:] {
			text = strings.TrimSpace(text)
			quoted, isWarning := strings.CutPrefix(text, "warning: ")
			pattern, err := strconv.Unquote(`"` + strings.Trim(quoted, `"`) + `"`)
			if err != nil {
				pattern = strings.Trim(quoted, `"`)
			}
			re, err := regexp.Compile(pattern)
			if err != nil {
				t.Fatalf("%s:%d: %v", file, first+i, err)
			}
			kind := ""
			if isWarning {
				kind = "warning: "
			}
			all[i+1] = append(all[i+1], &expectation{text: text, kind: kind, pattern: re})
		}
	}
	return all
}

// meet finds the expectation that an error or a warning meets.
func (all wanted) meet(t *testing.T, file string, first int, kind string, e *starlib.Error) {
	t.Helper()
	text := e.Msg
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	for _, w := range all[e.Pos.Line] {
		if w.kind == kind && !w.met && w.pattern.MatchString(text) {
			w.met = true
			return
		}
	}
	t.Errorf("%s:%d: unexpected %s%s", file, first+e.Pos.Line-1, kind, text)
}
