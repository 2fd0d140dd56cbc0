package localfs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"palhm/backends"
	"palhm/backends/localfs"
)

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// fillSizes lie around the borders of blocks of 4 KiB.
var fillSizes = []int{0, 1, 4095, 4096, 4097, 8191, 8192, 8193, 12288, 20479, 20480, 20481, 1 << 20}

// TestFill stores objects of few and of many blocks, on file systems with and without
// O_DIRECT, with blocks that it takes and that it does not take, where it is refused
// in the middle, and with hints of the size that are too small and too large. What is
// stored is what was read.
func TestFill(t *testing.T) {
	// At the third block, which is a whole one.
	writes := map[string]int{}
	refusing := func(op, path string) error {
		size, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if op != "write" || size < 3*4096 {
			return nil
		}
		if writes[path]++; writes[path] == 3 {
			return unix.EINVAL
		}
		return nil
	}
	for name, o := range map[string]localfs.Options{
		"tmpfs":           {Root: mountTmpfs(t, "size=64m"), BlockSize: 4096},
		"ext4":            {Root: mountImage(t, "ext4", 64<<20), BlockSize: 4096},
		"ext4, odd block": {Root: mountImage(t, "ext4", 64<<20), BlockSize: 5000},
		"xfs":             {Root: mountImage(t, "xfs", 300<<20), BlockSize: 4096},
		"ext4, refusing":  {Root: mountImage(t, "ext4", 64<<20), BlockSize: 4096, Fault: refusing},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStoreWith(t, o)
			c := mustBegin(t, s, copy1)
			m := manifest(copy1)
			for _, size := range fillSizes {
				for i, r := range []io.Reader{
					bytes.NewReader(randomBytes(size)),
					iotest.DataErrReader(bytes.NewReader(randomBytes(size))),
					iotest.HalfReader(bytes.NewReader(randomBytes(size))),
				} {
					path := fmt.Sprintf("%d/%d", size, i)
					hint := []int{0, size / 2, 2 * size}[i]
					stored, err := backends.Put(t.Context(), c, path, r, int64(hint))
					if err != nil {
						t.Fatalf("%s: %v", path, err)
					}
					m.Objects = append(m.Objects, backends.ObjectRecord{Path: path, Size: stored.Size, SHA256: stored.SHA256, CRC64NVME: stored.CRC64NVME})
				}
			}
			if err := backends.Commit(t.Context(), c, m); err != nil {
				t.Fatal(err)
			}
			for _, size := range fillSizes {
				for i := range 3 {
					got, err := os.ReadFile(filepath.Join(o.Root, copy1, fmt.Sprintf("%d/%d", size, i)))
					if err != nil || !bytes.Equal(got, randomBytes(size)) {
						t.Errorf("object of %d bytes: got %d bytes, other ones than were read, %v", size, len(got), err)
					}
				}
			}
			wantSums(t, o.Root, copy1)
		})
	}
}

