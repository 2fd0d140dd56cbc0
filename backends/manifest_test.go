package backends_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"palhm/backends"
	"palhm/runtime/plan"
)

const copy1 = "2022-05-01T06:59:17+00:00"

func sum(content string) string {
	s := sha256.Sum256([]byte(content))
	return hex.EncodeToString(s[:])
}

// full is a manifest with every field set.
func full() *backends.Manifest {
	at := time.Date(2022, 5, 1, 6, 59, 17, 0, time.UTC)
	dump := backends.CommandRecord{
		Argv: []string{"mysqldump", "--all-databases", `<&>"`}, Env: []string{"LANG"},
		Secrets: map[string]string{"MYSQL_PWD": `secret(env = "PW")`}, User: "mysql", Dir: "/", ExitCode: "0-1",
	}
	return &backends.Manifest{
		Version: backends.ManifestVersion, Palhm: "v1", Host: "web1", Site: "/etc/palhm/site.star", Digest: sum("site"),
		Task: "backup", Prefix: copy1, Start: at, End: at.Add(time.Minute), Warnings: []string{"slow"},
		Objects: []backends.ObjectRecord{{
			Path: "d/a", Size: 5, SHA256: sum("hello"), CRC64NVME: "AAAAAAAAAAA=", Start: at, Seconds: 1.5,
			Stages:  []backends.StageRecord{{CommandRecord: dump, Exit: 1, Signal: "SIGPIPE", Seconds: 1}},
			Inverse: []backends.CommandRecord{{Argv: []string{"mysql"}}},
		}},
	}
}

func TestManifestReadsBack(t *testing.T) {
	m := full()
	for v := reflect.ValueOf(m).Elem(); ; v = v.FieldByName("Objects").Index(0) {
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Errorf("the test leaves %s.%s out", v.Type(), v.Type().Field(i).Name)
			}
		}
		if !v.FieldByName("Objects").IsValid() {
			break
		}
	}
	data, _, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := backends.ReadManifest(bytes.NewReader(data), copy1)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, m) {
		t.Errorf("got  %+v\nwant %+v", got, m)
	}
}

// A later palhm adds fields; this one reads what it knows.
func TestManifestWithNewFields(t *testing.T) {
	data, _, _ := full().Encode()
	data = bytes.Replace(data, []byte("{"), []byte(`{"later": [1, {"x": null}],`), 1)
	if _, err := backends.ReadManifest(bytes.NewReader(data), copy1); err != nil {
		t.Error(err)
	}
}

