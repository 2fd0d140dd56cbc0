package localfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"palhm/runtime/plan"
)

// dir is an open directory. The names given to its methods are single components,
// and no method follows a symbolic link. os.Root would follow those that stay
// inside of it, and does not know renameat2(2).
type dir struct {
	f     *os.File
	fault func(op, path string) error // nil = none
}

// errNoModes says that a file system refuses to keep permission bits, as those made
// for other systems do. Whatever was to get them exists nevertheless.
var errNoModes = errors.New("the file system does not keep permission modes")

// openPath opens a directory by its path, links included.
func openPath(path string, fault func(op, path string) error) (*dir, error) {
	f, err := openat(unix.AT_FDCWD, path, path, unix.O_DIRECTORY)
	if errors.Is(err, fs.ErrNotExist) {
		if to, e := os.Readlink(path); e == nil {
			err = &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("%w: it is a link to %s, which is not there", unix.ENOENT, to)}
		}
	}
	if err != nil {
		return nil, err
	}
	return &dir{f, fault}, nil
}

// openat opens for reading, without touching the access time where it may.
func openat(fd int, name, path string, flags int) (*os.File, error) {
	flags |= unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NOATIME
	for {
		got, err := unix.Openat(fd, name, flags, 0)
		switch {
		case err == nil:
			return os.NewFile(uintptr(got), path), nil
		case err == unix.EINTR:
		case err == unix.EPERM && flags&unix.O_NOATIME != 0: // not the owner
			flags &^= unix.O_NOATIME
		default:
			return nil, &fs.PathError{Op: "open", Path: path, Err: err}
		}
	}
}

// open opens name in d, whatever it is, unless it is a link.
func (d *dir) open(name string, flags int) (*os.File, error) {
	f, err := openat(int(d.f.Fd()), name, d.at(name), flags|unix.O_NOFOLLOW)
	runtime.KeepAlive(d)
	return f, err
}

func (d *dir) path() string             { return d.f.Name() }
func (d *dir) at(name string) string    { return filepath.Join(d.path(), name) }
func (d *dir) close() error             { return d.f.Close() }
func (d *dir) names() ([]string, error) { return d.f.Readdirnames(-1) }

// call makes one system call on the directory that changes something.
func (d *dir) call(op, name string, f func(fd int) error) error {
	path := d.at(name)
	if d.fault != nil {
		if err := d.fault(op, path); err != nil {
			return &fs.PathError{Op: op, Path: path, Err: err}
		}
	}
	if err := retry(func() error { return f(int(d.f.Fd())) }); err != nil {
		return &fs.PathError{Op: op, Path: path, Err: err}
	}
	runtime.KeepAlive(d)
	return nil
}

// retry repeats a system call that a signal interrupted.
func retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

// openDir opens a directory in d. The error wraps ENOTDIR when there is something
// else, and a link to a directory is something else.
func (d *dir) openDir(name string) (*dir, error) {
	f, err := d.open(name, unix.O_DIRECTORY)
	if err == nil {
		return &dir{f, d.fault}, nil
	}
	if st, e := d.lstat(name); e == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK {
		err = &fs.PathError{Op: "open", Path: d.at(name), Err: errLink}
	}
	return nil, err
}

// openFile opens a plain file in d for reading. The error wraps errNotPlain when it
// is something else. O_NONBLOCK keeps a FIFO from stopping palhm.
func (d *dir) openFile(name string) (*os.File, error) {
	f, err := d.open(name, unix.O_NONBLOCK)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO) { // a link, or a socket
		return nil, &fs.PathError{Op: "open", Path: d.at(name), Err: errNotPlain}
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: d.at(name), Err: errNotPlain}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// errLink is ENOTDIR, said better.
var errLink = fmt.Errorf("%w but a symbolic link, which palhm does not follow here", unix.ENOTDIR)

var errNotPlain = errors.New("it is not a plain file")

// create makes a file that only its owner may open until it gets its mode.
func (d *dir) create(name string, mode plan.Mode) (*os.File, error) {
	var f *os.File
	err := d.call("create", name, func(fd int) error {
		got, err := unix.Openat(fd, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, uint32(mode&0o600))
		if err == nil {
			f = os.NewFile(uintptr(got), d.at(name))
		}
		return err
	})
	return f, err
}

