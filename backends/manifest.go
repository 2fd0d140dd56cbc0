package backends

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"palhm/runtime/plan"
)

// Where a copy's own files are, relative to the copy.
const (
	ManifestPath = plan.ReservedDir + "/manifest.json"
	SumsPath     = plan.ReservedDir + "/SHA256SUMS"
)

// ManifestVersion is the version that this program writes. Fields are only ever
// added within a version.
const ManifestVersion = 1

// maxManifest bounds what is read of a manifest: about a hundred thousand objects.
const maxManifest = 256 << 20

// Manifest describes a copy. It is stored in the copy as JSON, in the clear: it
// holds paths, commands and the names of secrets, and no secret's value.
type Manifest struct {
	Version  int            `json:"version"`
	Palhm    string         `json:"palhm"`       // version of the program
	Host     string         `json:"host"`        // name of the host that made the copy
	Site     string         `json:"site"`        // absolute path of the site file
	Digest   string         `json:"site_sha256"` // plan.Site.Digest
	Task     string         `json:"task"`
	Prefix   string         `json:"prefix"`
	Start    time.Time      `json:"start"` // UTC
	End      time.Time      `json:"end"`   // UTC
	Objects  []ObjectRecord `json:"objects"`
	Warnings []string       `json:"warnings,omitempty"`
}

// ObjectRecord describes one object of a copy.
type ObjectRecord struct {
	Path      string        `json:"path"`
	Size      int64         `json:"size"` // bytes
	SHA256    string        `json:"sha256"`
	CRC64NVME string        `json:"crc64nvme"` // base64, as S3 gives it
	Start     time.Time     `json:"start"`
	Seconds   float64       `json:"seconds"`
	Stages    []StageRecord `json:"stages"`
	// Inverse undoes the pipeline, in the order in which it runs: the inverse of
	// the last stage comes first. It ends before a stage whose inverse is not known.
	Inverse []CommandRecord `json:"inverse,omitempty"`
}

// CommandRecord is a command as a manifest stores it.
type CommandRecord struct {
	Argv     []string          `json:"argv"`
	Env      []string          `json:"env,omitempty"`     // names of the variables that the site sets
	Secrets  map[string]string `json:"secrets,omitempty"` // variable, or "stdin", to the secret's name
	User     string            `json:"user,omitempty"`
	Dir      string            `json:"cwd,omitempty"`
	ExitCode string            `json:"ec,omitempty"` // which exit codes are good
}

// StageRecord is a stage of a pipeline and how it ended.
type StageRecord struct {
	CommandRecord
	Exit    int     `json:"exit"`
	Signal  string  `json:"signal,omitempty"` // with sigpipe = True only
	Seconds float64 `json:"seconds"`
}

// Size is the sum of the sizes of the objects, in bytes.
func (m *Manifest) Size() int64 {
	var n int64
	for _, o := range m.Objects {
		n += o.Size
	}
	return n
}

// Encode returns the manifest as it is stored, and the SHA256SUMS file that covers
// it and every object, in the form that sha256sum(1) checks.
func (m *Manifest) Encode() (manifest, sums []byte, err error) {
	manifest, err = json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, nil, fmt.Errorf("write manifest: %w", err)
	}
	manifest = append(manifest, '\n')
	if len(manifest) > maxManifest {
		return nil, nil, fmt.Errorf("write manifest: it would be %d bytes long, the longest is %d", len(manifest), maxManifest)
	}
	var b bytes.Buffer
	for _, o := range m.Objects {
		fmt.Fprintf(&b, "%s  %s\n", o.SHA256, sumsName(o.Path))
	}
	sum := sha256.Sum256(manifest)
	fmt.Fprintf(&b, "%s  %s\n", hex.EncodeToString(sum[:]), ManifestPath)
	return manifest, b.Bytes(), nil
}

// sumsName is the name of an object in SHA256SUMS. Of the paths that CheckPath
// accepts only "-" means something else to sha256sum(1).
func sumsName(path string) string {
	if path == "-" {
		return "./-"
	}
	return path
}

// ReadManifest reads a manifest and checks what it says: whoever can write to a
// root can write a manifest. prefix is the name of the copy that it was found in.
func ReadManifest(r io.Reader, prefix string) (*Manifest, error) {
	m := new(Manifest)
	if err := readJSON(r, prefix, m); err != nil {
		return nil, err
	}
	if err := m.check(prefix); err != nil {
		return nil, fmt.Errorf("read manifest of %s: %w", prefix, err)
	}
	return m, nil
}

