package localfs_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"palhm/backends"
	"palhm/backends/localfs"
)

// TestNewRefuses: what could only fail later.
func TestNewRefuses(t *testing.T) {
	for _, o := range []localfs.Options{
		{}, {Root: "/x", DirMode: 0o4750}, {Root: "/x", FileMode: 0o1640}, {Root: "/x", FileMode: 0o200}, {Root: "/x", BlockSize: -1}, {Root: "/x", BlockSize: 1 << 40},
	} {
		if _, err := localfs.New(o); err == nil {
			t.Errorf("New(%+v): got no error", o)
		}
	}
}

// TestRootSpelling: one root, however it is written. The copy that was just made is
// among the copies.
func TestRootSpelling(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, root := range []string{dir + "/r/", dir + "//r", dir + "/r/../r/.", "r", "./r/", "../" + filepath.Base(dir) + "/r"} {
		if got := newStore(t, root).Root(); got != dir+"/r" {
			t.Errorf("root %q: got %s, want %s", root, got, dir+"/r")
		}
	}
	mustMakeCopy(t, newStore(t, "r/"), copy1, "a", "x")
	wantCopies(t, newStore(t, dir+"/r"), copy1)
}

// TestRootIsMadeByRunsOnly: reading makes nothing.
func TestRootIsMadeByRunsOnly(t *testing.T) {
	dir := t.TempDir()
	s := newStore(t, filepath.Join(dir, "a/b"))
	wantCopies(t, s)
	if _, err := s.Open(t.Context(), copy1, "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open: got %v", err)
	}
	if err := errors.Join(s.Recover(t.Context()), s.Remove(t.Context(), copy1)); err != nil {
		t.Error(err)
	}
	if err := s.Find(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("find: got %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("made %s", entries[0].Name())
	}
	release, err := s.Lock(t.Context(), backends.Owner{PID: os.Getpid()}, 0)
	if err != nil {
		t.Fatal(err)
	}
	release()
	if err := s.Find(t.Context()); err != nil {
		t.Error(err)
	}
	wantMode(t, filepath.Join(dir, "a"), 0o750)
	wantMode(t, filepath.Join(dir, "a/b"), 0o750)
}

