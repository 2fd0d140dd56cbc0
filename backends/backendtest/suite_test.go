package backendtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"palhm/backends"
	"palhm/backends/localfs"
)

// recorder runs a check and keeps its failures to itself.
type recorder struct {
	testing.TB
	failed []string
}

type stop struct{}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.failed = append(r.failed, fmt.Sprintf(format, args...))
}
func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	panic(stop{})
}

func (r *recorder) run(k check, c Config) {
	defer func() {
		if p := recover(); p != nil && p != (stop{}) {
			panic(p)
		}
	}()
	k.run(r, c)
}

// broken is a good store with one bug, put in by hooks that may be nil.
type broken struct {
	backends.Store
	begin    func(ctx context.Context, prefix string) (backends.Copy, error)
	list     func(ctx context.Context) ([]backends.Info, error)
	open     func(ctx context.Context, prefix, path string) (io.ReadCloser, error)
	remove   func(ctx context.Context, prefix string) error
	recovers func(ctx context.Context) error
	wrap     func(prefix string, c backends.Copy) backends.Copy
}

func (b *broken) Begin(ctx context.Context, prefix string) (backends.Copy, error) {
	begin := b.Store.Begin
	if b.begin != nil {
		begin = b.begin
	}
	c, err := begin(ctx, prefix)
	if err == nil && b.wrap != nil {
		c = b.wrap(prefix, c)
	}
	return c, err
}

func (b *broken) List(ctx context.Context) ([]backends.Info, error) {
	if b.list != nil {
		return b.list(ctx)
	}
	return b.Store.List(ctx)
}

func (b *broken) Open(ctx context.Context, prefix, path string) (io.ReadCloser, error) {
	if b.open != nil {
		return b.open(ctx, prefix, path)
	}
	return b.Store.Open(ctx, prefix, path)
}

func (b *broken) Remove(ctx context.Context, prefix string) error {
	if b.remove != nil {
		return b.remove(ctx, prefix)
	}
	return b.Store.Remove(ctx, prefix)
}

func (b *broken) Recover(ctx context.Context) error {
	if b.recovers != nil {
		return b.recovers(ctx)
	}
	return b.Store.Recover(ctx)
}

// brokenCopy is a good copy with one bug.
type brokenCopy struct {
	backends.Copy
	put    func(ctx context.Context, path string, r io.Reader, hint int64) (int64, error)
	commit func(ctx context.Context, m *backends.Manifest) error
	abort  func(ctx context.Context) error
}

func (b *brokenCopy) Put(ctx context.Context, path string, r io.Reader, hint int64) (int64, error) {
	if b.put != nil {
		return b.put(ctx, path, r, hint)
	}
	return b.Copy.Put(ctx, path, r, hint)
}

func (b *brokenCopy) Commit(ctx context.Context, m *backends.Manifest) error {
	if b.commit != nil {
		return b.commit(ctx, m)
	}
	return b.Copy.Commit(ctx, m)
}

func (b *brokenCopy) Abort(ctx context.Context) error {
	if b.abort != nil {
		return b.abort(ctx)
	}
	return b.Copy.Abort(ctx)
}

// swallow turns a stream's failure into its end.
type swallow struct{ r io.Reader }

func (s swallow) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil {
		err = io.EOF
	}
	return n, err
}