// ReadOutline reads of a manifest what a listing needs, with the same checks: of each
// object only Path, Size and SHA256. Every run lists every copy, so it takes no memory for
// the commands, and not much more than the file is long whatever that says: of "{},{},{}" a
// Manifest takes forty times as much.
func ReadOutline(r io.Reader, prefix string) (*Manifest, error) {
	var o outline
	if err := readJSON(r, prefix, &o); err != nil {
		return nil, err
	}
	m := Manifest{Version: o.Version, Host: o.Host, Task: o.Task, Prefix: o.Prefix, Objects: make([]ObjectRecord, len(o.Objects))}
	for i, rec := range o.Objects {
		m.Objects[i] = ObjectRecord{Path: rec.Path, Size: rec.Size, SHA256: rec.SHA256}
	}
	if err := m.check(prefix); err != nil {
		return nil, fmt.Errorf("read manifest of %s: %w", prefix, err)
	}
	return &m, nil
}

// ReadInfo reads of a manifest what List tells, as ReadOutline does.
func ReadInfo(r io.Reader, prefix string) (Info, error) {
	m, err := ReadOutline(r, prefix)
	if err != nil {
		return Info{}, err
	}
	t, _, err := ParsePrefix(prefix)
	if err != nil {
		return Info{}, err
	}
	return Info{Prefix: prefix, Time: t, Size: m.Size(), Objects: len(m.Objects), Host: m.Host, Task: m.Task}, nil
}

// outline is what ReadOutline needs of a manifest.
type outline struct {
	Version int             `json:"version"`
	Host    string          `json:"host"`
	Task    string          `json:"task"`
	Prefix  string          `json:"prefix"`
	Objects []objectOutline `json:"objects"`
}

type objectOutline struct {
	Path   string
	Size   int64
	SHA256 string
}

// UnmarshalJSON refuses at once what is no object, instead of after the last of many.
func (o *objectOutline) UnmarshalJSON(data []byte) error {
	var fields struct {
		Path   string `json:"path"`
		Size   int64  `json:"size"`
		SHA256 string `json:"sha256"`
	}
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	*o = objectOutline(fields)
	return (&ObjectRecord{Path: o.Path, Size: o.Size, SHA256: o.SHA256}).check()
}

func readJSON(r io.Reader, prefix string, to any) error {
	data, err := io.ReadAll(io.LimitReader(r, maxManifest+1))
	if err == nil && len(data) > maxManifest {
		err = fmt.Errorf("it is larger than %d bytes", maxManifest)
	}
	if err == nil {
		err = json.Unmarshal(data, to)
	}
	if err != nil {
		return fmt.Errorf("read manifest of %s: %w", prefix, err)
	}
	return nil
}

func (m *Manifest) check(prefix string) error {
	switch {
	case m.Version != ManifestVersion:
		return fmt.Errorf("got version %d, want %d", m.Version, ManifestVersion)
	case m.Prefix != prefix:
		return fmt.Errorf("it is the manifest of copy %q", m.Prefix)
	case m.Host == "" || m.Task == "":
		return fmt.Errorf("it names no host or no task")
	}
	paths := make([]string, len(m.Objects))
	var total int64
	for i, o := range m.Objects {
		if err := o.check(); err != nil {
			return err
		}
		if total += o.Size; total < 0 {
			return fmt.Errorf("its sizes add up to more than any store holds")
		}
		paths[i] = o.Path
	}
	if conflicts := plan.CheckPaths(paths); len(conflicts) > 0 {
		return fmt.Errorf("objects %q and %q cannot be in one copy", paths[conflicts[0].Other], paths[conflicts[0].Index])
	}
	return nil
}

func (o *ObjectRecord) check() error {
	if err := plan.CheckPath(o.Path); err != nil {
		return err
	}
	if o.Size < 0 {
		return fmt.Errorf("object %q has the size %d", o.Path, o.Size)
	}
	if sum, err := hex.DecodeString(o.SHA256); err != nil || len(sum) != sha256.Size || o.SHA256 != hex.EncodeToString(sum) {
		return fmt.Errorf("object %q: got SHA-256 %.80q, want 64 lower-case hexadecimal digits", o.Path, o.SHA256)
	}
	return nil
}
