package localfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// checkMount enforces Options.RequireMount for an open directory. It has to be open: an
// automounter mounts what somebody opens, and does not unmount it then.
func (s *Store) checkMount(d *dir) error {
	if !s.opt.RequireMount {
		return nil
	}
	point, err := d.mountPoint()
	if err != nil {
		return fmt.Errorf("find what is mounted on %s: %w", d.path(), err)
	}
	if point == "/" {
		return s.notMounted()
	}
	return nil
}

func (s *Store) notMounted() error {
	return fmt.Errorf("%s is not on a mounted file system, and require_mount asks for one: mount it first", s.root)
}

// checkAbove enforces Options.RequireMount for a directory that is not there, by what is
// above it.
func (s *Store) checkAbove(path string) error {
	d, err := s.open(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return s.checkAbove(filepath.Dir(path))
	}
	if err != nil {
		return err
	}
	return d.close()
}

// mountPoint returns where the file system is mounted that d is on: "/" also for one
// that is mounted nowhere, or not below the root directory of palhm.
func (d *dir) mountPoint() (string, error) {
	info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", d.f.Fd()))
	if err != nil {
		return "", err
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	return findMount(string(mounts), mountID(string(info))), nil
}

// mountID is the mnt_id in a file as proc_pid_fdinfo(5) describes it.
func mountID(fdinfo string) string {
	for line := range strings.Lines(fdinfo) {
		if id, ok := strings.CutPrefix(line, "mnt_id:"); ok {
			return strings.TrimSpace(id)
		}
	}
	return ""
}

// findMount returns the mount point with that id. mountinfo is as proc_pid_mountinfo(5)
// describes it: the first field is the id and the fifth the mount point, with blanks
// written as \040; the type follows a field "-".
func findMount(mountinfo, id string) string {
	for line := range strings.Lines(mountinfo) {
		fields := strings.Fields(line)
		_, after, _ := strings.Cut(line, " - ")
		if len(fields) >= 5 && fields[0] == id && !strings.HasPrefix(after, "autofs ") {
			return fields[4]
		}
	}
	return "/"
}