// bugs are what the suite has to notice, each with a store that has it.
var bugs = map[string]func(s backends.Store) *broken{
	"abort publishes": onCopy(func(s backends.Store, prefix string, c backends.Copy) *brokenCopy {
		return &brokenCopy{abort: func(ctx context.Context) error { return errors.Join(c.Commit(ctx, manifest(prefix)), c.Abort(ctx)) }}
	}),
	"abort fails the second time": onCopy(func(s backends.Store, prefix string, c backends.Copy) *brokenCopy {
		aborted := false
		return &brokenCopy{abort: func(ctx context.Context) error {
			if aborted {
				return errors.New("aborted already")
			}
			aborted = true
			return c.Abort(ctx)
		}}
	}),
	"abort removes what was committed": onCopy(func(s backends.Store, prefix string, c backends.Copy) *brokenCopy {
		return &brokenCopy{abort: func(ctx context.Context) error { return errors.Join(c.Abort(ctx), s.Remove(ctx, prefix)) }}
	}),
	"abort does nothing": onCopy(func(s backends.Store, prefix string, c backends.Copy) *brokenCopy {
		return &brokenCopy{abort: func(ctx context.Context) error { return nil }}
	}),
	"commit after abort succeeds": onCopy(func(s backends.Store, prefix string, c backends.Copy) *brokenCopy {
		return &brokenCopy{commit: func(ctx context.Context, m *backends.Manifest) error { _ = c.Commit(ctx, m); return nil }}
	}),
	"put swallows the reader's error": onCopy(func(s backends.Store, prefix string, c backends.Copy) *brokenCopy {
		return &brokenCopy{put: func(ctx context.Context, path string, r io.Reader, hint int64) (int64, error) {
			return c.Put(ctx, path, swallow{r}, hint)
		}}
	}),
	"put hides the reader's error": onCopy(func(s backends.Store, prefix string, c backends.Copy) *brokenCopy {
		return &brokenCopy{put: func(ctx context.Context, path string, r io.Reader, hint int64) (int64, error) {
			n, err := c.Put(ctx, path, r, hint)
			if err != nil {
				err = fmt.Errorf("put failed: %v", err)
			}
			return n, err
		}}
	}),
	"put reports the error and leaves what it had": onCopy(func(s backends.Store, prefix string, c backends.Copy) *brokenCopy {
		return &brokenCopy{put: func(ctx context.Context, path string, r io.Reader, hint int64) (int64, error) {
			kept := &keepErr{r: r}
			n, err := c.Put(ctx, path, kept, hint)
			return n, errors.Join(err, kept.err)
		}}
	}),
	"put loses the last byte": onCopy(func(s backends.Store, prefix string, c backends.Copy) *brokenCopy {
		return &brokenCopy{put: func(ctx context.Context, path string, r io.Reader, hint int64) (int64, error) {
			data, err := io.ReadAll(r)
			if err != nil {
				return 0, err
			}
			_, err = c.Put(ctx, path, strings.NewReader(string(data[:max(0, len(data)-1)])), hint)
			return int64(len(data)), err
		}}
	}),
	"put stops before the end": onCopy(func(s backends.Store, prefix string, c backends.Copy) *brokenCopy {
		return &brokenCopy{put: func(ctx context.Context, path string, r io.Reader, hint int64) (int64, error) {
			return c.Put(ctx, path, io.LimitReader(r, 60_000), hint)
		}}
	}),
	"put reads on after the end": onCopy(func(s backends.Store, prefix string, c backends.Copy) *brokenCopy {
		return &brokenCopy{put: func(ctx context.Context, path string, r io.Reader, hint int64) (int64, error) {
			n, err := c.Put(ctx, path, r, hint)
			if err == nil {
				_, _ = r.Read(make([]byte, 1))
			}
			return n, err
		}}
	}),
	"put believes the hint": onCopy(func(s backends.Store, prefix string, c backends.Copy) *brokenCopy {
		return &brokenCopy{put: func(ctx context.Context, path string, r io.Reader, hint int64) (int64, error) {
			if hint > 0 {
				r = io.LimitReader(r, hint)
			}
			return c.Put(ctx, path, r, hint)
		}}
	}),
	"put ignores the context": onCopy(func(s backends.Store, prefix string, c backends.Copy) *brokenCopy {
		return &brokenCopy{put: func(ctx context.Context, path string, r io.Reader, hint int64) (int64, error) {
			return c.Put(context.WithoutCancel(ctx), path, io.LimitReader(r, 1<<22), hint)
		}}
	}),
	"put cannot be repeated": onCopy(func(s backends.Store, prefix string, c backends.Copy) *brokenCopy {
		tried := map[string]bool{}
		return &brokenCopy{put: func(ctx context.Context, path string, r io.Reader, hint int64) (int64, error) {
			if strings.HasPrefix(path, "d/") && tried[path] {
				return 0, fs.ErrExist
			}
			tried[path] = true
			return c.Put(ctx, path, r, hint)
		}}
	}),
	"put flattens paths": onCopy(func(s backends.Store, prefix string, c backends.Copy) *brokenCopy {
		return &brokenCopy{put: func(ctx context.Context, path string, r io.Reader, hint int64) (int64, error) {
			return c.Put(ctx, strings.ReplaceAll(path, "/", "_"), r, hint)
		}}
	}),
	"commit forgets its manifest": onCopy(func(s backends.Store, prefix string, c backends.Copy) *brokenCopy {
		return &brokenCopy{commit: func(ctx context.Context, m *backends.Manifest) error {
			return c.Commit(ctx, manifest(prefix))
		}}
	}),
	"commit stops when cancelled": onCopy(func(s backends.Store, prefix string, c backends.Copy) *brokenCopy {
		return &brokenCopy{commit: func(ctx context.Context, m *backends.Manifest) error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return c.Commit(ctx, m)
		}}
	}),
	"begin takes a name twice": func(s backends.Store) *broken {
		return &broken{begin: func(ctx context.Context, prefix string) (backends.Copy, error) {
			_ = s.Remove(ctx, prefix)
			return s.Begin(ctx, prefix)
		}}
	},
	"begin takes any name": func(s backends.Store) *broken {
		return &broken{begin: func(ctx context.Context, prefix string) (backends.Copy, error) {
			if c, err := s.Begin(ctx, prefix); err == nil || errors.Is(err, backends.ErrPrefixTaken) {
				return c, err
			}
			return &brokenCopy{abort: func(context.Context) error { return nil }}, nil
		}}
	},
	"list shows open copies": func(s backends.Store) *broken {
		return &broken{list: func(ctx context.Context) ([]backends.Info, error) {
			infos, err := s.List(ctx)
			entries, _ := os.ReadDir(filepath.Join(s.Root(), ".palhm/staging"))
			for _, e := range entries {
				infos = append(infos, backends.Info{Prefix: e.Name()})
			}
			return infos, err
		}}
	},
	"list sorts as strings": func(s backends.Store) *broken {
		return &broken{list: func(ctx context.Context) ([]backends.Info, error) {
			infos, err := s.List(ctx)
			slices.SortFunc(infos, func(a, b backends.Info) int { return strings.Compare(a.Prefix, b.Prefix) })
			return infos, err
		}}
	},
	"list leaves damaged copies out": func(s backends.Store) *broken {
		return &broken{list: func(ctx context.Context) ([]backends.Info, error) {
			infos, err := s.List(ctx)
			return slices.DeleteFunc(infos, func(i backends.Info) bool { return i.Damage != nil }), err
		}}
	},
	"list does not know foreign copies": func(s backends.Store) *broken {
		return &broken{list: func(ctx context.Context) ([]backends.Info, error) {
			infos, err := s.List(ctx)
			return slices.DeleteFunc(infos, func(i backends.Info) bool { return i.Foreign }), err
		}}
	},
	"list counts every directory": func(s backends.Store) *broken {
		return &broken{list: func(ctx context.Context) ([]backends.Info, error) {
			infos, err := s.List(ctx)
			if _, e := os.Stat(filepath.Join(s.Root(), "1999")); e == nil {
				infos = append([]backends.Info{{Prefix: "1999"}}, infos...)
			}
			return infos, err
		}}
	},
	"open of what is not there": func(s backends.Store) *broken {
		return &broken{open: func(ctx context.Context, prefix, path string) (io.ReadCloser, error) {
			r, err := s.Open(ctx, prefix, path)
			if errors.Is(err, fs.ErrNotExist) {
				return io.NopCloser(strings.NewReader("")), nil
			}
			return r, err
		}}
	},
	"open says failed and not why": func(s backends.Store) *broken {
		return &broken{open: func(ctx context.Context, prefix, path string) (io.ReadCloser, error) {
			r, err := s.Open(ctx, prefix, path)
			if err != nil {
				return nil, errors.New("failed")
			}
			return r, nil
		}}
	},
	"open joins any path": func(s backends.Store) *broken {
		return &broken{open: func(ctx context.Context, prefix, path string) (io.ReadCloser, error) {
			if strings.HasPrefix(path, "..") || strings.HasPrefix(prefix, "..") {
				return io.NopCloser(strings.NewReader("")), nil
			}
			return s.Open(ctx, prefix, path)
		}}
	},
	"remove fails when nothing is there": func(s backends.Store) *broken {
		return &broken{remove: func(ctx context.Context, prefix string) error {
			infos, _ := s.List(ctx)
			if !slices.ContainsFunc(infos, func(i backends.Info) bool { return i.Prefix == prefix }) {
				return fs.ErrNotExist
			}
			return s.Remove(ctx, prefix)
		}}
	},
	"remove does nothing": func(s backends.Store) *broken {
		return &broken{remove: func(ctx context.Context, prefix string) error { return nil }}
	},
	"remove takes any name": func(s backends.Store) *broken {
		return &broken{remove: func(ctx context.Context, prefix string) error { _ = s.Remove(ctx, prefix); return nil }}
	},
	"remove takes its neighbours": func(s backends.Store) *broken {
		return &broken{remove: func(ctx context.Context, prefix string) error {
			return errors.Join(s.Remove(ctx, prefix), os.RemoveAll(filepath.Join(s.Root(), "lost+found")))
		}}
	},
	"remove takes everything older": func(s backends.Store) *broken {
		return &broken{remove: func(ctx context.Context, prefix string) error {
			infos, _ := s.List(ctx)
			for _, i := range infos {
				_ = s.Remove(ctx, i.Prefix)
				if i.Prefix == prefix {
					break
				}
			}
			return nil
		}}
	},
	"remove takes open copies": func(s backends.Store) *broken {
		return &broken{remove: func(ctx context.Context, prefix string) error {
			return errors.Join(s.Remove(ctx, prefix), os.RemoveAll(filepath.Join(s.Root(), ".palhm/staging", prefix)))
		}}
	},
	"recover does nothing": func(s backends.Store) *broken {
		return &broken{recovers: func(context.Context) error { return nil }}
	},
	"recover removes committed copies": func(s backends.Store) *broken {
		return &broken{recovers: func(ctx context.Context) error {
			infos, _ := s.List(ctx)
			for _, i := range infos {
				_ = s.Remove(ctx, i.Prefix)
			}
			return s.Recover(ctx)
		}}
	},
}

