package localfs

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"
)

// removeTree removes name and, when it is a directory, everything in it. It goes on
// after an error, so that as much space as possible becomes free. Something that
// is not there is no error. It does not enter what is mounted below.
func (d *dir) removeTree(name string) error {
	st, err := d.lstat(name)
	if err == nil {
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			err = d.removeDir(name, st.Mode)
		} else {
			err = d.unlink(name)
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (d *dir) removeDir(name string, mode uint32) error {
	if mode&0o700 != 0o700 { // as in a tree that was unpacked into a copy by hand
		if err := d.chmodDir(name, 0o700); err != nil {
			return err
		}
	}
	sub, err := d.openDir(name)
	if err != nil {
		return err
	}
	defer sub.close()
	if sub.isMountPoint() {
		return fmt.Errorf("%s is a mount point: unmount it first", sub.path())
	}
	names, err := sub.names()
	if err != nil {
		return err
	}
	var failed failures
	for _, n := range names {
		failed.add(sub.removeTree(n))
	}
	if err := failed.join(); err != nil {
		return err
	}
	return d.rmdir(name)
}

// isMountPoint asks statx(2). Kernels before 5.8 do not know and say no.
func (d *dir) isMountPoint() bool {
	var st unix.Statx_t
	err := retry(func() error { return unix.Statx(int(d.f.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_TYPE, &st) })
	return err == nil && st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0
}

// maxShown is how many errors of one removal are told.
const maxShown = 8

// failures collects errors and keeps the first few.
type failures struct {
	errs []error
	more int
}

func (f *failures) add(err error) {
	if err == nil {
		return
	}
	if len(f.errs) < maxShown {
		f.errs = append(f.errs, err)
	} else {
		f.more++
	}
}

func (f *failures) join() error {
	if f.more > 0 {
		return errors.Join(append(f.errs, fmt.Errorf("and %d more", f.more))...)
	}
	return errors.Join(f.errs...)
}
