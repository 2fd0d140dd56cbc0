package localfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"palhm/backends"
	"palhm/runtime/plan"
)

// List returns the copies in ROOT. Anything there that is no copy is left out: a
// plain file, a link, a directory whose name is no copy's, or that has a .palhm and
// no manifest, or no file at all.
func (s *Store) List(ctx context.Context) ([]backends.Info, error) {
	found, err := await(ctx, s.opt.Patience, func() ([]backends.Info, error) { return s.list(ctx) }, nil)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", s.root, err)
	}
	return found, nil
}

func (s *Store) list(ctx context.Context) ([]backends.Info, error) {
	root, err := s.openRoot()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer root.close()
	names, err := root.names()
	if err != nil {
		return nil, err
	}
	var found []backends.Info
	for _, name := range names {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if info, ok := look(root, name); ok {
			found = append(found, info)
		}
	}
	backends.SortInfos(found)
	return found, nil
}

// look describes the copy of that name, if it is one.
func look(root *dir, name string) (info backends.Info, ok bool) {
	t, format, err := backends.ParsePrefix(name)
	if err != nil {
		return info, false
	}
	info = backends.Info{Prefix: name, Time: t}
	d, err := root.openDir(name)
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, fs.ErrNotExist) {
		return info, false // something else, or removed meanwhile
	}
	if err != nil {
		info.Damage = err
		return info, true
	}
	defer d.close()
	_, err = d.lstat(plan.ReservedDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		info, ok = lookForeign(d, info)
		return info, ok && format == plan.PrefixISO
	case err != nil:
		info.Damage = err
		return info, true
	}
	return lookManifest(d, info)
}

// lookForeign measures a copy of the Python program, which wrote no manifest. Without
// a file in it, it is none: counted, it would push a whole one out.
func lookForeign(d *dir, info backends.Info) (backends.Info, bool) {
	info.Foreign = true
	info.Size, info.Objects, info.Damage = measure(d)
	return info, info.Objects > 0 || info.Damage != nil
}

// measure adds up the plain files in d and below.
func measure(d *dir) (size int64, files int, err error) {
	names, err := d.names()
	if err != nil {
		return 0, 0, err
	}
	for _, name := range names {
		st, err := d.lstat(name)
		if err != nil {
			return 0, 0, err
		}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			size, files = size+st.Size, files+1
		case unix.S_IFDIR:
			sub, err := d.openDir(name)
			if err != nil {
				return 0, 0, err
			}
			n, k, err := measure(sub)
			sub.close()
			if err != nil {
				return 0, 0, err
			}
			size, files = size+n, files+k
		}
	}
	return size, files, nil
}

func lookManifest(d *dir, info backends.Info) (backends.Info, bool) {
	f, err := openBelow(d, backends.ManifestPath)
	if errors.Is(notExist(err), fs.ErrNotExist) {
		return info, false // nothing that palhm committed
	}
	if err != nil {
		info.Damage = err
		return info, true
	}
	defer f.Close()
	read, err := backends.ReadInfo(f, info.Prefix)
	if err != nil {
		info.Damage = err
		return info, true
	}
	return read, true
}

// Open returns the bytes of an object.
func (s *Store) Open(ctx context.Context, prefix, p string) (io.ReadCloser, error) {
	if err := checkCopyName(ctx, prefix); err != nil {
		return nil, err
	}
	if err := plan.CheckPath(p); err != nil && p != backends.ManifestPath && p != backends.SumsPath {
		return nil, err
	}
	open := func() (*os.File, error) { return s.openObject(prefix, p) }
	f, err := await(ctx, s.opt.Patience, open, func(f *os.File) { f.Close() })
	if err != nil {
		return nil, err // and not a nil *os.File in an interface, which is not nil
	}
	return f, nil
}

func (s *Store) openObject(prefix, p string) (*os.File, error) {
	root, err := s.openRoot()
	if err != nil {
		return nil, err
	}
	defer root.close()
	d, err := root.openDir(prefix)
	if err != nil {
		return nil, notExist(err)
	}
	defer d.close()
	f, err := openBelow(d, p)
	if err != nil {
		return nil, notExist(err)
	}
	return f, nil
}

// openBelow opens the plain file at p below d.
func openBelow(d *dir, p string) (*os.File, error) {
	if first, rest, more := strings.Cut(p, "/"); more {
		sub, err := d.openDir(first)
		if err != nil {
			return nil, err
		}
		defer sub.close()
		return openBelow(sub, rest)
	}
	return d.openFile(p)
}

// notExist says that there is no object where something else is: a directory, a
// link, or something below what is no directory.
func notExist(err error) error {
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, errNotPlain) {
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return err
}