// TestManyAtOnce stores objects of many blocks at the same time, and streams among
// them that break: nobody writes into a block that is another's.
func TestManyAtOnce(t *testing.T) {
	root := t.TempDir()
	s := newStoreWith(t, localfs.Options{Root: root, BlockSize: 4096})
	c := mustBegin(t, s, copy1)
	const objects, rounds, size = 4, 25, 10*4096 + 1
	content := func(object, round int) []byte {
		b := make([]byte, size)
		rand.NewChaCha8([32]byte{byte(object), byte(round)}).Read(b)
		return b
	}
	var wg sync.WaitGroup
	for object := range objects {
		wg.Go(func() {
			for round := range rounds {
				path := fmt.Sprintf("%d/%d", object, round)
				r := iotest.HalfReader(bytes.NewReader(content(object, round)))
				if round%3 == 2 {
					r = io.MultiReader(io.LimitReader(r, int64(round)*1000), iotest.ErrReader(errors.New("broken")))
				}
				if _, err := backends.Put(t.Context(), c, path, r, 0); (err != nil) != (round%3 == 2) {
					t.Errorf("%s: %v", path, err)
				}
			}
		})
	}
	wg.Wait()
	for object := range objects {
		for round := range rounds {
			got, err := os.ReadFile(filepath.Join(root, ".palhm/staging", copy1, fmt.Sprintf("%d/%d", object, round)))
			if round%3 == 2 {
				if !errors.Is(err, os.ErrNotExist) {
					t.Errorf("object %d/%d of a broken stream: %v", object, round, err)
				}
			} else if err != nil || !bytes.Equal(got, content(object, round)) {
				t.Errorf("object %d/%d: got %d bytes, other ones than were read, %v", object, round, len(got), err)
			}
		}
	}
	if err := c.Abort(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestRefusedBlockFails: what O_DIRECT refuses and the page cache cannot take either
// is a failure, also where space was reserved that would hide the gap.
func TestRefusedBlockFails(t *testing.T) {
	writes := 0
	s := newStoreWith(t, localfs.Options{Root: mountImage(t, "ext4", 64<<20), BlockSize: 4096, Fault: func(op, path string) error {
		if op != "write" || filepath.Base(path) != "a" {
			return nil
		}
		switch writes++; writes {
		case 3:
			return unix.EINVAL
		case 4:
			return unix.ENOSPC
		}
		return nil
	}})
	c := mustBegin(t, s, copy1)
	defer c.Abort(context.Background())
	_, err := backends.Put(t.Context(), c, "a", bytes.NewReader(randomBytes(10*4096)), 20*4096)
	if !errors.Is(err, unix.ENOSPC) {
		t.Errorf("got %v, want ENOSPC", err)
	}
}

// TestFailureOfASlowStream: a disk that is full is told of at once, and not when the
// next bytes come.
func TestFailureOfASlowStream(t *testing.T) {
	s := newStoreWith(t, localfs.Options{Root: t.TempDir(), BlockSize: 4096, Fault: func(op, path string) error {
		if op == "write" && filepath.Base(path) == "a" {
			return unix.ENOSPC
		}
		return nil
	}})
	c := mustBegin(t, s, copy1)
	defer c.Abort(context.Background())
	r := &stalled{Reader: bytes.NewReader(randomBytes(4096 + 1)), closed: make(chan struct{})}
	_, err := backends.Put(t.Context(), c, "a", r, 0)
	wantError(t, err, "store", "staging/"+copy1+"/a", "no space left on device")
	select {
	case <-r.closed:
	default:
		t.Error("the failure was told of when the stream went on")
	}
}

// stalled is a stream that yields nothing more for a long time, unless it is closed.
type stalled struct {
	io.Reader
	closed chan struct{}
}

func (s *stalled) Read(b []byte) (int, error) {
	n, err := s.Reader.Read(b)
	if err != io.EOF {
		return n, err
	}
	select {
	case <-s.closed:
		return 0, errors.New("closed")
	case <-time.After(30 * time.Second):
		return 0, io.EOF
	}
}

func (s *stalled) Close() error {
	close(s.closed)
	return nil
}

// TestLargeObjectLeavesPageCache: a copy does not push out what the host works with.
func TestLargeObjectLeavesPageCache(t *testing.T) {
	for fstype, size := range map[string]int64{"ext4": 64 << 20, "xfs": 300 << 20} {
		t.Run(fstype, func(t *testing.T) { leavesPageCache(t, mountImage(t, fstype, size)) })
	}
}

func leavesPageCache(t *testing.T, root string) {
	c := mustBegin(t, newStore(t, root), copy1)
	defer c.Abort(context.Background())
	if _, err := backends.Put(t.Context(), c, "a", bytes.NewReader(randomBytes(16<<20+1)), 0); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(root, ".palhm/staging", copy1, "a"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := unix.Mmap(int(f.Fd()), 0, 16<<20, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(b) //nolint:errcheck
	pages := make([]byte, len(b)/os.Getpagesize())
	if _, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), uintptr(unsafe.Pointer(&pages[0]))); errno != 0 {
		t.Fatal(errno)
	}
	resident := 0
	for _, p := range pages {
		resident += int(p & 1)
	}
	if resident > len(pages)/10 {
		t.Errorf("%d of %d pages of the object are in the page cache", resident, len(pages))
	}
}

// TestWriteFailsInTheMiddle of an object of many blocks: the error names the file, the
// stream is not read to its end, nothing is left, and the path can be stored again.
func TestWriteFailsInTheMiddle(t *testing.T) {
	const blocks, block = 12, 4096
	for at := 1; at <= blocks; at++ {
		o := options(t.TempDir())
		o.BlockSize = block
		writes := 0
		o.Fault = func(op, path string) error {
			if op == "write" && filepath.Base(path) == "a" {
				if writes++; writes == at {
					return unix.EIO
				}
			}
			return nil
		}
		s := newStoreWith(t, o)
		c := mustBegin(t, s, copy1)
		r := bytes.NewReader(randomBytes(blocks * block))
		_, err := backends.Put(t.Context(), c, "a", r, 0)
		if !errors.Is(err, unix.EIO) {
			t.Fatalf("write %d failed: got %v", at, err)
		}
		wantError(t, err, "write", "staging/"+copy1+"/a")
		if read := blocks*block - r.Len(); read > (at+1)*block {
			t.Errorf("write %d failed, and %d blocks were read", at, read/block)
		}
		if _, err := os.Lstat(filepath.Join(o.Root, ".palhm/staging", copy1, "a")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("write %d failed, and the object is there: %v", at, err)
		}
		rec, err := put(t.Context(), c, "a", string(randomBytes(blocks*block)))
		if err != nil {
			t.Fatal(err)
		}
		if err := backends.Commit(t.Context(), c, manifest(copy1, rec)); err != nil {
			t.Fatal(err)
		}
		wantWhole(t, s, copy1)
	}
}

// TestFullDiskInTheMiddle of a large object, on a file system with O_DIRECT.
func TestFullDiskInTheMiddle(t *testing.T) {
	root := mountImage(t, "ext4", 32<<20)
	s := newStore(t, root)
	c := mustBegin(t, s, copy1)
	_, err := backends.Put(t.Context(), c, "d/a", bytes.NewReader(make([]byte, 64<<20)), 0)
	wantError(t, err, "no space left on device", "d/a")
	rec, err := put(t.Context(), c, "d/a", strings.Repeat("x", 4<<20+1))
	if err != nil {
		t.Fatalf("repeated put: %v", err)
	}
	if err := backends.Commit(t.Context(), c, manifest(copy1, rec)); err != nil {
		t.Fatal(err)
	}
	wantWhole(t, s, copy1)
}

// TestStreamFailsInTheMiddle: whatever was written of it is gone when Put returns, and
// the failure is the stream's.
func TestStreamFailsInTheMiddle(t *testing.T) {
	broken := errors.New("broken")
	for _, n := range fillSizes {
		o := options(t.TempDir())
		o.BlockSize = 4096
		c := mustBegin(t, newStoreWith(t, o), copy1)
		_, err := backends.Put(t.Context(), c, "a", io.MultiReader(bytes.NewReader(randomBytes(n)), iotest.ErrReader(broken)), 0)
		if !errors.Is(err, broken) {
			t.Errorf("the stream broke after %d bytes: got %v", n, err)
		}
		if _, err := os.Lstat(filepath.Join(o.Root, ".palhm/staging", copy1, "a")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the stream broke after %d bytes, and the object is there: %v", n, err)
		}
		if err := c.Abort(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
