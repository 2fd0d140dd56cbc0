package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"palhm/backends"
	"palhm/runtime/fault"
	"palhm/runtime/plan"
)

// lookers is how many copies are looked at at the same time.
const lookers = 8

// errCircle ends a listing whose pages name each other.
var errCircle = errors.New("the list goes on and on, with pages that the store has given before")

// eachPage lists what is below a key, page by page.
func (s *Store) eachPage(ctx context.Context, below, delimiter string, f func(*s3.ListObjectsV2Output) error) error {
	c, err := s.api(ctx)
	if err != nil {
		return err
	}
	in := &s3.ListObjectsV2Input{Bucket: &c.bucket, Prefix: &below, Delimiter: optional(delimiter), EncodingType: types.EncodingTypeUrl}
	asked := map[string]bool{}
	for {
		out, err := c.ListObjectsV2(ctx, in)
		if err != nil {
			return failed(ctx, "list "+s.url(below), err)
		}
		if err := f(out); err != nil {
			return err
		}
		if !aws.ToBool(out.IsTruncated) {
			return nil
		}
		in.ContinuationToken = out.NextContinuationToken
		if asked[*in.ContinuationToken] {
			return fmt.Errorf("list %s: %w", s.url(below), errCircle)
		}
		asked[*in.ContinuationToken] = true
	}
}

// eachObject lists the objects below a key.
func (s *Store) eachObject(ctx context.Context, below string, f func(types.Object) error) error {
	return s.eachPage(ctx, below, "", func(page *s3.ListObjectsV2Output) error {
		for _, o := range page.Contents {
			if err := f(o); err != nil {
				return err
			}
		}
		return nil
	})
}

// names lists what in ROOT has the name of a copy.
func (s *Store) names(ctx context.Context) (names []string, err error) {
	root := s.key("")
	err = s.eachPage(ctx, root, "/", func(page *s3.ListObjectsV2Output) error {
		for _, p := range page.CommonPrefixes {
			name := strings.TrimSuffix(strings.TrimPrefix(aws.ToString(p.Prefix), root), "/")
			if _, _, err := backends.ParsePrefix(name); err == nil {
				names = append(names, name)
			}
		}
		return nil
	})
	return names, err
}

// state is what the keys below PREFIX/.palhm say of a copy.
type state struct {
	open, manifest   *types.Object // nil = not there
	finish, finished bool
	any              bool // something is below .palhm
}

// committed: the manifest is the last key to be written and the first to go.
func (st *state) committed() bool { return st.manifest != nil }

// carried: another program has put the manifest there, or a run that was taken for dead.
func (st *state) carried() bool { return st.open == nil || isRemoved(*st.open) }

// isRemoved reports whether an open.json is the mark of a copy that was removed.
func isRemoved(open types.Object) bool { return aws.ToInt64(open.Size) == int64(len(removedMark)) }

// look reads the state of a copy from its keys.
func (s *Store) look(ctx context.Context, prefix string) (*state, error) {
	st := &state{}
	below := s.key(prefix + "/")
	err := s.eachPage(ctx, below+stateDir, "", func(page *s3.ListObjectsV2Output) error {
		for _, o := range page.Contents {
			st.any = true
			switch strings.TrimPrefix(aws.ToString(o.Key), below) {
			case openPath:
				st.open = &o
			case backends.ManifestPath:
				st.manifest = &o
			case finishPath:
				st.finish = true
			case finishedPath:
				st.finished = true
			}
		}
		return nil
	})
	return st, err
}

