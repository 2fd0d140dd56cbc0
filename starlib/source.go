package starlib

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"unicode/utf8"
)

// The longest texts that are read: far more than a person writes, and little
// enough that a wrong path costs nothing.
const (
	maxSource = 4 << 20
	maxText   = 16 << 20
)

// readText reads a regular file of UTF-8 text. The opener must open it with
// O_NONBLOCK, so that a named pipe does not hold palhm up.
func readText(open func(flag int) (*os.File, error), limit int64) (string, error) {
	f, err := open(os.O_RDONLY | syscall.O_NONBLOCK | syscall.O_CLOEXEC)
	if err != nil {
		return "", reason(err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", reason(err)
	case info.IsDir():
		return "", errors.New("is a directory")
	case !info.Mode().IsRegular():
		return "", errors.New("is not a regular file")
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return "", reason(err)
	}
	return checkText(b, limit)
}

func checkText(b []byte, limit int64) (string, error) {
	bom := [][]byte{{0xef, 0xbb, 0xbf}, {0xff, 0xfe}, {0xfe, 0xff}}
	for _, mark := range bom {
		if bytes.HasPrefix(b, mark) {
			return "", errors.New("begins with a byte order mark; save it as UTF-8 without one")
		}
	}
	switch {
	case int64(len(b)) > limit:
		return "", fmt.Errorf("is larger than %d MiB", limit>>20)
	case bytes.IndexByte(b, 0) >= 0:
		return "", fmt.Errorf("is not text: line %d has a NUL byte", lineOf(b, bytes.IndexByte(b, 0)))
	case !utf8.Valid(b):
		return "", fmt.Errorf("is not UTF-8 text: see line %d", lineOf(b, firstInvalid(b)))
	}
	return string(b), nil
}

func firstInvalid(b []byte) int {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(b)
}

func lineOf(b []byte, offset int) int { return bytes.Count(b[:offset], []byte("\n")) + 1 }

// reason drops the path from an error of the os package: the caller says which
// file, in its own words.
func reason(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}
