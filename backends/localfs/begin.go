package localfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"palhm/backends"
	"palhm/runtime/plan"
)

// Names in ROOT, and in ROOT/.palhm.
const (
	stateName       = plan.ReservedDir
	lockName        = ".palhm.lock"
	rehearsalPrefix = ".palhm.rehearsal-" // followed by a copy's name
	stagingName     = "staging"
	trashName       = "trash"
)

// stateMode is the mode of .palhm and of the directories in it: nobody else may
// look into a copy that is not finished, nor put anything there.
const stateMode = 0o700

// Begin makes ROOT when it is missing, rehearses what Commit will do, and reserves
// the name.
func (s *Store) Begin(ctx context.Context, prefix string) (backends.Copy, error) {
	if err := checkCopyName(ctx, prefix); err != nil {
		return nil, err
	}
	begin := func() (*Copy, error) { return s.begin(prefix) }
	c, err := await(ctx, s.opt.Patience, begin, func(c *Copy) { c.Abort(ctx) }) //nolint:errcheck // the next run tries again
	if err != nil {
		return nil, fmt.Errorf("begin %s: %w", prefix, explain(err, prefix))
	}
	return c, nil
}

func (s *Store) begin(prefix string) (*Copy, error) {
	root, err := s.makeRoot()
	if err != nil {
		return nil, err
	}
	c, err := s.beginIn(root, prefix)
	if err != nil {
		root.close()
	}
	return c, err
}

func (s *Store) beginIn(root *dir, prefix string) (*Copy, error) {
	_, err := root.lstat(prefix)
	if err == nil {
		return nil, fmt.Errorf("%s: %w", root.at(prefix), backends.ErrPrefixTaken)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	staging, err := openState(root, stagingName, true)
	if err != nil {
		return nil, err
	}
	if err = rehearse(root, staging, prefix, s.opt.DirMode, s.opt.FileMode); err == nil {
		err = staging.mkdir(prefix, s.opt.DirMode)
	}
	c := &Copy{store: s, prefix: prefix, root: root, staging: staging, dirs: map[string]bool{}}
	if errors.Is(err, errNoModes) {
		c.warn(errNoModes.Error() + "; its files are as open as it makes them")
		err = nil
	}
	if errors.Is(err, fs.ErrExist) {
		err = fmt.Errorf("%w, by a copy that is being made: %w", backends.ErrPrefixTaken, err)
	}
	if err == nil {
		c.dir, err = staging.openDir(prefix)
	}
	if err != nil {
		staging.close()
		return nil, err
	}
	return c, nil
}

// openState opens ROOT/.palhm/name. Without create the error wraps fs.ErrNotExist
// when there is none.
func openState(root *dir, name string, create bool) (*dir, error) {
	state, err := openPrivate(root, stateName, create)
	if err != nil {
		return nil, err
	}
	defer state.close()
	return openPrivate(state, name, create)
}

// openPrivate opens a directory that has to be ours alone.
func openPrivate(parent *dir, name string, create bool) (*dir, error) {
	d, err := parent.openDir(name)
	if create && errors.Is(err, fs.ErrNotExist) {
		err = parent.mkdir(name, stateMode)
		if err == nil || errors.Is(err, errNoModes) || errors.Is(err, fs.ErrExist) {
			err = parent.sync()
		}
		if err == nil {
			d, err = parent.openDir(name)
		}
	}
	if err != nil {
		return nil, err
	}
	if err := makePrivate(d); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func makePrivate(d *dir) error {
	st, err := d.stat()
	if err != nil {
		return err
	}
	if int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d, want %d, who runs palhm: run as its owner, or use another root", d.path(), st.Uid, os.Geteuid())
	}
	if err := d.chmod(stateMode); !errors.Is(err, errNoModes) {
		return err
	}
	return nil
}

// rehearse does in small what Commit will do: make a directory with a file, fsync
// both, and rename it from the staging directory into ROOT, under a name of the
// same form, so that whatever refuses is found before anything has run.
func rehearse(root, staging *dir, prefix string, dirMode, fileMode plan.Mode) (err error) {
	name := rehearsalPrefix + prefix
	modes := staging.mkdir(name, dirMode)
	if modes != nil && !errors.Is(modes, errNoModes) {
		return modes
	}
	place := staging // where the directory is now
	defer func() {
		if e := place.removeTree(name); err == nil {
			err = e
		}
		if err == nil {
			err = modes
		}
	}()
	d, err := staging.openDir(name)
	if err != nil {
		return err
	}
	defer d.close()
	f, err := d.create("file", fileMode)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close(), d.sync()); err != nil {
		return err
	}
	if err := staging.rename(name, root, name); err != nil {
		return err
	}
	place = root
	return root.sync()
}

// explain adds what to do to errors that do not say it.
func explain(err error, prefix string) error {
	_, format, _ := backends.ParsePrefix(prefix)
	switch {
	case errors.Is(err, unix.EXDEV):
		return fmt.Errorf("%w: %s must be a plain directory on the same file system as the root, and no mount point", err, stateName)
	case errors.Is(err, unix.EINVAL) && format == plan.PrefixISO:
		return fmt.Errorf(`%w: the file system may refuse ":" in names; try prefix = "compact"`, err)
	case errors.Is(err, unix.ENOTDIR) && !errors.Is(err, errLink):
		return fmt.Errorf("%w: the root and its %s must be directories", err, stateName)
	}
	return err
}