// TestRootLinkToNothing: nothing is made in place of what is missing, be the link ROOT
// or above it.
func TestRootLinkToNothing(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink("unplugged", link); err != nil {
		t.Fatal(err)
	}
	for _, root := range []string{link, link + "/a/b"} {
		s := newStore(t, root)
		_, lockErr := s.Lock(t.Context(), backends.Owner{}, 0)
		_, beginErr := s.Begin(t.Context(), copy1)
		for _, err := range []error{lockErr, beginErr} {
			wantError(t, err, link+":", "it is a link to unplugged, which is not there")
		}
		wantCopies(t, s)
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 1 {
		t.Errorf("made %v", entries)
	}
}

// TestModes: exactly those that were asked for, whatever the umask, for every
// directory and file, and never wider while a file is being written.
func TestModes(t *testing.T) {
	for _, umask := range []int{0, 0o077, 0o777} {
		t.Run(fmt.Sprintf("%03o", umask), func(t *testing.T) {
			dir := t.TempDir()
			defer unix.Umask(unix.Umask(umask))
			root := filepath.Join(dir, "new/root")
			s := newStoreWith(t, localfs.Options{Root: root, DirMode: 0o070, FileMode: 0o444})
			c := mustBegin(t, s, copy1)
			staged := filepath.Join(root, ".palhm/staging", copy1)
			r := readerFunc(func(p []byte) (int, error) {
				info, err := os.Stat(filepath.Join(staged, "d/e/a"))
				if err != nil || info.Mode().Perm()&^0o444 != 0 {
					t.Errorf("while it is written: got mode %v, %v", info.Mode(), err)
				}
				return 0, errors.New("enough")
			})
			if _, err := c.Put(t.Context(), "d/e/a", r, 0); err == nil {
				t.Error("got no error from a reader that fails")
			}
			o, err := put(t.Context(), c, "d/e/a", "x")
			if err != nil {
				t.Fatal(err)
			}
			if err := backends.Commit(t.Context(), c, manifest(copy1, o)); err != nil {
				t.Fatal(err)
			}
			for _, d := range []string{"..", ".", copy1, copy1 + "/d", copy1 + "/d/e", copy1 + "/.palhm"} {
				wantMode(t, filepath.Join(root, d), 0o770)
			}
			for _, f := range []string{"d/e/a", ".palhm/manifest.json", ".palhm/SHA256SUMS"} {
				wantMode(t, filepath.Join(root, copy1, f), 0o444)
			}
			for _, d := range []string{".palhm", ".palhm/staging"} {
				wantMode(t, filepath.Join(root, d), 0o700)
			}
		})
	}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestWideStateIsTightened: a .palhm that everybody may look into.
func TestWideStateIsTightened(t *testing.T) {
	root := t.TempDir()
	if err := errors.Join(os.MkdirAll(root+"/.palhm/staging", 0o777), os.Chmod(root+"/.palhm", 0o777), os.Chmod(root+"/.palhm/staging", 0o777)); err != nil {
		t.Fatal(err)
	}
	mustMakeCopy(t, newStore(t, root), copy1, "a", "x")
	wantMode(t, root+"/.palhm", 0o700)
	wantMode(t, root+"/.palhm/staging", 0o700)
}

// TestSetGroupIDStays: what an administrator has set on the root to share it.
func TestSetGroupIDStays(t *testing.T) {
	root := t.TempDir()
	if err := os.Chmod(root, 0o750|fs.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	mustMakeCopy(t, newStore(t, root), copy1, "d/a", "x")
	info, err := os.Stat(filepath.Join(root, copy1, "d"))
	if err != nil || info.Mode()&fs.ModeSetgid == 0 || info.Mode().Perm() != 0o750 {
		t.Errorf("got mode %v, %v, want 750 and the set-group-ID bit", info.Mode(), err)
	}
}

// TestStateIsRefused: whoever may write to the root must not lead palhm elsewhere
// by what .palhm is.
func TestStateIsRefused(t *testing.T) {
	elsewhere := t.TempDir()
	plant(t, filepath.Join(elsewhere, "staging/precious"), "x")
	plant(t, filepath.Join(elsewhere, "trash/precious"), "x")
	before := names(t, elsewhere)
	for what, make := range map[string]func(root string) error{
		"symbolic link": func(root string) error { return os.Symlink(elsewhere, root+"/.palhm") },
		"link inside": func(root string) error {
			return errors.Join(os.Mkdir(root+"/x", 0o700), os.Symlink("x", root+"/.palhm"))
		},
		"file": func(root string) error { return os.WriteFile(root+"/.palhm", nil, 0o600) },
		"link to staging": func(root string) error {
			return errors.Join(os.Mkdir(root+"/.palhm", 0o700), os.Symlink(elsewhere+"/staging", root+"/.palhm/staging"),
				os.Symlink(elsewhere+"/trash", root+"/.palhm/trash"))
		},
	} {
		t.Run(what, func(t *testing.T) {
			root := t.TempDir()
			s := newStore(t, root)
			mustMakeCopy(t, s, copy2, "a", "x")
			if err := errors.Join(os.RemoveAll(root+"/.palhm"), make(root)); err != nil {
				t.Fatal(err)
			}
			_, err := s.Begin(t.Context(), copy1)
			wantError(t, err, ".palhm", "not a directory")
			wantError(t, s.Remove(t.Context(), copy2), ".palhm", "not a directory")
			wantError(t, s.Recover(t.Context()), ".palhm", "not a directory")
			wantCopies(t, s, copy2)
		})
	}
	if after := names(t, elsewhere); after != before {
		t.Errorf("got %s, want %s", after, before)
	}
}

// names lists the paths below a directory.
func names(t testing.TB, dir string) string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		all = append(all, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, "\n")
}

// TestStateOfSomebodyElse: another user's .palhm is not used.
func TestStateOfSomebodyElse(t *testing.T) {
	root := t.TempDir()
	if err := os.Mkdir(root+"/.palhm", 0o700); err != nil {
		t.Fatal(err)
	}
	other := os.Geteuid() + 1
	if err := os.Chown(root+"/.palhm", other, -1); err != nil {
		t.Skipf("needs root, to give a directory away: %v", err)
	}
	_, err := newStore(t, root).Begin(t.Context(), copy1)
	wantError(t, err, fmt.Sprint("belongs to user ", other))
}

// TestLinksPlantedInRoot: a link that is named like a copy is no copy, and nothing
// behind it is read or removed.
func TestLinksPlantedInRoot(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "precious")
	plant(t, outside+"/a", "x")
	root := t.TempDir()
	s := newStore(t, root)
	mustMakeCopy(t, s, copy2, "a", "x", "d/b", "y")
	if err := os.Symlink(outside, filepath.Join(root, copy1)); err != nil {
		t.Fatal(err)
	}
	inside := "2022-05-03T06:59:17+00:00"
	if err := os.Symlink(copy2, filepath.Join(root, inside)); err != nil {
		t.Fatal(err)
	}
	wantCopies(t, s, copy2)
	for _, prefix := range []string{copy1, inside} {
		if _, err := s.Open(t.Context(), prefix, "a"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("open through a link: got %v, want ErrNotExist", err)
		}
		wantError(t, s.Remove(t.Context(), prefix), "not a directory")
		if _, err := s.Begin(t.Context(), prefix); !errors.Is(err, backends.ErrPrefixTaken) {
			t.Errorf("begin: got %v, want ErrPrefixTaken", err)
		}
	}
	// And in a copy: a directory and a file that became links.
	if err := errors.Join(os.Symlink(outside, filepath.Join(root, copy2, "l")), os.Symlink(outside+"/a", filepath.Join(root, copy2, "f")),
		os.Symlink("d", filepath.Join(root, copy2, "e"))); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"l/a", "f", "e/b"} {
		if _, err := s.Open(t.Context(), copy2, path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("open %s through a link: got %v, want ErrNotExist", path, err)
		}
	}
	if err := s.Remove(t.Context(), copy2); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(outside + "/a"); err != nil {
		t.Errorf("what a link led to is gone: %v", err)
	}
}

