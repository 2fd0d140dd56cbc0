package player

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"palhm/backends"
	"palhm/runtime/plan"
)

// store is a root that keeps the sizes of its copies.
type store struct {
	backend plan.Backend
	now     func() time.Time
	put     func(path string)
	copies  []backends.Info // the oldest first
}

var _ backends.Keeper = (*store)(nil)

// open gives the store of a backend, the same for the same root.
func (w *world) open(b plan.Backend) (backends.Store, error) {
	if w.stores[b.Root()] == nil {
		made := func(path string) { w.out.Objects = append(w.out.Objects, path) }
		w.stores[b.Root()] = &store{backend: b, now: w.Now, put: made}
	}
	return w.stores[b.Root()], nil
}

// Root names the backend's root.
func (s *store) Root() string { return s.backend.Root() }

// Recover finds nothing to do.
func (s *store) Recover(context.Context) error { return nil }

// List gives the copies.
func (s *store) List(context.Context) ([]backends.Info, error) { return s.copies, nil }

func (s *store) find(prefix string) int {
	return slices.IndexFunc(s.copies, func(c backends.Info) bool { return c.Prefix == prefix })
}

// Open finds nothing: only sizes are kept.
func (s *store) Open(_ context.Context, prefix, path string) (io.ReadCloser, error) {
	return nil, &fs.PathError{Op: "open", Path: prefix + "/" + path, Err: fs.ErrNotExist}
}

// Remove takes a copy away, unless it is locked.
func (s *store) Remove(ctx context.Context, prefix string) error {
	if err := s.Kept(ctx, prefix); err != nil {
		return err
	}
	if i := s.find(prefix); i >= 0 {
		s.copies = slices.Concat(s.copies[:i], s.copies[i+1:])
	}
	return nil
}

// Kept says until when a lock keeps a copy.
func (s *store) Kept(_ context.Context, prefix string) error {
	i := s.find(prefix)
	if s3 := s.backend.S3; i >= 0 && s3 != nil && s3.LockMode != "" {
		if until := s.copies[i].Time.AddDate(0, 0, s3.LockDays); s.now().Before(until) {
			return &backends.RetainedError{Prefix: prefix, Until: until}
		}
	}
	return nil
}

// Begin starts a copy.
func (s *store) Begin(_ context.Context, prefix string) (backends.Copy, error) {
	if s.find(prefix) >= 0 {
		return nil, fmt.Errorf("begin %s: %w", prefix, backends.ErrPrefixTaken)
	}
	return s, nil // there is nothing of a copy to keep apart
}

// Put counts what an object has.
func (s *store) Put(_ context.Context, path string, r io.Reader, _ int64) (int64, error) {
	n, err := io.Copy(io.Discard, r)
	if err == nil {
		s.put(path)
	}
	return n, err
}

// Commit adds the copy.
func (s *store) Commit(_ context.Context, m *backends.Manifest) error {
	s.copies = append(s.copies, backends.Info{Prefix: m.Prefix, Time: m.Start, Size: m.Size(), Objects: len(m.Objects), Host: m.Host, Task: m.Task})
	return nil
}

// Abort has nothing to remove.
func (*store) Abort(context.Context) error { return nil }
