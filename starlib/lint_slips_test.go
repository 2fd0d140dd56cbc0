package starlib_test

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"palhm/starlib"
)

// A siteText is a site that is right.
type siteText struct {
	name, text string
	files      map[string]string // that it loads or reads
}

// maxSlips bounds the slips of one kind, so that the test takes seconds.
const maxSlips = 250

// TestSlips makes mistakes in the functions of all Starlark texts of the project, each of
// them one that a person makes, and measures how many a check finds. What stands at the top
// level is left out: it is run while the site loads. It shows what is found of each kind
// with -v, and what is not with PALHM_TEST_SLIPS=1.
func TestSlips(t *testing.T) {
	const least, share = 1000, 0.93
	byKind := map[string][]slip{}
	for _, x := range goodTexts(t) {
		for _, s := range slipsIn(t, x) {
			byKind[s.kind] = append(byKind[s.kind], s)
		}
	}
	var all []slip
	for _, list := range byKind {
		slices.SortStableFunc(list, func(a, b slip) int { return cmp.Compare(a.rank(), b.rank()) })
		all = append(all, list[:min(len(list), maxSlips)]...)
	}
	found := make([]bool, len(all))
	inParallel(t, len(all), func(i int, dir string) { found[i] = all[i].found(t, dir) })
	total, seen, sum := map[string]int{}, map[string]int{}, 0
	for i, s := range all {
		total[s.kind]++
		if found[i] {
			seen[s.kind]++
			sum++
		} else if os.Getenv("PALHM_TEST_SLIPS") != "" {
			t.Logf("not found: %s: %s:%d: %s -> %s", s.kind, s.of.name, s.line, s.from, s.to)
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(total)) {
		t.Logf("%4d of %4d: %s", seen[kind], total[kind], kind)
	}
	t.Logf("%4d of %4d: all, %.1f %%", sum, len(all), 100*float64(sum)/float64(len(all)))
	if len(all) < least || float64(sum) < share*float64(len(all)) {
		t.Errorf("found %d of %d slips, want %.0f %% of at least %d", sum, len(all), 100*share, least)
	}
}

// inParallel calls f for each index, with a directory of its own.
func inParallel(t *testing.T, n int, f func(i int, dir string)) {
	t.Helper()
	var workers sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		dir := t.TempDir()
		workers.Go(func() {
			for i := range next {
				f(i, dir)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	workers.Wait()
}

// found reports whether a check has anything to say of a site that is wrong.
func (s slip) found(t *testing.T, dir string) bool {
	warnings, err := s.of.check(t, dir, s.text)
	if err != nil && strings.Contains(err.Error(), "internal error") {
		t.Errorf("%s:%d: %s: %v", s.of.name, s.line, s.kind, err)
	}
	return err != nil || len(warnings) > 0
}

// check looks at a text in place of the site's own.
func (x *siteText) check(t *testing.T, dir, text string) (starlib.Errors, error) {
	dir = filepath.Join(dir, fmt.Sprintf("%x", hash(x.name)))
	if _, err := os.Stat(dir); err != nil {
		write(t, dir, x.files)
		write(t, dir, map[string]string{"bin/zstd": "x"})
	}
	write(t, dir, map[string]string{"site.star": text})
	_, found, err := starlib.Check(t.Context(), testConfig(dir), "site.star")
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found.Warnings, func(w *starlib.Error) bool { return w.Pos.Line == 0 }), nil
}

func hash(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s)) //nolint:errcheck // never fails
	return h.Sum64()
}

// goodTexts gives the sites and modules of the project in which a check finds nothing. For
// what is shipped and for the README it must not.
func goodTexts(t *testing.T) []*siteText {
	t.Helper()
	var all []*siteText
	dir := t.TempDir()
	add := func(x *siteText, shipped bool) {
		warnings, err := x.check(t, dir, x.text)
		if err == nil && len(warnings) == 0 {
			all = append(all, x)
		} else if shipped {
			t.Errorf("%s: %v %v", x.name, err, warnings)
		}
	}
	for _, file := range matches(t, "../scripts/*.star", "std/*.star") {
		if text := read(t, file); !strings.Contains(text, "native.") && !strings.HasSuffix(file, "_test.star") {
			add(&siteText{name: file, text: text}, true)
		}
	}
	for i, block := range strings.Split(read(t, "../README.md"), "```python\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		add(&siteText{name: fmt.Sprintf("README.md:%d", i+1), text: block}, false)
	}
	for _, file := range matches(t, "../testdata/star/*.star") {
		for i, chunk := range strings.Split(read(t, file), "\n---\n") {
			if !strings.Contains(chunk, "###") && !strings.Contains(file, "silent") { // which is of what cannot be known
				add(&siteText{name: fmt.Sprintf("%s:%d", file, i+1), text: chunk, files: starModules}, false)
			}
		}
	}
	for _, file := range matches(t, "../testdata/plan/*.txtar", "../testdata/script/*.txtar", "../testdata/script/*/*.txtar") {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		files := map[string]string{}
		for _, f := range archive.Files {
			files[f.Name] = string(f.Data)
		}
		for _, f := range archive.Files {
			if strings.HasSuffix(f.Name, ".star") && !strings.HasSuffix(f.Name, "_test.star") {
				add(&siteText{name: file + ":" + f.Name, text: string(f.Data), files: files}, false)
			}
		}
	}
	return all
}

func matches(t *testing.T, patterns ...string) []string {
	t.Helper()
	var all []string
	for _, p := range patterns {
		files, err := filepath.Glob(p)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no files, %v", p, err)
		}
		all = append(all, files...)
	}
	return all
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