// TestLinksPlantedInStaging: a process of the run itself, say, that plants a link
// where an object will be stored.
func TestLinksPlantedInStaging(t *testing.T) {
	outside := t.TempDir()
	root := t.TempDir()
	c := mustBegin(t, newStore(t, root), copy1)
	staged := filepath.Join(root, ".palhm/staging", copy1)
	if err := errors.Join(os.Symlink(outside, staged+"/d"), os.Symlink(outside+"/f", staged+"/f"), os.Symlink(outside, staged+"/.palhm"),
		os.Mkdir(staged+"/real", 0o755), os.Symlink("real", staged+"/inside")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"d/a", "f", "inside/a"} {
		if _, err := put(t.Context(), c, path, "x"); err == nil {
			t.Errorf("put at %s: got no error", path)
		}
	}
	if err := backends.Commit(t.Context(), c, manifest(copy1)); err == nil {
		t.Error("commit of a copy whose .palhm is a link: got no error")
	}
	if err := c.Abort(t.Context()); err != nil {
		t.Error(err)
	}
	if entries, _ := os.ReadDir(outside); len(entries) > 0 {
		t.Errorf("written outside: %s", entries[0].Name())
	}
}

// TestRecoverFollowsNothing: links in staging and trash are removed themselves.
func TestRecoverFollowsNothing(t *testing.T) {
	outside := t.TempDir()
	plant(t, outside+"/d/precious", "x")
	root := t.TempDir()
	for _, dir := range []string{"/.palhm/staging", "/.palhm/trash", "/.palhm/staging/x/y", "/.palhm.rehearsal-" + copy1} {
		if err := errors.Join(os.MkdirAll(root+dir, 0o700), os.Symlink(outside, root+dir+"/l"), os.Symlink(outside+"/d/precious", root+dir+"/f"),
			os.Symlink("..", root+dir+"/up")); err != nil {
			t.Fatal(err)
		}
	}
	kept := []string{"/.palhm.rehearsal-x", "/.palhm.rehearsal-1999", "/lost+found", "/.palhm/mine"}
	for _, dir := range kept {
		plant(t, root+dir+"/a", "x")
	}
	plant(t, root+"/.palhm.rehearsal-"+copy2, "a file is not ours")
	if err := newStore(t, root).Recover(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(outside + "/d/precious"); err != nil {
		t.Error(err)
	}
	if entries, _ := os.ReadDir(root + "/.palhm/staging"); len(entries) > 0 {
		t.Errorf("left: %s", entries[0].Name())
	}
	if isDir(root + "/.palhm.rehearsal-" + copy1) {
		t.Error("a stale rehearsal is left")
	}
	for _, dir := range append(kept, "/.palhm.rehearsal-"+copy2) {
		if _, err := os.Stat(root + dir); err != nil {
			t.Errorf("recover removed what is not palhm's: %v", err)
		}
	}
}

// TestRootBehindLink: the root itself may be a link.
func TestRootBehindLink(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.Mkdir(dir+"/real", 0o755), os.Symlink("real", dir+"/link")); err != nil {
		t.Fatal(err)
	}
	mustMakeCopy(t, newStore(t, dir+"/link/sub"), copy1, "a", "x")
	mustMakeCopy(t, newStore(t, dir+"/link"), copy1, "a", "x")
	wantCopies(t, newStore(t, dir+"/real"), copy1)
	if err := os.Symlink("nowhere", dir+"/dangling"); err != nil {
		t.Fatal(err)
	}
	if err := makeCopy(t.Context(), newStore(t, dir+"/dangling"), copy1, "a", "x"); err == nil {
		t.Error("a root that is a dangling link: got no error")
	}
}

func TestRootIsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	plant(t, path, "precious")
	_, err := newStore(t, path).Begin(t.Context(), copy1)
	wantError(t, err, path, "not a directory")
}

// TestPrefixIsADirectory: whatever has the name is left alone, even when it comes
// after Begin.
func TestPrefixIsADirectory(t *testing.T) {
	for _, full := range []bool{false, true} {
		root := t.TempDir()
		s := newStore(t, root)
		c := mustBegin(t, s, copy1)
		if err := os.Mkdir(filepath.Join(root, copy1), 0o755); err != nil {
			t.Fatal(err)
		}
		if full {
			plant(t, filepath.Join(root, copy1, "a"), "x")
		}
		if err := backends.Commit(t.Context(), c, manifest(copy1)); !errors.Is(err, fs.ErrExist) {
			t.Errorf("commit over a directory: got %v, want ErrExist", err)
		}
		if err := c.Abort(t.Context()); err != nil {
			t.Error(err)
		}
		if !isDir(filepath.Join(root, copy1)) {
			t.Error("abort removed a directory that is not ours")
		}
		if _, err := s.Begin(t.Context(), copy1); !errors.Is(err, backends.ErrPrefixTaken) {
			t.Errorf("begin: got %v, want ErrPrefixTaken", err)
		}
		wantClean(t, root)
	}
}

// TestReadOnlyRoot is found by Begin, before any dump runs; reading works.
func TestReadOnlyRoot(t *testing.T) {
	root := t.TempDir()
	s := newStore(t, root)
	mustMakeCopy(t, s, copy1, "a", "x")
	mount(t, root, root, "", unix.MS_BIND, "")
	if err := unix.Mount("", root, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Skipf("needs root, to mount read-only: %v", err)
	}
	_, err := s.Begin(t.Context(), copy2)
	wantError(t, err, "read-only file system", root)
	wantError(t, s.Remove(t.Context(), copy1), "read-only file system")
	wantCopies(t, s, copy1)
	wantWhole(t, s, copy1)
	_, err = newStore(t, root+"/sub").Lock(t.Context(), backends.Owner{}, 0)
	wantError(t, err, "read-only file system", root+"/sub")
}

// TestStateOnAnotherFileSystem is found by Begin: no rename could publish the copy.
func TestStateOnAnotherFileSystem(t *testing.T) {
	for _, sub := range []string{".palhm", ".palhm/staging"} {
		root := t.TempDir()
		if err := os.MkdirAll(filepath.Join(root, sub), 0o700); err != nil {
			t.Fatal(err)
		}
		mount(t, "tmpfs", filepath.Join(root, sub), "tmpfs", 0, "mode=700")
		_, err := newStore(t, root).Begin(t.Context(), copy1)
		wantError(t, err, "same file system")
		wantClean(t, root)
	}
}

