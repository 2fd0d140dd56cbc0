package player

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
	"syscall"
)

// files are those of a test, and the directories that they are in.
type files struct {
	mu    sync.Mutex
	texts map[string]*string // by clean path; nil = a directory
}

func newFiles(texts map[string]string) *files {
	f := &files{texts: map[string]*string{"/": nil}}
	for name, text := range texts {
		f.texts[name] = &text
		for dir := path.Dir(name); dir != "/"; dir = path.Dir(dir) {
			if f.texts[dir] == nil {
				f.texts[dir] = nil
			}
		}
	}
	return f
}

// find follows a path as the kernel does. The text of a directory is nil.
func (f *files) find(op, name string) (text *string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := "/"
	for part := range strings.SplitSeq(name, "/") {
		if text != nil {
			return nil, &fs.PathError{Op: op, Path: name, Err: syscall.ENOTDIR}
		}
		at = path.Join(at, part)
		var there bool
		if text, there = f.texts[at]; !there {
			return nil, &fs.PathError{Op: op, Path: name, Err: syscall.ENOENT}
		}
	}
	return text, nil
}

// Stat looks whether there is something.
func (f *files) Stat(name string) error {
	_, err := f.find("stat", name)
	return err
}

// Open opens a file or a directory.
func (f *files) Open(name string) (io.ReadCloser, fs.FileMode, error) {
	text, err := f.find("open", name)
	if text == nil {
		return io.NopCloser(nil), fs.ModeDir, err
	}
	return io.NopCloser(strings.NewReader(*text)), 0, nil
}

// MkdirTemp makes a directory that only this world has.
func (f *files) MkdirTemp() (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.texts["/tmp"] = nil
	for n := 1; ; n++ {
		dir := fmt.Sprintf("/tmp/palhm-simulated-%d", n)
		if _, there := f.texts[dir]; !there {
			f.texts[dir] = nil
			return dir, nil
		}
	}
}

// RemoveAll removes such a directory.
func (f *files) RemoveAll(dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.texts, dir)
	return nil
}
