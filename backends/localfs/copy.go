package localfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"palhm/backends"
)

// Copy is a copy that is being made, in ROOT/.palhm/staging/PREFIX.
type Copy struct {
	store  *Store
	prefix string

	root, staging, dir *dir // dir is the copy itself; closed when the copy has ended

	mu       sync.Mutex
	dirs     map[string]bool // every directory below dir that Commit has to fsync
	warnings []string

	published bool        // it is at ROOT/PREFIX
	ended     bool        // committed or aborted
	left      atomic.Bool // something may still be done to it, so that it has to stay as it is
}

// errEnded is the answer of a copy to whatever comes after its end.
var errEnded = errors.New("the copy has ended already")

// Warnings returns what went less well than asked for.
func (c *Copy) Warnings() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.warnings)
}

// warn records a warning once.
func (c *Copy) warn(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Contains(c.warnings, text) {
		c.warnings = append(c.warnings, text)
	}
}

// parent opens the directory that the object at p is in, and makes it when it is
// missing. The lock keeps a second object out of a directory that has not got its
// mode yet.
func (c *Copy) parent(p string) (*dir, error) {
	d, err := c.dir.openDir(".")
	if err != nil {
		return nil, err
	}
	parents := strings.Split(p, "/")
	parents = parents[:len(parents)-1]
	for i, name := range parents {
		sub, err := c.child(d, name, strings.Join(parents[:i+1], "/"))
		d.close()
		if err != nil {
			return nil, err
		}
		d = sub
	}
	return d, nil
}

func (c *Copy) child(d *dir, name, whole string) (*dir, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dirs[whole] {
		if err := d.mkdir(name, c.store.opt.DirMode); err != nil && !errors.Is(err, errNoModes) {
			return nil, err
		}
		c.dirs[whole] = true
	}
	return d.openDir(name)
}

// Commit writes the manifest, makes everything durable and renames the copy into
// ROOT. It does not stop when ctx is cancelled: it is short, and what it commits is
// whole.
//
// When the rename has been made and its fsync fails, nobody knows whether the copy
// would survive a power cut. Then the rename is taken back, so that the copy is not
// listed, and the error says so. A power cut in that moment leaves one of the two
// names, and behind either of them all of the copy, which was fsynced before.
func (c *Copy) Commit(ctx context.Context, m *backends.Manifest) error {
	if c.ended {
		return errEnded
	}
	if c.left.Load() {
		return errLeft
	}
	if m.Prefix != c.prefix {
		return fmt.Errorf("got the manifest of %s, want that of %s", m.Prefix, c.prefix)
	}
	if err := c.checkStored(m); err != nil {
		return err
	}
	if err := c.writeManifest(context.WithoutCancel(ctx), m); err != nil {
		return err
	}
	if err := c.syncDirs(); err != nil {
		return err
	}
	if err := c.publish(); err != nil {
		return err
	}
	c.end()
	return nil
}

// checkStored looks whether every object is still there, at its size: a manifest
// must not promise what somebody who cleans up, or an administrator in a hurry, has
// removed while the others were made.
func (c *Copy) checkStored(m *backends.Manifest) error {
	for _, o := range m.Objects {
		d, err := c.parent(o.Path)
		if err != nil {
			return err
		}
		st, err := d.lstat(path.Base(o.Path))
		d.close()
		if err != nil {
			return fmt.Errorf("%w: it was stored, and something other than palhm has removed it", err)
		}
		if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size != o.Size {
			return fmt.Errorf("%s: %d bytes were stored, and something other than palhm has changed it", d.at(path.Base(o.Path)), o.Size)
		}
	}
	return nil
}

func (c *Copy) writeManifest(ctx context.Context, m *backends.Manifest) error {
	manifest, sums, err := m.Encode()
	if err != nil {
		return err
	}
	if _, err := c.put(ctx, backends.ManifestPath, bytes.NewReader(manifest), 0); err != nil {
		return err
	}
	_, err = c.put(ctx, backends.SumsPath, bytes.NewReader(sums), 0)
	return err
}

// syncDirs fsyncs every directory of the copy, those below before those above.
func (c *Copy) syncDirs() error {
	for _, p := range slices.Backward(slices.Sorted(maps.Keys(c.dirs))) {
		d, err := c.parent(path.Join(p, "x")) // the directory p itself
		if err != nil {
			return err
		}
		if err := errors.Join(d.sync(), d.close()); err != nil {
			return err
		}
	}
	return c.dir.sync()
}

func (c *Copy) publish() error {
	if err := c.staging.rename(c.prefix, c.root, c.prefix); err != nil {
		return err
	}
	c.published = true
	err := c.root.sync()
	if err == nil {
		// The old name has to be gone for good as well: on a file system without
		// a journal both could be there after a power cut, and Recover would empty
		// the copy through the old one.
		err = c.staging.sync()
	}
	if err == nil {
		return nil
	}
	if back := c.root.rename(c.prefix, c.staging, c.prefix); back != nil {
		return fmt.Errorf("%w; it is listed although it may not survive a power cut, because this failed too: %w", err, back)
	}
	c.published = false
	return err
}

// Abort removes the copy. It may be called again when it has failed, but not when the file
// system was silent: then the next run removes it.
func (c *Copy) Abort(ctx context.Context) error {
	if c.ended {
		return nil
	}
	if c.left.Load() {
		return fmt.Errorf("abort %s: %w", c.prefix, errLeft)
	}
	return c.await(ctx, c.store.opt.Patience, c.abort)
}

func (c *Copy) abort() error {
	if c.published { // Commit failed and could not take the copy back
		if err := c.root.rename(c.prefix, c.staging, c.prefix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("abort %s: %w", c.prefix, err)
		}
		c.published = false
	}
	if err := c.staging.removeTree(c.prefix); err != nil {
		return fmt.Errorf("abort %s: %w", c.prefix, err)
	}
	c.end()
	return nil
}

func (c *Copy) end() {
	c.ended = true
	c.dir.close()
	c.staging.close()
	c.root.close()
}