// TestSumsAreChecked by sha256sum itself, with names that could mean something else
// to it.
func TestSumsAreChecked(t *testing.T) {
	dir := t.TempDir()
	m := full()
	m.Objects = nil
	for _, path := range []string{"a", "-", "--help", " blank ", "*star", "#hash", "d/ünï", "\u2028", "(a) = b", "SHA256 (x) = y", "d/-"} {
		m.Objects = append(m.Objects, backends.ObjectRecord{Path: path, Size: int64(len(path)), SHA256: sum(path)})
		write(t, filepath.Join(dir, path), path)
	}
	data, sums, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, backends.ManifestPath), string(data))
	write(t, filepath.Join(dir, backends.SumsPath), string(sums))
	check := func() error {
		cmd := exec.CommandContext(t.Context(), "sha256sum", "--strict", "--quiet", "-c", backends.SumsPath)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		t.Logf("%s", out)
		return err
	}
	if err := check(); err != nil {
		t.Errorf("sha256sum -c: %v", err)
	}
	for _, o := range append(m.Objects, backends.ObjectRecord{Path: backends.ManifestPath}) {
		path := filepath.Join(dir, o.Path)
		good, _ := os.ReadFile(path)
		write(t, path, string(good)+"x")
		if check() == nil {
			t.Errorf("a changed %s goes unnoticed", o.Path)
		}
		write(t, path, string(good))
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestReadManifestRefuses what whoever can write to a root might write.
func TestReadManifestRefuses(t *testing.T) {
	object := func(change func(o *backends.ObjectRecord)) func(m *backends.Manifest) {
		return func(m *backends.Manifest) { change(&m.Objects[0]) }
	}
	second := func(path string, size int64) func(m *backends.Manifest) {
		return func(m *backends.Manifest) {
			m.Objects = append(m.Objects, backends.ObjectRecord{Path: path, Size: size, SHA256: sum("")})
		}
	}
	for what, change := range map[string]func(m *backends.Manifest){
		"of another copy":      func(m *backends.Manifest) { m.Prefix = "2022-05-01T06:59:18+00:00" },
		"of a later version":   func(m *backends.Manifest) { m.Version = 2 },
		"without a version":    func(m *backends.Manifest) { m.Version = 0 },
		"without a host":       func(m *backends.Manifest) { m.Host = "" },
		"without a task":       func(m *backends.Manifest) { m.Task = "" },
		"path that escapes":    object(func(o *backends.ObjectRecord) { o.Path = "../../etc/shadow" }),
		"absolute path":        object(func(o *backends.ObjectRecord) { o.Path = "/etc/shadow" }),
		"path of palhm's own":  object(func(o *backends.ObjectRecord) { o.Path = backends.ManifestPath }),
		"negative size":        object(func(o *backends.ObjectRecord) { o.Size = -1 }),
		"no checksum":          object(func(o *backends.ObjectRecord) { o.SHA256 = "" }),
		"short checksum":       object(func(o *backends.ObjectRecord) { o.SHA256 = o.SHA256[2:] }),
		"checksum in capitals": object(func(o *backends.ObjectRecord) { o.SHA256 = strings.ToUpper(o.SHA256) }),
		"checksum that adds a line": object(func(o *backends.ObjectRecord) {
			o.SHA256 = o.SHA256[:62] + "\n\n"
		}),
		"the same path twice":      second("d/a", 0),
		"a file below a file":      second("d/a/b", 0),
		"sizes beyond what counts": second("b", 1<<63-1),
	} {
		m := full()
		change(m)
		data, _, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := backends.ReadManifest(bytes.NewReader(data), copy1); err == nil {
			t.Errorf("manifest %s: got no error", what)
		}
		if _, err := backends.ReadInfo(bytes.NewReader(data), copy1); err == nil {
			t.Errorf("info of a manifest %s: got no error", what)
		}
	}
	for _, text := range []string{"", "{", "null", "[]", `"x"`, `{"version": 1} x`, "\x00", `{"version": "1"}`} {
		if _, err := backends.ReadManifest(strings.NewReader(text), copy1); err == nil {
			t.Errorf("manifest %q: got no error", text)
		}
		if _, err := backends.ReadInfo(strings.NewReader(text), copy1); err == nil {
			t.Errorf("info of manifest %q: got no error", text)
		}
	}
}

func TestReadInfo(t *testing.T) {
	data, _, err := full().Encode()
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2022, 5, 1, 6, 59, 17, 0, time.UTC)
	want := backends.Info{Prefix: copy1, Time: at, Size: 5, Objects: 1, Host: "web1", Task: "backup"}
	if got, err := backends.ReadInfo(bytes.NewReader(data), copy1); got != want || err != nil {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

// TestReadInfoTakesLittleMemory: a planted manifest, small enough to be read, does
// not take all of the memory of every run on that root.
func TestReadInfoTakesLittleMemory(t *testing.T) {
	many := strings.Repeat("{},", 1<<20) + "{}"
	head := `{"version":1,"host":"h","task":"t","prefix":"` + copy1 + `","objects":[`
	for what, text := range map[string]string{
		"objects":  head + many + `]}`,
		"stages":   head + `{"path":"a","sha256":"` + sum("") + `","stages":[` + many + `]}]}`,
		"warnings": head + `],"warnings":[` + strings.ReplaceAll(many, "{}", `""`) + `]}`,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		backends.ReadInfo(strings.NewReader(text), copy1) //nolint:errcheck // refused or not
		runtime.ReadMemStats(&after)
		if got := (after.TotalAlloc - before.TotalAlloc) / uint64(len(text)); got > 10 {
			t.Errorf("many %s: %d times the length of the manifest was allocated", what, got)
		}
	}
}

func TestSizeAddsUp(t *testing.T) {
	m := &backends.Manifest{Objects: []backends.ObjectRecord{{Size: 1 << 53}, {Size: 1}, {Size: 2}}}
	if got := m.Size(); got != 1<<53+3 {
		t.Errorf("got %d, want %d", got, int64(1<<53+3))
	}
}

// FuzzReadManifest: whatever stands in a manifest, it is refused or harmless, and
// what is accepted can be written and read again.
func FuzzReadManifest(f *testing.F) {
	data, _, err := full().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"version":1,"host":"h","task":"t","prefix":"2022-05-01T06:59:17+00:00","objects":[{"path":"a","sha256":""}]}`))
	f.Add([]byte(`{"VERSION":1,"objects":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := backends.ReadManifest(bytes.NewReader(data), copy1)
		if err != nil {
			return
		}
		info, err := backends.ReadInfo(bytes.NewReader(data), copy1)
		if err != nil || info.Size != m.Size() || info.Objects != len(m.Objects) || info.Host != m.Host || info.Task != m.Task {
			t.Errorf("got info %+v, %v of %+v", info, err, m)
		}
		for _, o := range m.Objects {
			if err := plan.CheckPath(o.Path); err != nil {
				t.Errorf("accepted: %v", err)
			}
		}
		if m.Prefix != copy1 || m.Size() < 0 {
			t.Errorf("accepted: prefix %q, size %d", m.Prefix, m.Size())
		}
		again, sums, err := m.Encode()
		if err != nil {
			t.Fatalf("cannot be written again: %v", err)
		}
		if got := bytes.Count(sums, []byte("\n")); got != len(m.Objects)+1 {
			t.Errorf("got %d lines in SHA256SUMS, want %d", got, len(m.Objects)+1)
		}
		if _, err := backends.ReadManifest(bytes.NewReader(again), copy1); err != nil {
			t.Errorf("cannot be read again: %v", err)
		}
	})
}

// TestManifestFieldNames: they are documented, and only ever extended.
func TestManifestFieldNames(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	data, _, _ := full().Encode()
	var m map[string]any
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	object := m["objects"].([]any)[0].(map[string]any)
	stage := object["stages"].([]any)[0].(map[string]any)
	for _, fields := range []map[string]any{m, object, stage} {
		for name := range fields {
			if !bytes.Contains(readme, []byte("| `"+name+"` |")) {
				t.Errorf("README.md has no row for the field %q", name)
			}
		}
	}
}