// TestRequireMount: an empty mount point is refused and stays empty.
func TestRequireMount(t *testing.T) {
	root := t.TempDir()
	o := options(filepath.Join(root, "host"))
	o.RequireMount = true
	s := newStoreWith(t, o)
	_, lockErr := s.Lock(t.Context(), backends.Owner{}, 0)
	_, beginErr := s.Begin(t.Context(), copy1)
	_, listErr := s.List(t.Context())
	for _, err := range []error{lockErr, beginErr, listErr, s.Recover(t.Context()), s.Remove(t.Context(), copy1)} {
		if err == nil && os.Getenv("TMPDIR") != "" {
			t.Skip("needs a temporary directory on the root file system")
		}
		wantError(t, err, "not on a mounted file system")
	}
	if entries, _ := os.ReadDir(root); len(entries) > 0 {
		t.Errorf("made %s", entries[0].Name())
	}
	mount(t, "tmpfs", root, "tmpfs", 0, "")
	mustMakeCopy(t, s, copy1, "a", "x")
	link := filepath.Join(t.TempDir(), "link") // is not mounted, but leads to what is
	if err := os.Symlink(root, link); err != nil {
		t.Fatal(err)
	}
	o.Root = filepath.Join(link, "not/yet")
	mustMakeCopy(t, newStoreWith(t, o), copy1, "a", "x")
}

// TestListChangesNothing: not even an access time.
func TestListChangesNothing(t *testing.T) {
	root := t.TempDir()
	s := newStore(t, root)
	mustMakeCopy(t, s, copy1, "a", "x")
	plant(t, filepath.Join(root, copy2, "d/foreign"), "x")
	old := time.Now().Add(-48 * time.Hour) // relatime would update these
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Chtimes(path, old, old))
	})
	if err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	before := map[string]unix.Timespec{}
	look := func(check bool) {
		for _, p := range []string{"", copy1, copy1 + "/.palhm", copy1 + "/.palhm/manifest.json", copy2, copy2 + "/d", copy2 + "/d/foreign"} {
			if err := unix.Lstat(filepath.Join(root, p), &st); err != nil {
				t.Fatal(err)
			}
			if check && before[p] != st.Atim {
				t.Errorf("list changed the access time of %q", p)
			}
			before[p] = st.Atim
		}
	}
	look(false)
	wantCopies(t, s, copy1, copy2)
	look(true)
	all := tree(t, root) // changes access times itself, so it comes last
	wantCopies(t, s, copy1, copy2)
	if got := tree(t, root); got != all {
		t.Errorf("list changed something:\n%s\nwas\n%s", got, all)
	}
}

// TestForeignWithoutFiles: what holds no file is no copy, and nobody removes it.
func TestForeignWithoutFiles(t *testing.T) {
	root := t.TempDir()
	s := newStore(t, root)
	mustMakeCopy(t, s, copy2, "a", "x")
	nested := filepath.Join(root, copy1, "etc/empty")
	if err := errors.Join(os.MkdirAll(nested, 0o755), os.Symlink("/etc/passwd", filepath.Join(root, copy1, "link"))); err != nil {
		t.Fatal(err)
	}
	wantCopies(t, s, copy2)
	if err := s.Recover(t.Context()); err != nil {
		t.Error(err)
	}
	plant(t, nested+"/file", "") // an empty file is one
	wantCopies(t, s, copy1, copy2)
}

