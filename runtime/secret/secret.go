// Package secret reads what a site keeps out of its text: passwords, from palhm's
// environment or from files.
package secret

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"palhm/runtime/plan"
)

// maxSize bounds a secret, in bytes: more is a wrong path.
const maxSize = 1 << 20

// Read reads a secret as it is kept. environ is palhm's environment, "NAME=value",
// whose last setting of a name counts; a file that is no absolute path is looked for
// in its CREDENTIALS_DIRECTORY (systemd.exec(5)). An empty secret is an error:
// programs take it for no password at all, and some then encrypt with that. Errors
// name the secret and never its value.
func Read(s *plan.Secret, environ []string) ([]byte, error) {
	data, err := read(s, environ)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s, err)
	}
	if len(strings.TrimSuffix(string(data), "\n")) == 0 {
		return nil, fmt.Errorf("%s: it is empty", s)
	}
	return data, nil
}

// Value reads a secret without the newline at its end, which belongs to the file
// and not to the value.
func Value(s *plan.Secret, environ []string) (string, error) {
	data, err := Read(s, environ)
	return strings.TrimSuffix(string(data), "\n"), err
}

func read(s *plan.Secret, environ []string) ([]byte, error) {
	if s.Env != "" {
		value, ok := lookup(environ, s.Env)
		if !ok {
			return nil, errors.New("the variable is not set in palhm's environment")
		}
		return []byte(value), nil
	}
	path, err := file(s, environ)
	if err != nil {
		return nil, err
	}
	return readFile(path)
}

// file is where the secret of a file lies. That is never the current directory, which
// anybody may have chosen.
func file(s *plan.Secret, environ []string) (string, error) {
	if filepath.IsAbs(s.File) {
		return s.File, nil
	}
	dir, _ := lookup(environ, "CREDENTIALS_DIRECTORY")
	if !filepath.IsAbs(dir) {
		return "", errors.New("CREDENTIALS_DIRECTORY is not set: run palhm in a systemd unit with LoadCredential=, or name the file by its absolute path")
	}
	return filepath.Join(dir, s.File), nil
}

// Check reports why Value would fail now. It returns an empty value, and no error, for
// a secret that can be read only once, such as a named pipe: it leaves that alone.
func Check(s *plan.Secret, environ []string) (string, error) {
	if s.Env == "" {
		path, err := file(s, environ)
		if err != nil {
			return "", fmt.Errorf("%s: %w", s, err)
		}
		if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
			if err := unix.Access(path, unix.R_OK); err != nil {
				return "", fmt.Errorf("%s: open %s: %w", s, path, err)
			}
			return "", nil
		}
	}
	return Value(s, environ)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxSize {
		return nil, fmt.Errorf("%s is larger than %d bytes; is it the right file?", path, maxSize)
	}
	return data, nil
}

func lookup(environ []string, name string) (string, bool) {
	for _, kv := range slices.Backward(environ) {
		if value, ok := strings.CutPrefix(kv, name+"="); ok {
			return value, true
		}
	}
	return "", false
}
