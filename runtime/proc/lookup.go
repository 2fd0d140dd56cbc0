package proc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// defaultPath is searched when a command's environment has no PATH, as execvp(3)
// does in glibc.
const defaultPath = "/bin:/usr/bin"

// prepare checks every command and finds its program, so that nothing starts when
// one cannot.
func prepare(cmds []Command) ([]*stage, error) {
	if len(cmds) == 0 {
		return nil, &Error{Reason: errors.New("start a pipeline: it has no stage")}
	}
	stages := make([]*stage, len(cmds))
	for i := range cmds {
		s := &stage{cmd: &cmds[i], index: i, count: len(cmds), exit: exit{code: -1}}
		if err := s.resolve(); err != nil {
			return nil, s.startError(err)
		}
		stages[i] = s
	}
	return stages, nil
}

// resolve sets path to what is to be executed. Like every relative path of a stage,
// one that begins with no slash is meant from the stage's directory.
func (s *stage) resolve() error {
	c := s.cmd
	if len(c.Argv) == 0 || c.Argv[0] == "" {
		return errors.New("start: no program is given")
	}
	if c.Stdin != nil && s.index > 0 {
		return errors.New("start: only the first stage can have a stdin of its own")
	}
	if c.Dir != "" {
		if info, err := os.Stat(c.Dir); err != nil {
			return fmt.Errorf("working directory: %w", err)
		} else if !info.IsDir() {
			return fmt.Errorf("working directory %s: %w", c.Dir, unix.ENOTDIR)
		}
	}
	if strings.Contains(c.Argv[0], "/") {
		s.path = c.Argv[0]
		return executable(c.Dir, s.path)
	}
	var err error
	s.path, err = search(c.Argv[0], c.Dir, c.Env)
	return err
}

// search looks name up in the PATH of env, as execvp(3) does: an empty element is
// the current directory, and what is found but cannot be executed is passed over.
func search(name, dir string, env []string) (string, error) {
	path := defaultPath
	for _, v := range env {
		if value, ok := strings.CutPrefix(v, "PATH="); ok {
			path = value
			break
		}
	}
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
