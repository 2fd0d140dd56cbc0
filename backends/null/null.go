// Package null is a backend that reads everything and keeps nothing. It touches no
// file, so a backup can be tried on a read-only system by any user.
package null

import (
	"context"
	"fmt"
	"io"
	"io/fs"

	"palhm/backends"
)

// Store is a root that keeps nothing, so it has no lock either. The zero value is
// ready to use.
type Store struct{}

var _ backends.Store = Store{}

// Root returns "null".
func (Store) Root() string { return "null" }

// Begin starts a copy; no name is ever taken.
func (Store) Begin(_ context.Context, prefix string) (backends.Copy, error) {
	if _, _, err := backends.ParsePrefix(prefix); err != nil {
		return nil, err
	}
	return discard{}, nil
}

// List returns no copies.
func (Store) List(context.Context) ([]backends.Info, error) { return nil, nil }

// Open finds nothing.
func (Store) Open(_ context.Context, prefix, path string) (io.ReadCloser, error) {
	return nil, fmt.Errorf("open %s of %s: null keeps nothing: %w", path, prefix, fs.ErrNotExist)
}

// Remove removes nothing.
func (Store) Remove(_ context.Context, prefix string) error {
	_, _, err := backends.ParsePrefix(prefix)
	return err
}

// Recover finds nothing to do.
func (Store) Recover(context.Context) error { return nil }

// discard is a copy of which nothing stays.
type discard struct{}

// Sizes of the buffer of a Put, in bytes: most objects of a rehearsal are small, and
// a stream that is not gets the second.
const (
	firstBuffer = 4 << 10
	laterBuffer = 256 << 10
)

// Put reads r to its end and counts.
func (discard) Put(ctx context.Context, _ string, r io.Reader, _ int64) (n int64, err error) {
	buffer := make([]byte, firstBuffer)
	for {
		if ctx.Err() != nil {
			return n, context.Cause(ctx)
		}
		got, err := r.Read(buffer)
		n += int64(got)
		switch {
		case err == io.EOF:
			return n, nil
		case err != nil:
			return n, err
		case got == len(buffer) && got < laterBuffer:
			buffer = make([]byte, laterBuffer)
		}
	}
}

// Commit keeps nothing.
func (discard) Commit(context.Context, *backends.Manifest) error { return nil }

// Abort has nothing to remove.
func (discard) Abort(context.Context) error { return nil }
