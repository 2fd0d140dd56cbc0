package localfs_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"palhm/backends"
)

// oneRun is what a run does to a root that has a copy already: recover, make a
// copy, remove the old one.
func oneRun(ctx context.Context, s backends.Store) (committed bool, err error) {
	if err := s.Recover(ctx); err != nil {
		return false, err
	}
	if err := makeCopy(ctx, s, copy2, "a", "new", "d/e/b", strings.Repeat("x", 13_000)); err != nil {
		return false, err
	}
	return true, s.Remove(ctx, copy1)
}

// TestEveryChangeFailsOnce lets each single change that a run makes to the file
// system fail with an input/output error. The run has to notice, no partial copy
// may be listed, and a second run has to be able to clean up and go on.
func TestEveryChangeFailsOnce(t *testing.T) {
	steps(t, false, func(t *testing.T, root string, committed bool, err error, hit string) {
		if err == nil {
			t.Errorf("%s failed, and the run did not notice", hit)
		}
		s := newStore(t, root)
		infos, e := s.List(t.Context())
		if e != nil {
			t.Fatal(e)
		}
		if listed := len(infos) > 0 && infos[len(infos)-1].Prefix == copy2; listed != committed {
			t.Errorf("%s failed: committed %v, listed %v", hit, committed, listed)
		}
		if !committed {
			wantCopies(t, s, copy1)
		}
	})
}

// TestDeathAtEveryChange stops the world at each change that a run makes to the
// file system, as SIGKILL does: nothing is cleaned up. Then either copy is whole or
// not there, at least one is, and the next run leaves nothing behind.
func TestDeathAtEveryChange(t *testing.T) {
	steps(t, true, func(t *testing.T, root string, committed bool, err error, hit string) {
		infos, e := newStore(t, root).List(t.Context())
		if e != nil {
			t.Fatal(e)
		}
		if len(infos) == 0 {
			t.Errorf("dead at %s: no copy is left", hit)
		}
		if committed && infos[len(infos)-1].Prefix != copy2 {
			t.Errorf("dead at %s: the committed copy is missing", hit)
		}
	})
}

// steps runs oneRun as often as it makes changes, with a fault at each.
func steps(t *testing.T, dead bool, check func(t *testing.T, root string, committed bool, err error, hit string)) {
	n := 0
	for at := 1; ; at++ {
		root := filepath.Join(t.TempDir(), "root")
		mustMakeCopy(t, newStore(t, root), copy1, "a", "old", "d/b", "old")
		f := &faultAt{at: at, err: unix.EIO, dead: dead}
		o := options(root)
		o.Fault = f.fault
		o.BlockSize = 4096 // so that an object is several
		committed, err := oneRun(t.Context(), newStoreWith(t, o))
		if f.hit == "" {
			n = at - 1
			break
		}
		check(t, root, committed, err, f.hit)
		s := newStore(t, root)
		infos, _ := s.List(t.Context())
		for _, i := range infos {
			if i.Damage != nil {
				t.Errorf("%s failed: %s is damaged: %v", f.hit, i.Prefix, i.Damage)
				continue
			}
			wantWhole(t, s, i.Prefix)
		}
		if err := s.Recover(t.Context()); err != nil {
			t.Errorf("%s failed: recover: %v", f.hit, err)
		}
		wantClean(t, root)
		mustMakeCopy(t, s, "2022-05-03T06:59:17+00:00", "a", "next")
	}
	if n < 40 {
		t.Errorf("got %d changes in a run, want at least 40: the seam is not everywhere", n)
	}
	t.Logf("%d changes", n)
}

// TestFullDisk runs out of space at every stage of a run, down to the manifest. A
// small tmpfs grows by a page at a time until a run fits.
func TestFullDisk(t *testing.T) {
	mountTmpfs(t, "size=4096") // or skip
	stages := map[string]int{}
	for pages := 1; ; pages++ {
		fits := false
		t.Run(fmt.Sprint(pages), func(t *testing.T) {
			err := runOnFullDisk(t, pages*os.Getpagesize())
			if fits = err == nil; !fits {
				stages[stageOf(err)]++
			}
		})
		if fits {
			break
		}
		if pages > 200 {
			t.Fatal("no run fits into 200 pages")
		}
	}
	t.Log(stages)
	for _, want := range []string{"object a", "object b", "manifest.json", "SHA256SUMS"} {
		if stages[want] == 0 {
			t.Errorf("the disk was never full at %s: %v", want, stages)
		}
	}
}

