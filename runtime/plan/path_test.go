package plan_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"palhm/runtime/plan"
)

func TestCheckPath(t *testing.T) {
	long := strings.Repeat("n", plan.MaxComponent)
	for _, path := range []string{
		"a", "a/b", "all-db.sql.zst.pgp", ".hidden", "..a", "a..", "...", "-", "--help", " a ", "a b", "ünï/çode", "日本", "a/.palhm", ".palhm2",
		"*", "a:b", "a+b", long, long + "/" + long, strings.Repeat("a/", plan.MaxKey/2-1) + "bc",
	} {
		if err := plan.CheckPath(path); err != nil {
			t.Errorf("%q: %v", path, err)
		}
	}
	for path, word := range map[string]string{
		"":                              "empty",
		".":                             `"."`,
		"..":                            `".."`,
		"./a":                           `"."`,
		"a/./b":                         `"."`,
		"a/..":                          `".."`,
		"../../escaped":                 `".."`,
		"/":                             "slash",
		"/a":                            "slash",
		"a/":                            "slash",
		"a//b":                          "empty component",
		`a\b`:                           `'\\'`,
		"a\nb":                          `'\n'`,
		"a\x00b":                        `'\x00'`,
		"a\x7fb":                        `'\x7f'`,
		"a\u0085b":                      `'\u0085'`,
		"a\xffb":                        "UTF-8",
		".palhm":                        ".palhm",
		".palhm/manifest.json":          ".palhm",
		long + "n":                      "256 bytes",
		"a/" + long + "n/b":             "256 bytes",
		strings.Repeat("a/", 512) + "a": "1025 bytes",
	} {
		if err := plan.CheckPath(path); err == nil {
			t.Errorf("%.40q: got no error", path)
		} else if !strings.Contains(err.Error(), word) {
			t.Errorf("%.40q: got %q, want it to name %s", path, err, word)
		} else if len(err.Error()) > 2*plan.MaxComponent+200 {
			t.Errorf("%.40q: an error of %d bytes", path, len(err.Error()))
		}
	}
}

// slowCheckPath is CheckPath as one would write it without care for messages.
func slowCheckPath(path string) bool {
	if len(path) > 1024 || !utf8.ValidString(path) {
		return false
	}
	for i, c := range strings.Split(path, "/") {
		if c == "" || c == "." || c == ".." || len(c) > 255 || i == 0 && c == ".palhm" {
			return false
		}
		if strings.ContainsFunc(c, func(r rune) bool { return r == '\\' || unicode.Is(unicode.Cc, r) }) {
			return false
		}
	}
	return true
}

func FuzzCheckPath(f *testing.F) {
	for _, path := range []string{"a", "a/b", "../a", "a//b", "/", "a\\b", ".palhm/x", "\xff", "\ufffd", strings.Repeat("a/", 600)} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if got, want := plan.CheckPath(path) == nil, slowCheckPath(path); got != want {
			t.Errorf("%q: accepted %v, want %v", path, got, want)
		}
	})
}

func TestCheckPaths(t *testing.T) {
	for _, c := range []struct {
		paths []string
		want  []plan.PathConflict
	}{
		{nil, nil},
		{[]string{"a", "b", "a-b", "a.b", "c/a", "c/b"}, nil},
		{[]string{"a", "a"}, []plan.PathConflict{{1, 0}}},
		{[]string{"a/b", "x", "a"}, []plan.PathConflict{{2, 0}}},
		{[]string{"a", "a-b", "a b", "a/b"}, []plan.PathConflict{{3, 0}}}, // sorts apart as strings
		{[]string{"a", "a/b", "a/b/c"}, []plan.PathConflict{{1, 0}, {2, 1}}},
		{[]string{"a", "a/b/c", "a/d"}, []plan.PathConflict{{1, 0}, {2, 0}}},
	} {
		if got := plan.CheckPaths(c.paths); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%q: got %v, want %v", c.paths, got, c.want)
		}
	}
}

// conflict is the rule itself, for two paths.
func conflict(a, b string) bool {
	return a == b || strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/")
}

// FuzzCheckPaths against looking at every pair: what is reported is a conflict, and
// every path that is in one is reported.
func FuzzCheckPaths(f *testing.F) {
	f.Add("a\na/b\na-b\nb")
	f.Add("a\na\na\na/b")
	f.Add("a/b/c\na/b\na\na!\na0")
	f.Fuzz(func(t *testing.T, list string) {
		paths := strings.Split(list, "\n")
		if len(paths) > 60 {
			return
		}
		want := map[int]bool{}
		for i := range paths {
			for j := range i {
				if paths[i] == "" || paths[j] == "" {
					return // CheckPath refuses these before
				}
				if conflict(paths[i], paths[j]) {
					want[i], want[j] = true, true
				}
			}
		}
		got := map[int]bool{}
		for _, c := range plan.CheckPaths(paths) {
			if c.Index <= c.Other || !conflict(paths[c.Index], paths[c.Other]) {
				t.Errorf("%q: got %v, which is no conflict", paths, c)
			}
			got[c.Index], got[c.Other] = true, true
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%q: got conflicts of %v, want %v", paths, got, want)
		}
	})
}

// TestCheckPathsOfManyObjects: a site of 100,000 objects is no reason to wait.
func TestCheckPathsOfManyObjects(t *testing.T) {
	paths := make([]string, 100_000)
	for i := range paths {
		paths[i] = fmt.Sprintf("databases/db%d/table%d.sql.zst", i%1000, i)
	}
	start := time.Now()
	if got := plan.CheckPaths(paths); len(got) > 0 {
		t.Errorf("got %v", got[0])
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}