// onCopy makes a store whose copies have a bug.
func onCopy(wrap func(s backends.Store, prefix string, c backends.Copy) *brokenCopy) func(backends.Store) *broken {
	return func(s backends.Store) *broken {
		return &broken{wrap: func(prefix string, c backends.Copy) backends.Copy {
			b := wrap(s, prefix, c)
			b.Copy = c
			return b
		}}
	}
}

// keepErr hides the error of a stream and remembers it.
type keepErr struct {
	r   io.Reader
	err error
}

func (k *keepErr) Read(p []byte) (int, error) {
	n, err := k.r.Read(p)
	if err != nil && err != io.EOF {
		k.err, err = err, io.EOF
	}
	return n, err
}

// TestSuiteFindsBugs breaks a good store in many ways. The suite has to see each.
func TestSuiteFindsBugs(t *testing.T) {
	for name, bug := range bugs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failed := runSuite(t, func(s backends.Store) backends.Store {
				b := bug(s)
				b.Store = s
				return b
			})
			if len(failed) == 0 {
				t.Fatal("no check noticed it")
			}
			t.Log(failed[0])
		})
	}
}

// TestSuiteAcceptsGoodStore: what the broken stores are made of has no bug.
func TestSuiteAcceptsGoodStore(t *testing.T) {
	for _, f := range runSuite(t, func(s backends.Store) backends.Store { return &broken{Store: s} }) {
		t.Error(f)
	}
}

