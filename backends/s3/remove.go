package s3

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"palhm/backends"
	"palhm/runtime/plan"
)

// Remove takes the manifest away, in a request of its own, and then all of the copy.
// A copy that the bucket retains stays listed, and the error is a
// *backends.RetainedError.
func (s *Store) Remove(ctx context.Context, prefix string) error {
	if err := checkCopyName(ctx, prefix); err != nil {
		return err
	}
	if err := s.remove(ctx, prefix); err != nil {
		if _, kept := errors.AsType[*backends.RetainedError](err); kept {
			return err
		}
		return fmt.Errorf("remove %s: %w", prefix, err)
	}
	return nil
}

func (s *Store) remove(ctx context.Context, prefix string) error {
	s.expect("") // a copy that goes need not be listed
	st, err := s.look(ctx, prefix)
	if err != nil {
		return err
	}
	_, format, _ := backends.ParsePrefix(prefix)
	switch {
	case st.committed():
		if err := s.checkRetained(ctx, prefix); err != nil {
			return err
		}
	case st.any || format != plan.PrefixISO:
		return nil // no copy, or none yet
	default:
		if there, err := s.exists(ctx, prefix); err != nil || !there {
			return err
		}
	}
	if st.open == nil {
		// What is left when this is cut must be known as garbage, and not be taken
		// for a copy of the Python program.
		open := newRun(s.self())
		open.Garbage = true
		if _, err := s.putObject(ctx, s.key(prefix+"/"+openPath), open.encode(), "", condition{absent: true}); err != nil {
			return err
		}
	}
	var known []string
	if st.committed() {
		known = s.manifestKeys(ctx, prefix)
		if err := s.deleteObject(ctx, s.key(prefix+"/"+backends.ManifestPath)); err != nil {
			return err
		}
	}
	return s.wipe(ctx, prefix, known)
}

// manifestKeys are the keys that a copy's manifest names; none when it cannot be read.
func (s *Store) manifestKeys(ctx context.Context, prefix string) (keys []string) {
	m, err := s.readManifest(ctx, prefix)
	if err != nil {
		return nil
	}
	for _, o := range m.Objects {
		keys = append(keys, s.key(prefix+"/"+o.Path))
	}
	return append(keys, s.key(prefix+"/"+backends.SumsPath))
}

func (s *Store) readManifest(ctx context.Context, prefix string) (*backends.Manifest, error) {
	r, err := s.open(ctx, s.key(prefix+"/"+backends.ManifestPath))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return backends.ReadManifest(r, prefix)
}

// exists reports whether a copy of the Python program has any object.
func (s *Store) exists(ctx context.Context, prefix string) (there bool, err error) {
	err = s.eachObject(ctx, s.key(prefix+"/"), func(types.Object) error { return errStop })
	if err == errStop {
		return true, nil
	}
	return false, err
}

// checkRetained asks for the lock of the manifest: in a bucket with object lock a
// removal would be answered with a yes, and would hide the copy and free nothing.
func (s *Store) checkRetained(ctx context.Context, prefix string) error {
	at, err := s.head(ctx, s.key(prefix+"/"+backends.ManifestPath))
	if err != nil || at == nil {
		return err
	}
	if at.held {
		return &backends.RetainedError{Prefix: prefix}
	}
	if at.locked.After(time.Now()) {
		return &backends.RetainedError{Prefix: prefix, Until: at.locked}
	}
	return nil
}

// wipes is how often a listing is emptied before it is given up: it may lag behind.
const wipes = 5

// wipe removes everything below a copy that has an open.json and no manifest, and
// open.json last, so that what is left when this is cut is still known as garbage.
// known are keys that go also when no listing shows them yet.
func (s *Store) wipe(ctx context.Context, prefix string, known []string) error {
	if err := s.empty(ctx, prefix, known); err != nil {
		return err
	}
	return s.deleteObject(ctx, s.key(prefix+"/"+openPath))
}

// empty removes everything below a copy but its open.json: the uploads first, since an
// upload may become an object until it is aborted.
func (s *Store) empty(ctx context.Context, prefix string, known []string) error {
	open := s.key(prefix + "/" + openPath)
	below := s.key(prefix + "/")
	uploadsErr := s.abortUploads(ctx, below, func(types.MultipartUpload) bool { return true })
	unseen := make(map[string]bool, len(known))
	for _, key := range known {
		unseen[key] = true
	}
	for try := 1; ; try++ {
		gone, err := s.deleteBelow(ctx, below, open, unseen)
		if err != nil {
			return err
		}
		if gone == 0 {
			break
		}
		if try > wipes {
			return fmt.Errorf("delete what is in %s: the store lists it again and again", s.url(below))
		}
		if try > 1 { // the first listing showed what was there
			if err := s.pause(ctx, try-1); err != nil {
				return err
			}
		}
	}
	return errors.Join(uploadsErr, s.deleteAll(ctx, slices.Collect(maps.Keys(unseen))))
}

// deleteAll deletes any number of keys.
func (s *Store) deleteAll(ctx context.Context, keys []string) error {
	for batch := range slices.Chunk(keys, deleteBatch) {
		if err := s.deleteKeys(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// deleteBelow deletes all that is listed below a key but one, and returns how many. It
// takes them out of unseen.
func (s *Store) deleteBelow(ctx context.Context, below, except string, unseen map[string]bool) (gone int, err error) {
	var batch []string
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		err := s.deleteKeys(ctx, batch)
		gone += len(batch)
		batch = batch[:0]
		return err
	}
	err = s.eachObject(ctx, below, func(o types.Object) error {
		if *o.Key == except {
			return nil
		}
		delete(unseen, *o.Key)
		if batch = append(batch, *o.Key); len(batch) == deleteBatch {
			return flush()
		}
		return nil
	})
	if err != nil {
		return gone, err
	}
	return gone, flush()
}
