package localfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"palhm/runtime/plan"
)

// Put stores an object, and has made what is in it durable when it returns: its
// name is durable from Commit on.
func (c *Copy) Put(ctx context.Context, p string, r io.Reader, sizeHint int64) (int64, error) {
	if c.ended {
		return 0, errEnded
	}
	if err := plan.CheckPath(p); err != nil {
		return 0, err
	}
	if n := len(path.Join(c.store.root, c.prefix, p)); n > plan.MaxKey {
		return 0, fmt.Errorf("path %.40q... is %d bytes long together with its root, the longest is %d", p, n, plan.MaxKey)
	}
	if c.left.Load() {
		return 0, errLeft
	}
	var n int64
	err := c.await(ctx, putPatience*c.store.opt.Patience, func() (err error) {
		n, err = c.put(ctx, p, r, sizeHint)
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

func (c *Copy) put(ctx context.Context, p string, r io.Reader, sizeHint int64) (int64, error) {
	d, err := c.parent(p)
	if err != nil {
		return 0, err
	}
	defer d.close()
	f, err := d.create(path.Base(p), c.store.opt.FileMode)
	if err != nil {
		return 0, err
	}
	n, err := c.write(ctx, f, r, sizeHint)
	if e := f.Close(); err == nil && e != nil {
		err = e
	}
	if err != nil {
		return 0, errors.Join(err, d.unlink(path.Base(p)))
	}
	return n, nil
}

// write fills a file that was just created.
func (c *Copy) write(ctx context.Context, f *os.File, r io.Reader, sizeHint int64) (int64, error) {
	if sizeHint > 0 {
		c.preallocate(f, sizeHint)
	}
	n, err := c.fill(ctx, f, r)
	if err != nil {
		return n, err
	}
	if sizeHint > 0 { // frees what was allocated behind the end
		if err := c.change("truncate", f, func() error { return f.Truncate(n) }); err != nil {
			return n, err
		}
	}
	err = c.change("chmod", f, func() error { return unix.Fchmod(int(f.Fd()), uint32(c.store.opt.FileMode)) })
	if err = noModes(err); errors.Is(err, errNoModes) {
		c.warn(err.Error() + "; its files are as open as it makes them")
	} else if err != nil {
		return n, err
	}
	return n, c.change("fsync", f, func() error { return unix.Fsync(int(f.Fd())) })
}

// preallocate takes the hint for what it is: the object may turn out smaller.
func (c *Copy) preallocate(f *os.File, size int64) {
	err := c.change("allocate", f, func() error { return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, size) })
	if err == nil {
		return
	}
	c.warn(fmt.Sprintf("%d bytes were not reserved ahead: %v", size, err))
	// ext4 and xfs keep what they could reserve, which is all that was left of the
	// disk: nothing else could be written beside this object.
	if err := c.change("truncate", f, func() error { return f.Truncate(0) }); err != nil {
		c.warn(fmt.Sprintf("what was reserved ahead is not free again: %v", err))
	}
}

// change makes one change to an open file, and names the file in its error.
func (c *Copy) change(op string, f *os.File, do func() error) error {
	var err error
	if fault := c.store.opt.Fault; fault != nil {
		err = fault(op, f.Name())
	}
	if err == nil {
		err = retry(do)
	}
	if _, named := errors.AsType[*fs.PathError](err); err == nil || named {
		return err
	}
	return &fs.PathError{Op: op, Path: f.Name(), Err: err}
}