// TestSuiteFindsBadLocks: a lock that is none, and one that refuses its own process.
func TestSuiteFindsBadLocks(t *testing.T) {
	for name, wrap := range map[string]func(*localfs.Store) backends.Store{
		"takes no lock":           func(s *localfs.Store) backends.Store { return freeLock{s} },
		"refuses its own process": func(s *localfs.Store) backends.Store { return strictLock{s} },
	} {
		if len(runSuite(t, func(s backends.Store) backends.Store { return wrap(s.(*localfs.Store)) })) == 0 {
			t.Errorf("no check noticed a lock that %s", name)
		}
	}
}

type freeLock struct{ backends.Store }

func (freeLock) Lock(context.Context, backends.Owner, time.Duration) (func() error, error) {
	return func() error { return nil }, nil
}

type strictLock struct{ *localfs.Store }

func (s strictLock) Lock(ctx context.Context, o backends.Owner, wait time.Duration) (func() error, error) {
	o.Host += fmt.Sprint(time.Now().UnixNano())
	return s.Store.Lock(ctx, o, wait)
}

// runSuite runs all checks on a wrapped local store, and returns what failed.
func runSuite(t *testing.T, wrap func(backends.Store) backends.Store) (failed []string) {
	t.Helper()
	open := func(t testing.TB, root string) backends.Store {
		s, err := localfs.New(localfs.Options{Root: root})
		if err != nil {
			t.Fatalf("%v", err)
		}
		return wrap(s)
	}
	c := Config{
		Objects: 20,
		New:     func(t testing.TB) backends.Store { return open(t, t.TempDir()) },
		Reopen:  func(t testing.TB, s backends.Store) backends.Store { return open(t, s.Root()) },
		Plant: func(t testing.TB, s backends.Store, path, content string) {
			full := filepath.Join(s.Root(), path)
			if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o755), os.WriteFile(full, []byte(content), 0o644)); err != nil {
				t.Fatalf("%v", err)
			}
		},
		Peek: func(t testing.TB, s backends.Store, path string) (string, bool) {
			data, err := os.ReadFile(filepath.Join(s.Root(), path))
			return string(data), err == nil
		},
	}
	for _, k := range checks() {
		r := &recorder{TB: t}
		r.run(k, c)
		for _, f := range r.failed {
			failed = append(failed, k.name+": "+f)
		}
		if len(failed) > 0 {
			return failed
		}
	}
	return nil
}