// runOnFullDisk returns the error of the run, after checking that nothing of it is
// left.
func runOnFullDisk(t *testing.T, size int) error {
	page := os.Getpagesize()
	root := mountTmpfs(t, fmt.Sprintf("size=%d", size))
	before := freeBlocks(t, root)
	s := newStore(t, root)
	err := makeCopy(t.Context(), s, copy1, "a", strings.Repeat("x", 3*page), "d/e/b", strings.Repeat("y", 5*page))
	if err == nil {
		wantWhole(t, s, copy1)
		return nil
	}
	wantError(t, err, "no space left on device", root)
	wantCopies(t, s)
	wantClean(t, root)
	if after := freeBlocks(t, root); after != before {
		t.Errorf("%d blocks were free before, %d are after the failed run", before, after)
	}
	return err
}

func freeBlocks(t testing.TB, dir string) uint64 {
	t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	return st.Bfree
}

func stageOf(err error) string {
	pe, ok := errors.AsType[*fs.PathError](err)
	if !ok {
		return err.Error()
	}
	switch base := filepath.Base(pe.Path); base {
	case "a", "b":
		return "object " + base
	default:
		return base
	}
}

// TestPutAfterFullDisk: the partial object is gone, its space is free, and the same
// path can be stored again.
func TestPutAfterFullDisk(t *testing.T) {
	root := mountTmpfs(t, "size=1m")
	c := mustBegin(t, newStore(t, root), copy1)
	ctx := t.Context()
	_, err := put(ctx, c, "d/a", strings.Repeat("x", 2<<20))
	wantError(t, err, "no space left on device", "d/a")
	o, err := put(ctx, c, "d/a", strings.Repeat("x", 800<<10))
	if err != nil {
		t.Fatalf("repeated put: %v", err)
	}
	if err := backends.Commit(ctx, c, manifest(copy1, o)); err != nil {
		t.Fatal(err)
	}
	wantWhole(t, newStore(t, root), copy1)
}

