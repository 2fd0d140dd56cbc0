package starlib_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"palhm/runtime/plan"
	"palhm/starlib"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// testConfig is a host that is the same everywhere.
func testConfig(dir string) starlib.Config {
	env := map[string]string{"HOME": "/root", "LANG": "C", "PATH": filepath.Join(dir, "bin")}
	return starlib.Config{
		Dir:       dir,
		LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		Host: starlib.Host{Name: "web1", Arch: "amd64", CPUs: 4, OS: map[string]string{
			"id": "debian", "version_id": "12", "name": "Debian GNU/Linux", "id_like": "debian",
		}},
	}
}

// write puts files below dir.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestGolden loads the sites of testdata/plan and compares the plan, the errors
// and the warnings. "$DIR" stands for the directory of the site.
func TestGolden(t *testing.T) {
	archives, err := filepath.Glob("../testdata/plan/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no golden plans: %v", err)
	}
	for _, path := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, path, archive)
		})
	}
}

// standardPlace is a place in a standard module, whose text often changes.
var standardPlace = regexp.MustCompile(`(@palhm//[\w.]+):\d+:\d+`)

// standardSum is the digest of a standard module.
var standardSum = regexp.MustCompile(`("label": "@palhm//[\w.]+",\s+"sha256": )"\w+"`)

func golden(t *testing.T, path string, archive *txtar.Archive) {
	dir := t.TempDir()
	files, want := map[string]string{}, map[string]string{}
	inputs := &txtar.Archive{Comment: archive.Comment}
	for _, f := range archive.Files {
		if strings.HasPrefix(f.Name, "want.") {
			want[f.Name] = string(f.Data)
			continue
		}
		files[f.Name] = string(f.Data)
		inputs.Files = append(inputs.Files, f)
	}
	write(t, dir, files)
	got := map[string]string{}
	cfg := testConfig(dir)
	cfg.Print = func(pos plan.Pos, msg string) { got["want.print"] += pos.String() + ": " + msg + "\n" }
	site, found, err := starlib.Check(t.Context(), cfg, "site.star")
	if err != nil {
		got["want.err"] = err.Error() + "\n"
	} else {
		text, err := json.MarshalIndent(site, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got["want.json"] = string(text) + "\n"
	}
	if found != nil && len(found.Warnings) > 0 {
		got["want.warn"] = found.Warnings.Error() + "\n"
	}
	names := []string{"want.json", "want.err", "want.warn", "want.print"}
	for _, name := range names {
		text := strings.ReplaceAll(got[name], dir, "$DIR")
		text = standardPlace.ReplaceAllString(text, "$1:LINE:COL")
		text = standardSum.ReplaceAllString(text, `$1"SUM"`)
		if text != want[name] && !*update {
			t.Errorf("%s: %s differs\n--- got\n%s--- want\n%s", path, name, text, want[name])
		}
		if text != "" {
			inputs.Files = append(inputs.Files, txtar.File{Name: name, Data: []byte(text)})
		}
	}
	if *update {
		if err := os.WriteFile(path, txtar.Format(inputs), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
