// Package localfs keeps copies in a directory of the host: a disk, or whatever is
// mounted there. The layout on disk is described in backends/README.md.
//
// Below ROOT everything is reached by single names in open directories (the *at
// calls of open(2), rename(2) and unlink(2)), and no symbolic link is followed,
// not even one that stays inside. ROOT itself, and what lies above it, may be
// symbolic links: that is the administrator's choice.
package localfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"time"

	"palhm/backends"
	"palhm/runtime/plan"
)

// Defaults of Options. With blocks of 1 MiB a disk is busy enough; larger ones were
// not faster.
const (
	DefaultDirMode   plan.Mode = 0o750
	DefaultFileMode  plan.Mode = 0o640
	DefaultBlockSize           = 1 << 20
	DefaultPatience            = 3 * time.Second

	maxBlockSize = 1 << 30
)

// Options describe a root.
type Options struct {
	Root     string    // a directory; it need not exist
	DirMode  plan.Mode // of ROOT, when it is made, and of every directory of a copy; the owner's rwx is added; 0 = DefaultDirMode
	FileMode plan.Mode // of every file of a copy, with the owner's right to read; 0 = DefaultFileMode

	// BlockSize is how many bytes of a stream are written at a time; 0 =
	// DefaultBlockSize. An object that is larger takes two blocks of memory. When it
	// is no multiple of 4096, everything is written through the page cache.
	BlockSize int64

	// RequireMount refuses a root that no mounted file system but that of "/"
	// holds: some mount point other than "/" has to be ROOT or a directory above
	// it. ROOT is opened first, so that an automounter (autofs) mounts its disk.
	// So the mount point of a disk that is not there is refused when it lies
	// on the root file system, and nothing is made in it. An empty mount point on
	// a file system that is itself mounted (/home/disk on a mounted /home) cannot
	// be told from a directory: let ROOT be below the mount point of its own disk.
	RequireMount bool

	// Patience is how long a call goes on once its context has ended, or nobody wants to
	// wait any longer. Then it is left to itself: on a file system that is silent it
	// could last for ever. A Put has twenty times as long. 0 = DefaultPatience.
	Patience time.Duration

	// Fault, when set, is asked before every change to the file system and makes
	// it fail. Tests use it for what no file system does on demand.
	Fault func(op, path string) error
}

// Store is a root. It holds nothing open between calls.
type Store struct {
	root   string // absolute, clean
	opt    Options
	blocks sync.Pool // of *[]byte, see newBlock
}

var (
	_ backends.Store  = (*Store)(nil)
	_ backends.Locker = (*Store)(nil)
	_ backends.Finder = (*Store)(nil)
	_ backends.Copy   = (*Copy)(nil)
	_ backends.Warner = (*Copy)(nil)
)

// New describes a store. It touches no file.
func New(o Options) (*Store, error) {
	if o.Root == "" {
		return nil, errors.New("localfs: root is empty, want a directory")
	}
	root, err := filepath.Abs(o.Root)
	if err != nil {
		return nil, fmt.Errorf("localfs %s: %w", o.Root, err)
	}
	if o.DirMode == 0 {
		o.DirMode = DefaultDirMode
	}
	if o.FileMode == 0 {
		o.FileMode = DefaultFileMode
	}
	if o.Patience == 0 {
		o.Patience = DefaultPatience
	}
	if o.BlockSize == 0 {
		o.BlockSize = DefaultBlockSize
	}
	switch {
	case o.DirMode > 0o777 || o.FileMode > 0o777:
		return nil, fmt.Errorf("localfs %s: got modes %s and %s, want permission bits, such as 750", root, o.DirMode, o.FileMode)
	case o.FileMode&0o400 == 0:
		return nil, fmt.Errorf("localfs %s: got file mode %s, want one with which the owner can read, such as 640", root, o.FileMode)
	case o.BlockSize < 0 || o.BlockSize > maxBlockSize:
		return nil, fmt.Errorf("localfs %s: got block size %d, want 1 to %d bytes", root, o.BlockSize, maxBlockSize)
	}
	o.DirMode |= 0o700
	s := &Store{root: root, opt: o}
	s.blocks.New = func() any {
		b := newBlock(o.BlockSize)
		return &b
	}
	return s, nil
}

// Root is the directory, absolute.
func (s *Store) Root() string { return s.root }

// Find looks whether ROOT is there.
func (s *Store) Find(ctx context.Context) error {
	return awaitDone(ctx, s.opt.Patience, s.find)
}

func (s *Store) find() error {
	root, err := s.openRoot()
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("find the root: %w: mount its disk, or make a first copy", err)
	}
	if err != nil {
		return fmt.Errorf("find the root: %w", err)
	}
	return root.close()
}

// openRoot opens ROOT as it is. The error wraps fs.ErrNotExist when there is none.
func (s *Store) openRoot() (*dir, error) {
	d, err := s.open(s.root)
	if s.opt.RequireMount && errors.Is(err, fs.ErrNotExist) {
		// The mount point of a disk that is not there is no root without copies.
		if err := s.checkAbove(s.root); err != nil {
			return nil, err
		}
	}
	return d, err
}

// open opens a directory by its path, if it is where a root may be.
func (s *Store) open(path string) (*dir, error) {
	d, err := openPath(path, s.opt.Fault)
	if err != nil {
		return nil, err
	}
	if err := s.checkMount(d); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

// makeRoot opens ROOT, and makes it and what is missing above it.
func (s *Store) makeRoot() (*dir, error) { return s.makePath(s.root) }

func (s *Store) makePath(path string) (*dir, error) {
	d, err := s.open(path)
	if !errors.Is(err, fs.ErrNotExist) || path == "/" {
		return d, err
	}
	parent, err := s.makePath(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer parent.close()
	err = parent.mkdir(filepath.Base(path), s.opt.DirMode)
	if errors.Is(err, errNoModes) || errors.Is(err, fs.ErrExist) { // made by somebody else just now
		err = nil
	}
	if err == nil {
		err = parent.sync()
	}
	if err != nil {
		return nil, err
	}
	return s.open(path)
}

// checkCopyName refuses a name that no copy has, before it reaches the file system.
func checkCopyName(ctx context.Context, prefix string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	_, _, err := backends.ParsePrefix(prefix)
	return err
}