// TestForeignSize follows no link and counts apparent sizes.
func TestForeignSize(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, copy1)
	plant(t, dir+"/d/a", "12345")
	plant(t, root+"/large", strings.Repeat("x", 1000))
	if err := errors.Join(os.Symlink("../large", dir+"/l"), os.Symlink("..", dir+"/up"), os.Truncate(dir+"/d/a", 1<<30), unix.Mkfifo(dir+"/fifo", 0o600)); err != nil {
		t.Fatal(err)
	}
	infos, err := newStore(t, root).List(t.Context())
	if err != nil || len(infos) != 1 {
		t.Fatalf("got %v, %v", infos, err)
	}
	if got := infos[0]; !got.Foreign || got.Size != 1<<30 || got.Objects != 1 {
		t.Errorf("got %+v, want one object of 1 GiB", got)
	}
	// A fifo where a manifest could be must not stop palhm.
	if err := errors.Join(os.MkdirAll(filepath.Join(root, copy2, ".palhm"), 0o755), unix.Mkfifo(filepath.Join(root, copy2, ".palhm/manifest.json"), 0o600)); err != nil {
		t.Fatal(err)
	}
	wantCopies(t, newStore(t, root), copy1)
}

// TestRemoveDeepTree: deeper than PATH_MAX.
func TestRemoveDeepTree(t *testing.T) {
	root := t.TempDir()
	s := newStore(t, root)
	mustMakeCopy(t, s, copy1, "a", "x")
	deep(t, filepath.Join(root, copy1), 600, "0123456789")
	if err := s.Remove(t.Context(), copy1); err != nil {
		t.Error(err)
	}
	wantClean(t, root)
}

func deep(t testing.TB, top string, depth int, name string) {
	t.Helper()
	fd, err := unix.Open(top, unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for range depth {
		if err := unix.Mkdirat(fd, name, 0o755); err != nil {
			t.Fatal(err)
		}
		next, err := unix.Openat(fd, name, unix.O_DIRECTORY, 0)
		unix.Close(fd)
		if err != nil {
			t.Fatal(err)
		}
		fd = next
	}
	unix.Close(fd)
}

// TestRemoveEntersNoMount: a disk that is mounted in a copy keeps what is on it.
func TestRemoveEntersNoMount(t *testing.T) {
	root, disk := t.TempDir(), t.TempDir()
	plant(t, disk+"/precious", "x")
	s := newStore(t, root)
	mustMakeCopy(t, s, copy1, "d/a", "x")
	mnt := filepath.Join(root, copy1, "mnt")
	if err := os.Mkdir(mnt, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(disk, mnt, "", unix.MS_BIND, ""); err != nil {
		t.Skipf("needs root, to mount: %v", err)
	}
	wantError(t, s.Remove(t.Context(), copy1), "mount point")
	if err := unix.Unmount(filepath.Join(root, ".palhm/trash", copy1, "mnt"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(disk + "/precious"); err != nil {
		t.Errorf("what was mounted in a copy is gone: %v", err)
	}
	if err := s.Recover(t.Context()); err != nil {
		t.Error(err)
	}
	wantClean(t, root)
}

// TestRemoveReadOnlyDirectories as a user whom modes stop.
func TestRemoveReadOnlyDirectories(t *testing.T) {
	root := filepath.Join(t.TempDir(), "root")
	if os.Geteuid() == 0 {
		if err := errors.Join(os.Mkdir(root, 0o755), os.Chown(root, 65534, 65534)); err != nil {
			t.Fatal(err)
		}
		for dir := filepath.Dir(root); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	if out, err := childCommand(t, "readonly", root).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestObjectLostBeforeCommit: what somebody has removed or changed in the staging
// directory is not promised by a manifest.
func TestObjectLostBeforeCommit(t *testing.T) {
	for name, meddle := range map[string]func(path string) error{
		"removed":   os.Remove,
		"cut":       func(path string) error { return os.Truncate(path, 1) },
		"directory": func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
		"parent":    func(path string) error { return os.RemoveAll(filepath.Dir(path)) },
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			s := newStore(t, root)
			c := mustBegin(t, s, copy1)
			rec, err := put(t.Context(), c, "dir/a", "content")
			if err != nil {
				t.Fatal(err)
			}
			if err := meddle(filepath.Join(root, ".palhm/staging", copy1, "dir/a")); err != nil {
				t.Fatal(err)
			}
			wantError(t, backends.Commit(t.Context(), c, manifest(copy1, rec)), "dir")
			if err := c.Abort(t.Context()); err != nil {
				t.Error(err)
			}
			wantCopies(t, s)
			wantClean(t, root)
		})
	}
}
