package s3

import (
	"context"
	"errors"
	"fmt"
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
	committed, err := s.checkRetained(ctx, prefix)
	if err != nil {
		return err
	}
	if !committed {
		_, format, _ := backends.ParsePrefix(prefix)
		if _, foreign, err := s.describeForeign(ctx, backends.Info{Prefix: prefix}); err != nil || !foreign || format != plan.PrefixISO {
			return err // it is no copy, or none yet
		}
	}
	etag, err := s.claimForRemoval(ctx, prefix)
	if err != nil {
		return err
	}
	if committed {
		if err := s.deleteObject(ctx, s.key(prefix+"/"+backends.ManifestPath)); err != nil {
			return err
		}
		s.mu.Lock()
		delete(s.infos, prefix) // a listing may show the manifest for a while
		s.mu.Unlock()
	}
	return s.wipe(ctx, prefix, etag)
}

// claimForRemoval sees to it that there is an open.json, so that what is left when the
// removal is cut is known as garbage, and returns its ETag.
func (s *Store) claimForRemoval(ctx context.Context, prefix string) (etag string, err error) {
	open, at, err := s.readOpen(ctx, s.key(prefix+"/"+openPath))
	switch {
	case err != nil:
		return "", err
	case open == nil:
		return s.putGarbage(ctx, prefix, condition{absent: true})
	case open.Removed: // and another program has carried the copy here again
		return s.putGarbage(ctx, prefix, condition{etag: at.etag})
	}
	return at.etag, nil
}

// putGarbage writes the open.json of a copy that is to be removed.
func (s *Store) putGarbage(ctx context.Context, prefix string, cond condition) (etag string, err error) {
	open := newRun(s.self())
	open.Garbage = true
	return s.putObject(ctx, s.key(prefix+"/"+openPath), open.encode(), "", cond)
}

// checkRetained asks for the manifest itself, since a listing may lag behind, and for its
// lock: in a bucket with object lock a removal would be answered with a yes, and would
// hide the copy and free nothing.
func (s *Store) checkRetained(ctx context.Context, prefix string) (committed bool, err error) {
	at, err := s.head(ctx, s.key(prefix+"/"+backends.ManifestPath))
	if err != nil || at == nil {
		return false, err
	}
	if at.held {
		return true, &backends.RetainedError{Prefix: prefix}
	}
	if at.locked.After(time.Now()) {
		return true, &backends.RetainedError{Prefix: prefix, Until: at.locked}
	}
	return true, nil
}

// wipe removes everything below a copy that has an open.json, of this ETag, and no
// manifest. open.json stays, with the mark that the copy was removed: a listing may lag
// behind, and be wrong, and an object may come yet that a run has asked for. Without
// open.json it would look like a copy of the Python program.
func (s *Store) wipe(ctx context.Context, prefix, etag string) error {
	if err := s.empty(ctx, prefix); err != nil {
		return err
	}
	_, err := s.putObject(ctx, s.key(prefix+"/"+openPath), []byte(removedMark), "", condition{etag: etag})
	if isTaken(err) || isNotFound(err) {
		return nil // another host goes on with it
	}
	return err
}

// empty removes everything that is listed below a copy but its open.json: the uploads
// first, since an upload may become an object until it is aborted.
func (s *Store) empty(ctx context.Context, prefix string) error {
	below := s.key(prefix + "/")
	err := s.abortUploads(ctx, below, func(types.MultipartUpload) bool { return true })
	return errors.Join(err, s.deleteBelow(ctx, below, s.key(prefix+"/"+openPath)))
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

// deleteBelow deletes all that is listed below a key but one.
func (s *Store) deleteBelow(ctx context.Context, below, except string) error {
	var batch []string
	err := s.eachObject(ctx, below, func(o types.Object) error {
		if *o.Key == except {
			return nil
		}
		if batch = append(batch, *o.Key); len(batch) < deleteBatch {
			return nil
		}
		err := s.deleteKeys(ctx, batch)
		batch = batch[:0]
		return err
	})
	if err != nil {
		return err
	}
	return s.deleteAll(ctx, batch)
}
