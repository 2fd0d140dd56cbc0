package flock

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// Dir returns the directory for lock files of this user, and makes it when it is missing:
// system/palhm, else system/palhm-UID, else session/palhm. It is a real directory of this
// user with the mode 0700, because in any other one somebody else could hold the locks.
// session "" = there is none.
//
// One that exists is taken before one is made, so that nobody who makes and removes
// system/palhm gets two runs at the same time to use two directories. Only root makes
// system/palhm: a user who came first would have it for ever.
func Dir(system, session string) (string, error) {
	shared := filepath.Join(system, "palhm")
	own := shared + "-" + strconv.Itoa(os.Geteuid())
	for _, dir := range []string{shared, own} {
		if claim(dir) == nil {
			return dir, nil
		}
	}
	makeable := []string{own}
	if os.Geteuid() == 0 {
		_ = os.MkdirAll(system, 0o755) // what is wrong is said below
		makeable = []string{shared, own}
	}
	if session != "" {
		makeable = append(makeable, filepath.Join(session, "palhm"))
	}
	var tried []error
	for _, dir := range makeable {
		err := os.Mkdir(dir, 0o700)
		if err == nil || errors.Is(err, fs.ErrExist) {
			err = claim(dir)
		}
		if err == nil {
			return dir, nil
		}
		tried = append(tried, err)
	}
	return "", fmt.Errorf("no directory for lock files: %w\nmake one of them a directory of this user with the mode 0700, or set XDG_RUNTIME_DIR to such a directory", errors.Join(tried...))
}

// claim checks that path is a real directory of this user, into which nobody else can
// have put anything, and keeps others from looking into it: whoever can open a lock file
// can hold the lock.
func claim(path string) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err == unix.ENOTDIR || err == unix.ELOOP {
		err = errors.New("it is no directory, or a link")
	}
	if err != nil {
		return &fs.PathError{Op: "use", Path: path, Err: err}
	}
	defer unix.Close(fd) //nolint:errcheck // it was only looked at
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	switch {
	case err != nil:
	case st.Uid != uint32(os.Geteuid()):
		err = fmt.Errorf("it belongs to the user %d", st.Uid)
	case st.Mode&0o022 != 0:
		err = fmt.Errorf("others may write to it (mode %04o)", st.Mode&0o7777)
	case st.Mode&0o7777 != 0o700:
		err = unix.Fchmod(fd, 0o700)
	}
	if err != nil {
		return &fs.PathError{Op: "use", Path: path, Err: err}
	}
	return nil
}