// lookAll looks at several copies at a time.
func (s *Store) lookAll(ctx context.Context, names []string, f func(name string, st *state) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	slots := make(chan struct{}, lookers)
	var wg sync.WaitGroup
	for _, name := range names {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := s.lookAt(ctx, name, f); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

func (s *Store) lookAt(ctx context.Context, name string, f func(name string, st *state) error) (err error) {
	defer fault.Catch(&err)
	st, err := s.look(ctx, name)
	if err != nil {
		return err
	}
	return f(name, st)
}

// List returns the committed copies and those of the Python program. A listing that does
// not show the copy that was just committed here lags behind, and is asked for again.
func (s *Store) List(ctx context.Context) (found []backends.Info, err error) {
	fresh := s.takeFresh()
	for try, start := 1, time.Now(); ; try++ {
		found, err = s.listOnce(ctx)
		if err != nil || fresh == "" || isWhole(found, fresh) || time.Since(start) > settleTime || try >= s.opt.Attempts {
			return found, err
		}
		if err := s.pause(ctx, try); err != nil {
			return nil, err
		}
	}
}

func isWhole(infos []backends.Info, prefix string) bool {
	return slices.ContainsFunc(infos, func(i backends.Info) bool { return i.Prefix == prefix && i.Damage == nil && !i.Foreign })
}

// expect notes which copy the next List has to show; "" = none.
func (s *Store) expect(prefix string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fresh = prefix
}

func (s *Store) takeFresh() (prefix string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	prefix, s.fresh = s.fresh, ""
	return prefix
}

func (s *Store) listOnce(ctx context.Context) ([]backends.Info, error) {
	names, err := s.names(ctx)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var found []backends.Info
	err = s.lookAll(ctx, names, func(name string, st *state) error {
		info, ok, err := s.describe(ctx, name, st)
		if err != nil || !ok {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		found = append(found, info)
		return nil
	})
	if err != nil {
		return nil, err
	}
	backends.SortInfos(found)
	return found, nil
}

func (s *Store) describe(ctx context.Context, name string, st *state) (info backends.Info, ok bool, err error) {
	t, format, _ := backends.ParsePrefix(name)
	info = backends.Info{Prefix: name, Time: t}
	switch {
	case st.committed():
		info, err = s.readInfo(ctx, info, st)
		return info, err == nil && info.Prefix != "", err
	case st.any || format != plan.PrefixISO:
		return info, false, nil
	}
	return s.describeForeign(ctx, info)
}

// describeForeign describes a copy of the Python program, below which a listing has shown
// no .palhm. That listing may lag behind or be wrong, so another one has to show none
// either, and the two keys one of which everything has that palhm writes are asked for.
func (s *Store) describeForeign(ctx context.Context, info backends.Info) (_ backends.Info, ok bool, err error) {
	below := s.key(info.Prefix + "/")
	own := false
	now, newest := time.Now(), time.Time{}
	err = s.eachPage(ctx, below, "", func(page *s3.ListObjectsV2Output) error {
		if at, ok := awsmiddleware.GetServerTime(page.ResultMetadata); ok {
			now = at
		}
		for _, o := range page.Contents {
			own = own || strings.HasPrefix(aws.ToString(o.Key), below+stateDir)
			info.Size += aws.ToInt64(o.Size)
			info.Objects++
			if at := aws.ToTime(o.LastModified); at.After(newest) {
				newest = at
			}
		}
		return nil
	})
	if err != nil || own || info.Objects == 0 {
		return info, false, err
	}
	info.Foreign = true
	for _, p := range []string{openPath, backends.ManifestPath} {
		there, err := s.isThere(ctx, below+p)
		if isDenied(err) && now.Sub(newest) >= s.deadAfter {
			continue // what is missing can be denied, and no listing lags so far behind
		}
		if err != nil || there {
			return info, false, ignoreDenied(err)
		}
	}
	return info, true, nil
}

func ignoreDenied(err error) error {
	if isDenied(err) {
		return nil
	}
	return err
}

// cached is what a manifest said, which stays true while its ETag does.
type cached struct {
	etag string
	info backends.Info
}

// largeManifest is how many bytes a manifest has that is read by itself.
const largeManifest = 8 << 20

// readInfo reads a manifest. When it has just gone, the Prefix of what is returned
// is empty.
func (s *Store) readInfo(ctx context.Context, info backends.Info, st *state) (backends.Info, error) {
	o := st.manifest
	s.mu.Lock()
	known := s.infos[info.Prefix]
	s.mu.Unlock()
	etag := aws.ToString(o.ETag) + aws.ToTime(o.LastModified).String()
	if known.etag == etag {
		return known.info, nil
	}
	if aws.ToInt64(o.Size) > largeManifest { // one at a time, or several fill the memory
		s.large.Lock()
		defer s.large.Unlock()
	}
	r, err := s.open(ctx, aws.ToString(o.Key))
	if errors.Is(err, fs.ErrNotExist) {
		return backends.Info{}, nil
	}
	if isAnswer(err) && !retryable(err) {
		info.Damage = err // archived, or encrypted with a key that is gone
		return info, nil
	}
	if err != nil {
		return info, err
	}
	defer r.Close()
	m, err := backends.ReadOutline(r, info.Prefix)
	if broken := r.(*reader).broken; broken != nil {
		return info, broken
	}
	if err != nil {
		info.Damage = err
	} else {
		info.Size, info.Objects = m.Size(), len(m.Objects)
		info.Host, info.Task = m.Host, m.Task
	}
	if m != nil {
		s.learn(m)
		if st.carried() {
			if missing, err := s.missing(ctx, m); missing != nil || err != nil {
				return backends.Info{Prefix: info.Prefix, Time: info.Time, Damage: missing}, err
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.infos[info.Prefix] = cached{etag, info}
	return info, nil
}

// missing says what is wrong with a copy that has a manifest and no open.json, or only the
// mark that it was removed, when not everything that the manifest names is there: another
// program is carrying it here, or a host that slept has put the manifest of a copy that
// was removed meanwhile.
func (s *Store) missing(ctx context.Context, m *backends.Manifest) (damage, err error) {
	left := make(map[string]int64, len(m.Objects))
	for _, o := range m.Objects {
		left[s.key(m.Prefix+"/"+o.Path)] = o.Size
	}
	err = s.eachObject(ctx, s.key(m.Prefix+"/"), func(o types.Object) error {
		if left[*o.Key] == *o.Size {
			delete(left, *o.Key)
		}
		return nil
	})
	if err != nil || len(left) == 0 {
		return nil, err
	}
	first := slices.Min(slices.Collect(maps.Keys(left)))
	return fmt.Errorf("%s is not there, or has not the size that the manifest says, and so for %d of %d objects: copy it here again, or remove %s",
		s.url(first), len(left), len(m.Objects), s.url(s.key(m.Prefix+"/"))), nil
}

// learnFrom is the size from which on it helps to know how long an object was the
// last time: the parts of a shorter one have hardly grown.
const learnFrom = 16 << 30

// learn remembers the sizes of large objects.
func (s *Store) learn(m *backends.Manifest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range m.Objects {
		if o.Size >= learnFrom {
			s.sizes[o.Path] = max(s.sizes[o.Path], o.Size)
		}
	}
}

// expected is how long the object at a path may be, or 0.
func (s *Store) expected(p string, hint int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if hint > 0 {
		return hint
	}
	return s.sizes[p]
}

// Open returns the bytes of an object of a committed copy. A connection that breaks
// while it is read is made again.
func (s *Store) Open(ctx context.Context, prefix, p string) (io.ReadCloser, error) {
	if err := checkCopyName(ctx, prefix); err != nil {
		return nil, err
	}
	if err := plan.CheckPath(p); err != nil && p != backends.ManifestPath && p != backends.SumsPath {
		return nil, err
	}
	st, err := s.look(ctx, prefix)
	if err != nil {
		return nil, err
	}
	if !st.committed() && st.any {
		return nil, fmt.Errorf("open %s: the copy is not committed: %w", s.url(s.key(prefix+"/"+p)), fs.ErrNotExist)
	}
	return s.open(ctx, s.key(prefix+"/"+p))
}