// mkdir makes a directory of exactly that mode, whatever the umask; a set-group-ID
// bit that it inherits stays. Where the file system keeps no modes it is made all
// the same, and the error is errNoModes.
func (d *dir) mkdir(name string, mode plan.Mode) error {
	if err := d.call("mkdir", name, func(fd int) error { return unix.Mkdirat(fd, name, uint32(mode)) }); err != nil {
		return err
	}
	err := d.chmodDir(name, mode)
	if err != nil && !errors.Is(err, errNoModes) {
		return errors.Join(err, d.rmdir(name)) // so that it can be tried again
	}
	return err
}

// chmodDir sets the permission bits of a directory in d, also when they, or a
// strict umask, keep its owner out.
func (d *dir) chmodDir(name string, mode plan.Mode) error {
	f, err := d.open(name, unix.O_DIRECTORY|unix.O_PATH)
	if err != nil {
		return err
	}
	sub := &dir{f, d.fault}
	defer sub.close()
	return sub.chmod(mode)
}

// chmod sets the permission bits of d. A descriptor of O_PATH has no fchmod(2), but
// the way that proc(5) shows leads to the same directory and no other.
func (d *dir) chmod(mode plan.Mode) error {
	st, err := d.stat()
	if err != nil {
		return err
	}
	want := uint32(mode) | st.Mode&unix.S_ISGID
	if st.Mode&0o7777 == want {
		return nil
	}
	err = d.call("chmod", "", func(fd int) error {
		err := unix.Fchmod(fd, want)
		if err == unix.EBADF {
			err = unix.Fchmodat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), want, 0)
		}
		return err
	})
	return noModes(err)
}

// noModes turns the refusal of a file system without permission bits into
// errNoModes. Nothing else refuses the owner with these.
func noModes(err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOTSUP) {
		return errNoModes
	}
	return err
}

func (d *dir) stat() (unix.Stat_t, error) {
	var st unix.Stat_t
	if err := retry(func() error { return unix.Fstat(int(d.f.Fd()), &st) }); err != nil {
		return st, &fs.PathError{Op: "stat", Path: d.path(), Err: err}
	}
	return st, nil
}

func (d *dir) lstat(name string) (unix.Stat_t, error) {
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstatat(int(d.f.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	if err != nil {
		return st, &fs.PathError{Op: "stat", Path: d.at(name), Err: err}
	}
	return st, nil
}

// unlink removes a name that is no directory, and rmdir an empty directory.
func (d *dir) unlink(name string) error {
	return d.call("unlink", name, func(fd int) error { return unix.Unlinkat(fd, name, 0) })
}

func (d *dir) rmdir(name string) error {
	return d.call("rmdir", name, func(fd int) error { return unix.Unlinkat(fd, name, unix.AT_REMOVEDIR) })
}

// rename moves name to newName in to, and never over anything. Where the file
// system does not know RENAME_NOREPLACE (rename(2)), it looks first: then another
// process could come between, but not another palhm, which needs the lock.
func (d *dir) rename(name string, to *dir, newName string) error {
	err := d.call("rename", name, func(fd int) error {
		return unix.Renameat2(fd, name, int(to.f.Fd()), newName, unix.RENAME_NOREPLACE)
	})
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.ENOTSUP) {
		if _, e := to.lstat(newName); e == nil {
			return &os.LinkError{Op: "rename", Old: d.at(name), New: to.at(newName), Err: unix.EEXIST}
		}
		err = d.call("rename-plain", name, func(fd int) error { return unix.Renameat(fd, name, int(to.f.Fd()), newName) })
	}
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return &os.LinkError{Op: "rename", Old: d.at(name), New: to.at(newName), Err: pe.Err}
	}
	return err
}

// sync makes the names in d durable. Some network file systems have no fsync(2) for
// directories and say so with EINVAL or ENOTSUP; nothing can be done about that.
func (d *dir) sync() error {
	err := d.call("fsync", "", unix.Fsync)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return err
}
