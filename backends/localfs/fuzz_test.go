package localfs_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"palhm/backends"
	"palhm/runtime/plan"
)

// FuzzPathsStayInside stores at any path in a real root that has neighbours above
// it. Either the path is refused, or the object is at ROOT/PREFIX/PATH; nothing
// else is made anywhere.
func FuzzPathsStayInside(f *testing.F) {
	for _, path := range []string{
		"a", "a/b", "../x", "a/../../x", "/etc/x", ".", "..", "", "a//b", ".palhm/x", ".palhm", "a/.palhm", "-", "..a", "a\x00b", "a\\b",
		strings.Repeat("d/", 200) + "f", strings.Repeat("n", 256), "link/x", "d/f\u2028", "\xff",
	} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		above := t.TempDir()
		plant(t, filepath.Join(above, "outside/file"), "untouched")
		root := filepath.Join(above, "root")
		s := newStore(t, root)
		c := mustBegin(t, s, copy1)
		// Not through backends.Put: the store has to refuse by itself.
		_, err := c.Put(t.Context(), path, strings.NewReader("content"), 0)
		if bad := plan.CheckPath(path); bad != nil && err == nil {
			t.Errorf("stored at %q, although %v", path, bad)
		}
		if err := c.Commit(t.Context(), manifest(copy1)); err != nil {
			t.Fatal(err)
		}
		files := plainFiles(t, above)
		for _, own := range []string{"outside/file", "root/" + copy1 + "/.palhm/manifest.json", "root/" + copy1 + "/.palhm/SHA256SUMS"} {
			if !files[own] {
				t.Errorf("%s is missing", own)
			}
			delete(files, own)
		}
		if err == nil {
			if !files["root/"+copy1+"/"+path] {
				t.Errorf("%q is not where it belongs", path)
			}
			delete(files, "root/"+copy1+"/"+path)
		}
		for f := range files {
			t.Errorf("put at %q made %q", path, f)
		}
		r, openErr := s.Open(t.Context(), copy1, path)
		if openErr == nil {
			data, _ := io.ReadAll(r)
			r.Close()
			if string(data) != "content" && path != backends.ManifestPath && path != backends.SumsPath {
				t.Errorf("open %q reads %q", path, data)
			}
		} else if err == nil {
			t.Errorf("stored at %q, and: %v", path, openErr)
		}
	})
}

// plainFiles are the files below a directory.
func plainFiles(t testing.TB, dir string) map[string]bool {
	t.Helper()
	files := map[string]bool{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files[strings.TrimPrefix(path, dir+"/")] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// FuzzListAnything: no name and no manifest in a root makes List fail.
func FuzzListAnything(f *testing.F) {
	f.Add(copy1, []byte("{}"))
	f.Add("20220501T065917Z", []byte(`{"version":1}`))
	f.Add("lost+found", []byte(nil))
	f.Fuzz(func(t *testing.T, name string, manifest []byte) {
		root := t.TempDir()
		dir := filepath.Join(root, filepath.Base(name))
		if !strings.HasPrefix(dir, root+"/") || errors.Join(os.MkdirAll(dir+"/.palhm", 0o755), os.WriteFile(dir+"/.palhm/manifest.json", manifest, 0o644)) != nil {
			return // no name of a directory
		}
		infos, err := newStore(t, root).List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range infos {
			if i.Damage == nil && i.Host == "" {
				t.Errorf("%q is listed as a good copy: %+v", name, i)
			}
		}
	})
}
