package proc

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Content returns a file that holds data and is at its beginning, for
// Command.Stdin. It lives in memory only (memfd_create(2)) and goes away when the
// caller and the stage have closed it. It serves one pipeline: a second reader
// would share its offset.
func Content(data []byte) (*os.File, error) {
	const name = "palhm-stdin"
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) { // before Linux 6.3
		fd, err = unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	}
	if err != nil {
		return nil, fmt.Errorf("make a file in memory for stdin: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err := f.Write(data); err != nil {
		f.Close()
		return nil, fmt.Errorf("write %d bytes for stdin: %w", len(data), err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		f.Close()
		return nil, fmt.Errorf("rewind stdin: %w", err)
	}
	return f, nil
}
