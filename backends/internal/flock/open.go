package flock

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Open opens the lock file called name in the open directory dir, and makes it when it
// is missing. It does not block. path is for people. A file that somebody else may have
// put there is refused: the lock is written to, and whoever can open it can hold it. The
// errors do not name path.
func Open(dir int, name, path string) (*os.File, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0o600)
	switch {
	case err == unix.ELOOP:
		return nil, errors.New("it is a symbolic link, want a plain file: remove it")
	case err == unix.EISDIR, err == unix.ENXIO: // a directory, a socket or a device
		return nil, errors.New("it is no plain file: remove it")
	case err != nil:
		return nil, err
	}
	f := os.NewFile(uintptr(fd), path)
	if err := check(dir, fd); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// check looks at the lock file that was opened. In a sticky directory, where others may
// make files that nobody else can remove, its owner is this user or that of the directory:
// the same rule as that of fs.protected_regular in proc_sys_fs(5). Elsewhere the owner says
// little, because file servers map users.
func check(dir, fd int) error {
	var file, in unix.Stat_t
	if err := unix.Fstat(fd, &file); err != nil {
		return err
	}
	if err := unix.Fstat(dir, &in); err != nil {
		return err
	}
	foreign := file.Uid != uint32(os.Geteuid()) && file.Uid != in.Uid
	switch {
	case file.Mode&unix.S_IFMT != unix.S_IFREG:
		return errors.New("it is no plain file: remove it")
	case file.Nlink > 1:
		return fmt.Errorf("it is a hard link, one of %d names of a file that may belong to something else: remove it", file.Nlink)
	case foreign && in.Mode&unix.S_ISVTX != 0:
		return fmt.Errorf("it belongs to the user %d, who could hold the lock for ever: remove it", file.Uid)
	}
	return nil
}
