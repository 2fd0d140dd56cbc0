package localfs

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"palhm/backends"
	"palhm/runtime/fault"
)

// blockAlign is what O_DIRECT asks of addresses, lengths and offsets: the largest
// block of a disk that is in use, and a page.
const blockAlign = 4096

// writeOut is how many bytes go to the page cache before their write-out is started,
// so that the fsync at the end has little left to do.
const writeOut = 32 << 20

// fill copies r to f, and returns how many bytes it has written. What fits into one
// block, as most objects do, is written at once; of a larger one a block is filled
// while the one before is written.
func (c *Copy) fill(ctx context.Context, f *os.File, r io.Reader) (int64, error) {
	block := c.store.blocks.Get().(*[]byte)
	defer c.store.blocks.Put(block)
	n, end := gather(ctx, r, *block)
	w := &writer{copy: c, f: f}
	switch {
	case end != nil && end != io.EOF:
		return 0, end
	case end == io.EOF && n == 0:
		return 0, nil
	case end == io.EOF:
		err := w.write((*block)[:n])
		return w.n, err
	}
	second := c.store.blocks.Get().(*[]byte)
	defer c.store.blocks.Put(second)
	w.goDirect()
	err := w.copyBlocks(ctx, r, *block, *second)
	return w.n, err
}

// gather reads until b is full, or to the end of r: then the error is io.EOF.
func gather(ctx context.Context, r io.Reader, b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		if ctx.Err() != nil {
			return n, context.Cause(ctx)
		}
		var got int
		got, err = r.Read(b[n:])
		n += got
	}
	return n, err
}

// writer writes the blocks of one file, one after the other.
type writer struct {
	copy    *Copy
	f       *os.File
	direct  bool  // past the page cache
	n       int64 // bytes written
	started int64 // up to here write-out was started
}

// copyBlocks writes full, and then the rest of r by turns in both blocks. When it
// returns nothing uses the blocks.
func (w *writer) copyBlocks(ctx context.Context, r io.Reader, full, free []byte) error {
	filled, written := make(chan []byte), make(chan error, 1)
	go func() {
		for b := range filled {
			err := w.write(b)
			if err != nil {
				backends.Interrupt(r)
			}
			written <- err
		}
	}()
	defer close(filled)
	for last := false; ; {
		filled <- full
		var got int
		var end error
		if !last {
			got, end = gather(ctx, r, free)
		}
		switch err := <-written; {
		case err != nil:
			return err
		case end != nil && end != io.EOF:
			return end
		case got == 0:
			return nil
		}
		last = end == io.EOF
		full, free = free[:got], full
	}
}

// write writes b at the end of the file.
func (w *writer) write(b []byte) (err error) {
	defer fault.Catch(&err)
	if len(b)%blockAlign != 0 {
		w.leaveDirect()
	}
	err = w.append(&b)
	if w.direct && errors.Is(err, unix.EINVAL) {
		// A device whose blocks are larger, or a layer below that cannot.
		w.leaveDirect()
		err = w.append(&b)
	}
	if err != nil || w.direct || w.n-w.started < writeOut {
		return err
	}
	err = startWriteOut(w.f, w.started, w.n-w.started)
	w.started = w.n
	return err
}

// append writes b, and leaves in it what could not be written.
func (w *writer) append(b *[]byte) error {
	return w.copy.change("write", w.f, func() error {
		n, err := w.f.Write(*b)
		*b = (*b)[n:]
		w.n += int64(n)
		return err
	})
}

// goDirect makes writes go past the page cache (O_DIRECT of open(2)) where that is
// known to be good. A copy is not read soon, so in the cache it would only take the
// place of what the host works with; and not to copy it there saves most of the time
// that the kernel takes for writing. Network file systems would wait for the server
// at each write, and others take O_DIRECT and do something else.
func (w *writer) goDirect() {
	var st unix.Statfs_t
	if w.copy.store.opt.BlockSize%blockAlign != 0 || unix.Fstatfs(int(w.f.Fd()), &st) != nil {
		return
	}
	if st.Type == unix.EXT4_SUPER_MAGIC || st.Type == unix.XFS_SUPER_MAGIC {
		w.direct = w.setFlags(unix.O_DIRECT) == nil
	}
}

// leaveDirect makes writes go to the page cache from here on.
func (w *writer) leaveDirect() {
	if w.direct {
		w.direct, w.started = false, w.n
		w.setFlags(0) //nolint:errcheck // the write tells
	}
}

func (w *writer) setFlags(flags int) error {
	_, err := unix.FcntlInt(w.f.Fd(), unix.F_SETFL, flags)
	return err
}

// newBlock makes a buffer that O_DIRECT takes.
func newBlock(size int64) []byte {
	b := make([]byte, size+blockAlign)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(b))) % blockAlign
	return b[skip:][:size:size]
}

// startWriteOut reports only what says that data is lost: not every file system
// has sync_file_range(2), and fsync does all of the work anyhow.
func startWriteOut(f *os.File, from, size int64) error {
	err := unix.SyncFileRange(int(f.Fd()), from, size, unix.SYNC_FILE_RANGE_WRITE)
	if err == unix.EIO || err == unix.ENOSPC || err == unix.EDQUOT {
		return &fs.PathError{Op: "write out", Path: f.Name(), Err: err}
	}
	return nil
}
