package localfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"palhm/backends"
)

// Remove moves a copy into the trash, where it is no longer listed, and then
// removes it from there. What cannot be removed stays in the trash for Recover.
func (s *Store) Remove(ctx context.Context, prefix string) error {
	if err := checkCopyName(ctx, prefix); err != nil {
		return err
	}
	if err := awaitDone(ctx, s.opt.Patience, func() error { return s.remove(prefix) }); err != nil {
		return fmt.Errorf("remove %s: %w", prefix, err)
	}
	return nil
}

func (s *Store) remove(prefix string) error {
	root, err := s.openRoot()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.close()
	return remove(root, prefix)
}

func remove(root *dir, prefix string) error {
	st, err := root.lstat(prefix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return fmt.Errorf("%s is not a directory, so it is no copy", root.at(prefix))
	}
	trash, err := openState(root, trashName, true)
	if err != nil {
		return err
	}
	defer trash.close()
	name, err := moveToTrash(root, prefix, trash)
	if err != nil {
		return err
	}
	if err := errors.Join(root.sync(), trash.sync()); err != nil {
		return err
	}
	return trash.removeTree(name)
}

// moveToTrash finds a name that an earlier removal of the same copy has not left.
func moveToTrash(root *dir, prefix string, trash *dir) (name string, err error) {
	name = prefix
	for i := 1; ; i++ {
		err = root.rename(prefix, trash, name)
		if errors.Is(err, unix.EACCES) && root.chmodDir(prefix, 0o700) == nil {
			err = root.rename(prefix, trash, name) // a directory that moves has its ".." written
		}
		if !errors.Is(err, fs.ErrExist) {
			return name, err
		}
		name = prefix + "." + strconv.Itoa(i)
	}
}

// Recover removes what dead runs left: everything in the staging and the trash
// directory, and rehearsals. It goes on after an error.
func (s *Store) Recover(ctx context.Context) error {
	if err := awaitDone(ctx, s.opt.Patience, func() error { return s.recover(ctx) }); err != nil {
		return fmt.Errorf("recover %s: %w", s.root, err)
	}
	return nil
}

func (s *Store) recover(ctx context.Context) error {
	root, err := s.openRoot()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.close()
	var failed failures
	failed.add(removeRehearsals(ctx, root))
	failed.add(emptyState(ctx, root))
	return failed.join()
}

func removeRehearsals(ctx context.Context, root *dir) error {
	names, err := root.names()
	if err != nil {
		return err
	}
	var failed failures
	for _, name := range names {
		prefix, ok := strings.CutPrefix(name, rehearsalPrefix)
		if _, _, err := backends.ParsePrefix(prefix); !ok || err != nil {
			continue
		}
		if st, err := root.lstat(name); err != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR {
			continue // a rehearsal is a directory: this is somebody's
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		failed.add(root.removeTree(name))
	}
	return failed.join()
}

// emptyState empties what is in .palhm, if there is one.
func emptyState(ctx context.Context, root *dir) error {
	state, err := openPrivate(root, stateName, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer state.close()
	var failed failures
	for _, name := range []string{stagingName, trashName} {
		failed.add(empty(ctx, state, name))
	}
	return failed.join()
}

func empty(ctx context.Context, state *dir, name string) error {
	d, err := openPrivate(state, name, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer d.close()
	names, err := d.names()
	if err != nil {
		return err
	}
	var failed failures
	for _, name := range names {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		failed.add(d.removeTree(name))
	}
	return failed.join()
}