// TestHintIsAHint: a reservation that does not fit, or that the file system does
// not know, is a warning; one that was too large takes no space in the end.
func TestHintIsAHint(t *testing.T) {
	root := mountTmpfs(t, "size=1m")
	for _, errno := range []unix.Errno{0, unix.EOPNOTSUPP, unix.EINVAL} {
		o := options(root)
		if errno != 0 {
			o.Fault = failOn("allocate", "", errno)
		}
		c := mustBegin(t, newStoreWith(t, o), copy1)
		if _, err := backends.Put(t.Context(), c, "a", strings.NewReader("x"), 1<<40); err != nil {
			t.Errorf("put with a hint of 1 TiB: %v", err)
		}
		if w := c.(backends.Warner).Warnings(); len(w) != 1 || !strings.Contains(w[0], "reserved") {
			t.Errorf("got warnings %q, want one about the reservation", w)
		}
		if err := c.Abort(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestRefusedHintLeavesTheDiskFree: other objects are written while the one with a hint
// that does not fit is being made.
func TestRefusedHintLeavesTheDiskFree(t *testing.T) {
	root := mountImage(t, "ext4", 32<<20)
	c := mustBegin(t, newStore(t, root), copy1)
	defer c.Abort(context.Background())
	beside := func() error {
		_, err := backends.Put(t.Context(), c, "beside", bytes.NewReader(make([]byte, 4<<20)), 0)
		return err
	}
	if _, err := backends.Put(t.Context(), c, "a", &callingReader{do: beside}, 1<<30); err != nil {
		t.Errorf("write 4 MiB to a disk of 32 MiB, while 1 GiB was asked for: %v", err)
	}
}

// callingReader is an empty stream that does something when it is read.
type callingReader struct{ do func() error }

func (r *callingReader) Read([]byte) (int, error) { return 0, cmp.Or(r.do(), io.EOF) }

func TestHintTooLargeTakesNoSpace(t *testing.T) {
	root := t.TempDir()
	c := mustBegin(t, newStore(t, root), copy1)
	defer c.Abort(context.Background())
	if _, err := backends.Put(t.Context(), c, "a", strings.NewReader("x"), 16<<20); err != nil {
		t.Fatal(err)
	}
	if w := c.(backends.Warner).Warnings(); len(w) > 0 {
		t.Skipf("needs a file system that reserves space: %q", w)
	}
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(root, ".palhm/staging", copy1, "a"), &st); err != nil {
		t.Fatal(err)
	}
	if st.Size != 1 || st.Blocks*512 > 1<<20 {
		t.Errorf("got %d bytes in %d blocks, want 1 byte and nothing reserved", st.Size, st.Blocks)
	}
}

// TestFsyncOfRootFails: nobody knows whether the rename would survive, so the copy
// is no copy.
func TestFsyncOfRootFails(t *testing.T) {
	root := t.TempDir()
	s := newStoreWith(t, options(root))
	mustMakeCopy(t, s, copy1, "a", "old")
	armed := false
	o := options(root)
	o.Fault = func(op, path string) error {
		if armed && op == "fsync" && path == root {
			return unix.EIO
		}
		return nil
	}
	c := mustBegin(t, newStoreWith(t, o), copy2)
	rec, err := put(t.Context(), c, "a", "new")
	if err != nil {
		t.Fatal(err)
	}
	armed = true
	err = backends.Commit(t.Context(), c, manifest(copy2, rec))
	if !errors.Is(err, unix.EIO) {
		t.Errorf("commit: got %v, want EIO", err)
	}
	wantCopies(t, s, copy1)
	if err := c.Abort(t.Context()); err != nil {
		t.Error(err)
	}
	wantClean(t, root)
}

// TestBeginTriesWhatCommitNeeds: a root whose names cannot be made durable is found
// before any dump runs.
func TestBeginTriesWhatCommitNeeds(t *testing.T) {
	root := t.TempDir()
	if err := errors.Join(os.MkdirAll(root+"/.palhm/staging", 0o700), os.Chmod(root+"/.palhm", 0o700)); err != nil {
		t.Fatal(err)
	}
	for what, fault := range map[string]func(op, path string) error{
		"fsync of the root":    failOn("fsync", root, unix.EIO),
		"rename into the root": failOn("rename", copy1, unix.EIO),
		"making a file":        failOn("create", "", unix.EIO),
	} {
		o := options(root)
		o.Fault = fault
		if _, err := newStoreWith(t, o).Begin(t.Context(), copy1); !errors.Is(err, unix.EIO) {
			t.Errorf("%s fails: begin gives %v, want EIO", what, err)
		}
		wantClean(t, root)
	}
}

// TestNewRootIsDurable: a copy is of no use below a directory whose own name a
// power cut takes away.
func TestNewRootIsDurable(t *testing.T) {
	for _, parent := range []string{"", "/a"} {
		dir := t.TempDir()
		o := options(dir + "/a/b")
		o.Fault = failOn("fsync", dir+parent, unix.EIO)
		if _, err := newStoreWith(t, o).Begin(t.Context(), copy1); !errors.Is(err, unix.EIO) {
			t.Errorf("fsync of %q fails: begin gives %v, want EIO", dir+parent, err)
		}
	}
}

// TestFsyncOfRootAndTheWayBackFail: the error says that the copy is listed, and
// Abort takes it away as soon as it can.
func TestFsyncOfRootAndTheWayBackFail(t *testing.T) {
	root := t.TempDir()
	o := options(root)
	armed := false
	o.Fault = func(op, path string) error {
		if armed && (op == "fsync" && path == root || op == "rename" && path == filepath.Join(root, copy1)) {
			return unix.EIO
		}
		return nil
	}
	s := newStoreWith(t, o)
	c := mustBegin(t, s, copy1)
	rec, err := put(t.Context(), c, "a", "new")
	if err != nil {
		t.Fatal(err)
	}
	armed = true
	wantError(t, backends.Commit(t.Context(), c, manifest(copy1, rec)), "listed")
	if err := c.Abort(t.Context()); !errors.Is(err, unix.EIO) {
		t.Errorf("abort: got %v, want EIO", err)
	}
	armed = false
	if err := c.Abort(t.Context()); err != nil {
		t.Error(err)
	}
	wantCopies(t, s)
	wantClean(t, root)
}

// TestDirectoryFsyncTolerance: what network file systems answer is let pass, and
// nothing that means lost data.
func TestDirectoryFsyncTolerance(t *testing.T) {
	for errno, fine := range map[unix.Errno]bool{
		unix.EINVAL: true, unix.ENOTSUP: true, unix.EIO: false, unix.ENOSPC: false, unix.EDQUOT: false,
	} {
		o := options(t.TempDir())
		o.Fault = func(op, path string) error {
			if op == "fsync" && isDir(path) {
				return errno
			}
			return nil
		}
		if err := makeCopy(t.Context(), newStoreWith(t, o), copy1, "d/a", "x"); (err == nil) != fine {
			t.Errorf("fsync of a directory: %v: got error %v", errno, err)
		}
	}
}

// TestFileFsyncIsNeverTolerated: not even for what a directory may answer.
func TestFileFsyncIsNeverTolerated(t *testing.T) {
	for _, errno := range []unix.Errno{unix.EINVAL, unix.EIO, unix.EDQUOT} {
		for _, name := range []string{"/object", "/manifest.json", "/SHA256SUMS"} {
			o := options(t.TempDir())
			o.Fault = failOn("fsync", name, errno)
			s := newStoreWith(t, o)
			if err := makeCopy(t.Context(), s, copy1, "object", "x"); !errors.Is(err, errno) {
				t.Errorf("fsync of %s: got %v, want %v", name, err, errno)
			}
			wantCopies(t, s)
		}
	}
}

// TestRenameWithoutFlag: a file system that does not know RENAME_NOREPLACE.
func TestRenameWithoutFlag(t *testing.T) {
	for _, errno := range []unix.Errno{unix.EINVAL, unix.ENOSYS} {
		root := t.TempDir()
		o := options(root)
		o.Fault = failOn("rename", "", errno)
		s := newStoreWith(t, o)
		c := mustBegin(t, s, copy1)
		// An empty directory is what rename(2) would replace without a word.
		if err := os.Mkdir(filepath.Join(root, copy1), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := backends.Commit(t.Context(), c, manifest(copy1)); !errors.Is(err, fs.ErrExist) {
			t.Errorf("commit over a directory: got %v, want ErrExist", err)
		}
		if err := c.Abort(t.Context()); err != nil {
			t.Error(err)
		}
		mustMakeCopy(t, s, copy2, "a", "x")
		if err := s.Remove(t.Context(), copy2); err != nil {
			t.Error(err)
		}
	}
}

// TestNamesWithColons: a file system that refuses them is found by Begin, with a
// hint, and takes the other form.
func TestNamesWithColons(t *testing.T) {
	o := options(t.TempDir())
	o.Fault = func(op, path string) error {
		if op == "mkdir" && strings.Contains(filepath.Base(path), ":") {
			return unix.EINVAL
		}
		return nil
	}
	s := newStoreWith(t, o)
	_, err := s.Begin(t.Context(), copy1)
	wantError(t, err, `prefix = "compact"`)
	mustMakeCopy(t, s, "20220501T065917Z", "a", "x")
}

// TestNoModes: a file system that keeps no permission bits is used, with a warning.
func TestNoModes(t *testing.T) {
	o := options(filepath.Join(t.TempDir(), "root"))
	o.Fault = failOn("chmod", "", unix.EPERM)
	defer unix.Umask(unix.Umask(0o027))
	s := newStoreWith(t, o)
	c := mustBegin(t, s, copy1)
	rec, err := put(t.Context(), c, "d/a", "x")
	if err != nil {
		t.Fatal(err)
	}
	if err := backends.Commit(t.Context(), c, manifest(copy1, rec)); err != nil {
		t.Fatal(err)
	}
	if w := c.(backends.Warner).Warnings(); len(w) != 1 || !strings.Contains(w[0], "modes") {
		t.Errorf("got warnings %q, want one about modes", w)
	}
}

// TestRemoveFails: what cannot be removed is named, is listed no more, and is tried
// again by Recover.
func TestRemoveFails(t *testing.T) {
	root := t.TempDir()
	stuck := true
	o := options(root)
	o.Fault = func(op, path string) error {
		if stuck && op == "unlink" && strings.HasSuffix(path, "/d/stuck") {
			return unix.EPERM
		}
		return nil
	}
	s := newStoreWith(t, o)
	for range 2 { // the second copy of that name meets the first in the trash
		mustMakeCopy(t, s, copy1, "a", "x", "d/stuck", "x", "d/z", "x")
		wantError(t, s.Remove(t.Context(), copy1), "operation not permitted", "d/stuck")
		wantCopies(t, s)
	}
	wantError(t, s.Recover(t.Context()), "operation not permitted", "d/stuck")
	if _, err := os.Stat(filepath.Join(root, ".palhm/trash", copy1, "d/z")); err == nil {
		t.Error("removal stopped at the first error")
	}
	if err := s.Remove(t.Context(), copy1); err != nil {
		t.Errorf("remove again: %v", err)
	}
	stuck = false
	if err := s.Recover(t.Context()); err != nil {
		t.Error(err)
	}
	wantClean(t, root)
}

// immutable is FS_IMMUTABLE_FL of <linux/fs.h>, what "chattr +i" sets.
const immutable = 0x10

// TestImmutableFile is TestRemoveFails with a real one.
func TestImmutableFile(t *testing.T) {
	root := t.TempDir()
	s := newStore(t, root)
	mustMakeCopy(t, s, copy1, "d/stuck", "x")
	f, err := os.Open(filepath.Join(root, copy1, "d/stuck"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	flags, err := unix.IoctlGetUint32(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, int(flags|immutable))
	}
	if err != nil {
		t.Skipf("needs root and a file system with immutable files: %v", err)
	}
	thaw := func() { _ = unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, int(flags)) }
	defer thaw()
	wantError(t, s.Remove(t.Context(), copy1), "operation not permitted", "d/stuck")
	wantCopies(t, s)
	thaw()
	if err := s.Recover(t.Context()); err != nil {
		t.Error(err)
	}
	wantClean(t, root)
}
