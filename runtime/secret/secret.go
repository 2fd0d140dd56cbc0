// Package secret reads what a site keeps out of its text: passwords, from palhm's
// environment or from files.
package secret

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"palhm/runtime/host"
	"palhm/runtime/plan"
)

// maxSize bounds a secret, in bytes: more is a wrong path.
const maxSize = 1 << 20

// Read reads a secret as it is kept. environ is palhm's environment, "NAME=value",
// whose last setting of a name counts; a file that is no absolute path is looked for
// in its CREDENTIALS_DIRECTORY (systemd.exec(5)). An empty secret is an error:
// programs take it for no password at all, and some then encrypt with that. Errors
// name the secret and never its value. A file that does not come, such as a named pipe
// to which nobody writes, is waited for until ctx ends.
func Read(ctx context.Context, s *plan.Secret, environ []string) ([]byte, error) {
	return read(s, environ, func(path string) ([]byte, error) { return host.ReadFile(ctx, path, maxSize) })
}

// Value reads a secret without the newline at its end, which belongs to the file
// and not to the value.
func Value(ctx context.Context, s *plan.Secret, environ []string) (string, error) {
	data, err := Read(ctx, s, environ)
	return strings.TrimSuffix(string(data), "\n"), err
}

// Check reports why Value would fail now. It returns an empty value, and no error, for
// a secret that can be read only once, such as a named pipe: it leaves that alone.
func Check(ctx context.Context, s *plan.Secret, environ []string) (string, error) {
	once := false
	data, err := read(s, environ, func(path string) ([]byte, error) {
		data, err := host.ReadPlainFile(ctx, path, maxSize)
		if once = errors.Is(err, host.ErrNotPlain); once {
			if err = unix.Access(path, unix.R_OK); err != nil {
				err = &fs.PathError{Op: "open", Path: path, Err: err}
			}
			return []byte("?"), err
		}
		return data, err
	})
	if once {
		return "", err
	}
	return strings.TrimSuffix(string(data), "\n"), err
}

func read(s *plan.Secret, environ []string, readFile func(path string) ([]byte, error)) ([]byte, error) {
	data, err := find(s, environ, readFile)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s, err)
	}
	if len(strings.TrimSuffix(string(data), "\n")) == 0 {
		return nil, fmt.Errorf("%s: it is empty", s)
	}
	return data, nil
}

func find(s *plan.Secret, environ []string, readFile func(path string) ([]byte, error)) ([]byte, error) {
	if s.Env != "" {
		value, ok := lookup(environ, s.Env)
		if !ok {
			return nil, errors.New("the variable is not set in palhm's environment")
		}
		return []byte(value), nil
	}
	path := s.File
	if !filepath.IsAbs(path) {
		// Never from the current directory, which anybody may have chosen.
		dir, _ := lookup(environ, "CREDENTIALS_DIRECTORY")
		if !filepath.IsAbs(dir) {
			return nil, errors.New("CREDENTIALS_DIRECTORY is not set: run palhm in a systemd unit with LoadCredential=, or name the file by its absolute path")
		}
		path = filepath.Join(dir, path)
	}
	return readFile(path)
}

func lookup(environ []string, name string) (string, bool) {
	for _, kv := range slices.Backward(environ) {
		if value, ok := strings.CutPrefix(kv, name+"="); ok {
			return value, true
		}
	}
	return "", false
}
