package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// defaultPath is searched when an environment has no PATH, as execvp(3) does in glibc.
const defaultPath = "/bin:/usr/bin"

// FindProgram returns the file that execvp(3) would execute for name in the working
// directory dir ("" = the current one) with the environment environ ("NAME=value", the
// first setting of PATH counts): an empty element of PATH is the working directory, and
// a file that cannot be executed is passed over. A result that is not absolute is meant
// from dir. The error wraps fs.ErrNotExist when there is no such file.
func FindProgram(name, dir string, environ []string) (string, error) {
	if name == "" {
		return "", errors.New("no program is given")
	}
	if err := directory(dir); err != nil {
		return "", err
	}
	if strings.Contains(name, "/") {
		return name, executable(dir, name)
	}
	path := defaultPath
	for _, v := range environ {
		if value, ok := strings.CutPrefix(v, "PATH="); ok {
			path = value
			break
		}
	}
	return search(name, dir, path)
}

func directory(dir string) error {
	if dir == "" {
		return nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("working directory: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("working directory %s: %w", dir, unix.ENOTDIR)
	}
	return nil
}

func search(name, dir, path string) (string, error) {
	var passed error
	for elem := range strings.SplitSeq(path, ":") {
		candidate := "./" + name
		if elem != "" {
			candidate = elem + "/" + name
		}
		err := executable(dir, candidate)
		if err == nil {
			return candidate, nil
		}
		if passed == nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) {
			passed = err
		}
	}
	if passed != nil {
		return "", fmt.Errorf("program %q cannot be used from PATH=%s: %w", name, path, passed)
	}
	return "", missing(fmt.Sprintf("program %q not found in PATH=%s", name, path))
}

// missing is fs.ErrNotExist in better words.
type missing string

func (m missing) Error() string        { return string(m) }
func (m missing) Is(target error) bool { return target == fs.ErrNotExist }

// executable reports why path, meant from dir, is no program.
func executable(dir, path string) error {
	full := path
	if dir != "" && !filepath.IsAbs(path) {
		full = filepath.Join(dir, path)
	}
	info, err := os.Stat(full)
	switch {
	case err != nil:
		return fmt.Errorf("program %s: %w", full, errors.Unwrap(err))
	case info.IsDir():
		return fmt.Errorf("program %s: %w", full, unix.EISDIR)
	case !info.Mode().IsRegular():
		return fmt.Errorf("program %s: not a regular file", full)
	}
	if err := unix.Faccessat(unix.AT_FDCWD, full, unix.X_OK, unix.AT_EACCESS); err != nil {
		return fmt.Errorf("program %s: not executable: %w", full, err)
	}
	return nil
}
