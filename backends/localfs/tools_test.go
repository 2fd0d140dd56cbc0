package localfs_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"palhm/backends"
	"palhm/backends/localfs"
	"palhm/runtime/plan"
)

const (
	copy1 = "2022-05-01T06:59:17+00:00"
	copy2 = "2022-05-02T06:59:17+00:00"
)

// TestMain lets the test binary be the second process of a test: a program that is
// traced, killed, or holds a lock.
func TestMain(m *testing.M) {
	if name := os.Getenv("PALHM_TEST_CHILD"); name != "" {
		child(name, os.Args[1:])
	}
	os.Exit(m.Run())
}

// childCommand is this program as the child of that name.
func childCommand(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), "PALHM_TEST_CHILD="+name)
	return cmd
}

// put stores content, and returns its record.
func put(ctx context.Context, c backends.Copy, path, content string) (backends.ObjectRecord, error) {
	s, err := backends.Put(ctx, c, path, strings.NewReader(content), 0)
	return backends.ObjectRecord{Path: path, Size: s.Size, SHA256: s.SHA256, CRC64NVME: s.CRC64NVME}, err
}

func manifest(prefix string, objects ...backends.ObjectRecord) *backends.Manifest {
	return &backends.Manifest{
		Version: backends.ManifestVersion, Host: "host", Task: "task", Prefix: prefix,
		Start: time.Now().UTC(), End: time.Now().UTC(), Objects: objects,
	}
}

// makeCopy makes a copy of these objects, given as path, content, path, content. On
// an error it has aborted.
func makeCopy(ctx context.Context, s backends.Store, prefix string, objects ...string) error {
	c, err := s.Begin(ctx, prefix)
	if err != nil {
		return err
	}
	m := manifest(prefix)
	for i := 0; i < len(objects) && err == nil; i += 2 {
		var o backends.ObjectRecord
		o, err = put(ctx, c, objects[i], objects[i+1])
		m.Objects = append(m.Objects, o)
	}
	if err == nil {
		err = backends.Commit(ctx, c, m)
	}
	if err != nil {
		return errors.Join(err, c.Abort(ctx))
	}
	return nil
}

func mustMakeCopy(t testing.TB, s backends.Store, prefix string, objects ...string) {
	t.Helper()
	if err := makeCopy(t.Context(), s, prefix, objects...); err != nil {
		t.Fatal(err)
	}
}

func mustBegin(t testing.TB, s backends.Store, prefix string) backends.Copy {
	t.Helper()
	c, err := s.Begin(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wantCopies checks which copies are listed.
func wantCopies(t testing.TB, s backends.Store, want ...string) {
	t.Helper()
	infos, err := s.List(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, i := range infos {
		got = append(got, i.Prefix)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("got copies %q, want %q", got, want)
	}
}

// wantWhole reads every object of a copy back and compares it with the manifest.
func wantWhole(t testing.TB, s backends.Store, prefix string) {
	t.Helper()
	f, err := s.Open(t.Context(), prefix, backends.ManifestPath)
	if err != nil {
		t.Fatalf("%s is listed, but: %v", prefix, err)
	}
	m, err := backends.ReadManifest(f, prefix)
	f.Close()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range m.Objects {
		f, err := s.Open(t.Context(), prefix, o.Path)
		if err != nil {
			t.Errorf("%s: %v", prefix, err)
			continue
		}
		sum := sha256.New()
		n, err := io.Copy(sum, f)
		f.Close()
		if err != nil || n != o.Size || hex.EncodeToString(sum.Sum(nil)) != o.SHA256 {
			t.Errorf("%s: object %s is damaged: %d bytes of %d, %v", prefix, o.Path, n, o.Size, err)
		}
	}
}

// wantSums runs sha256sum in a copy, as a person without palhm would.
func wantSums(t testing.TB, root, prefix string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sha256sum", "--strict", "-c", backends.SumsPath)
	cmd.Dir = filepath.Join(root, prefix)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("sha256sum -c: %v\n%s", err, out)
	}
}

// wantClean checks that nothing but copies, the lock and what the test planted is
// in the root, and nothing at all below .palhm.
func wantClean(t testing.TB, root string) {
	t.Helper()
	for _, dir := range []string{"staging", "trash"} {
		entries, err := os.ReadDir(filepath.Join(root, ".palhm", dir))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
		for _, e := range entries {
			t.Errorf("left in %s: %s", dir, e.Name())
		}
	}
	left, _ := filepath.Glob(filepath.Join(root, ".palhm.rehearsal-*"))
	if len(left) > 0 {
		t.Errorf("left in the root: %q", left)
	}
}

func wantMode(t testing.TB, path string, want fs.FileMode) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Error(err)
	} else if info.Mode().Perm() != want {
		t.Errorf("%s: got mode %o, want %o", path, info.Mode().Perm(), want)
	}
}

// wantError checks that an error says all of these words.
func wantError(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("got no error, want one with %q", words)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("got error %q, want one with %q", err, w)
		}
	}
}

// mountTmpfs mounts a file system of its own on a new directory.
func mountTmpfs(t testing.TB, options string) string {
	t.Helper()
	dir := t.TempDir()
	mount(t, "tmpfs", dir, "tmpfs", 0, options)
	return dir
}

// mountImage makes a file system of that type and size in a file and mounts it.
func mountImage(t testing.TB, fstype string, size int64) string {
	t.Helper()
	image, dir := filepath.Join(t.TempDir(), "image"), t.TempDir()
	plant(t, image, "")
	if err := os.Truncate(image, size); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount")
	}
	if out, err := exec.Command("mkfs."+fstype, "-q", image).CombinedOutput(); err != nil {
		t.Skipf("needs mkfs.%s: %v %s", fstype, err, out)
	}
	if out, err := exec.Command("mount", "-o", "loop", image, dir).CombinedOutput(); err != nil {
		t.Logf("mount: %v %s", err, out)
		t.Skip("needs a loop device")
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return dir
}

// mount skips the test where it may not mount.
func mount(t testing.TB, source, dir, fstype string, flags uintptr, options string) {
	t.Helper()
	if err := unix.Mount(source, dir, fstype, flags, options); err != nil {
		t.Skipf("needs root, to mount: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
}

// faultAt makes the nth change to the file system fail, and all after it too when
// the process is to be dead from then on.
type faultAt struct {
	n, at int
	err   error
	dead  bool
	hit   string // the change that failed
}

func (f *faultAt) fault(op, path string) error {
	f.n++
	if f.n == f.at {
		f.hit = op + " " + path
	}
	if f.n == f.at || f.dead && f.n > f.at {
		return f.err
	}
	return nil
}

// failOn makes changes of one kind fail where the path has a suffix.
func failOn(op, suffix string, err error) func(op, path string) error {
	return func(o, path string) error {
		if o == op && strings.HasSuffix(path, suffix) {
			return err
		}
		return nil
	}
}

func options(root string) localfs.Options {
	return localfs.Options{Root: root, DirMode: plan.Mode(0o750), FileMode: plan.Mode(0o640)}
}

func isDir(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.IsDir()
}

// tree lists everything below a directory, with the times of its last changes.
func tree(t testing.TB, dir string) string {
	t.Helper()
	var b bytes.Buffer
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		target, _ := os.Readlink(path)
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		fmt.Fprintln(&b, path, info.Mode(), info.Size(), target, st.Mtim, st.Ctim)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
