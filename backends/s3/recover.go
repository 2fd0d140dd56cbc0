package s3

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"palhm/backends"
)

// Recover removes what dead runs left. A run is dead when this host knows that its
// process is gone, or when it has given no sign of life for an hour, and none for another
// hour after that was written down. What these credentials may not delete is left for a
// host that may.
func (s *Store) Recover(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s.owe(true)
	names, err := s.names(ctx)
	if err != nil {
		return err
	}
	begun, err := s.readJournal()
	if err != nil {
		return err
	}
	var mu sync.Mutex
	over := map[string]bool{} // copies of palhm's that no run is making
	var problems []error
	err = s.lookAll(ctx, names, func(name string, st *state) error {
		alive, err := s.recoverCopy(ctx, name, st)
		mu.Lock()
		defer mu.Unlock()
		over[name] = !alive && (st.open != nil || st.committed())
		if err != nil && !isDenied(err) && !isDeniedKey(err) {
			problems = append(problems, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	problems = append(problems, s.recoverUploads(ctx, over), s.recoverJournal(ctx, begun))
	s.owe(errors.Join(problems...) != nil)
	s.forgetJournal()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("recover %s: %w", s.Root(), err)
	}
	return nil
}

func isDeniedKey(err error) bool {
	e, ok := errors.AsType[*deleteError](err)
	return ok && e.code == "AccessDenied"
}

// recoverCopy removes a copy that is garbage, and reports whether it is left alone
// because its run may be alive.
func (s *Store) recoverCopy(ctx context.Context, name string, st *state) (alive bool, err error) {
	if st.open == nil || st.committed() {
		return false, nil
	}
	key := s.key(name + "/" + openPath)
	open, at, err := s.readOpen(ctx, key)
	switch {
	case err != nil || open == nil:
		return true, err
	case open.Removed:
		return false, s.expire(ctx, name, at)
	}
	etag, over, err := s.takeOver(ctx, key, open, at)
	if err != nil || !over {
		return true, err
	}
	return s.unlessCommitted(ctx, name, at, func() error { return s.wipe(ctx, name, etag) })
}

// expire ends the life of a copy that was removed, an hour ago or more: two listings, of
// which one may be wrong, show that nothing is left. What has come late is removed, and the
// hour begins anew.
func (s *Store) expire(ctx context.Context, name string, at *content) error {
	if at.age < s.deadAfter {
		return nil
	}
	key, late := s.key(name+"/"+openPath), ""
	for range 2 {
		err := s.eachObject(ctx, s.key(name+"/"), func(o types.Object) error {
			if *o.Key != key {
				late = *o.Key
				return errStop
			}
			return nil
		})
		if err != nil && err != errStop {
			return err
		}
		if late != "" {
			_, err = s.unlessCommitted(ctx, name, at, func() error { return s.wipeAgain(ctx, name, at.etag, late) })
			return err
		}
	}
	return s.deleteObject(ctx, key)
}

// wipeAgain removes what has come late into a copy that was removed, such as an object. A
// store that only says that it deletes is found out.
func (s *Store) wipeAgain(ctx context.Context, name, etag, object string) error {
	etag, err := s.putGarbage(ctx, name, condition{etag: etag})
	if isTaken(err) || isNotFound(err) {
		return nil // another host does it
	}
	if err != nil {
		return err
	}
	if err := s.wipe(ctx, name, etag); err != nil {
		return err
	}
	there, err := s.isThere(ctx, object)
	if there {
		return fmt.Errorf("delete %s: the store says that it is done, and has it still", s.url(object))
	}
	return ignoreDenied(err)
}

// unlessCommitted removes a copy, unless it has a manifest: the run may have put it while
// its open.json was still its own, or somebody may have carried the copy here again, and a
// listing may not show it yet.
func (s *Store) unlessCommitted(ctx context.Context, name string, at *content, remove func() error) (committed bool, err error) {
	committed, err = s.hasManifest(ctx, name)
	if isDenied(err) && at.age >= s.deadAfter {
		committed, err = false, nil // no listing lags so far behind
	}
	if err != nil || committed {
		return true, err
	}
	return false, remove()
}

// hasManifest asks for the manifest itself. Unlike a listing, the answer does not lag
// behind. That these credentials may not ask is an error.
func (s *Store) hasManifest(ctx context.Context, name string) (bool, error) {
	there, err := s.isThere(ctx, s.key(name+"/"+backends.ManifestPath))
	if !isDenied(err) {
		return there, err
	}
	// AWS refuses to say that something is missing to who may not list the whole
	// bucket. Who may ask for open.json may ask for the manifest.
	if may, _ := s.isThere(ctx, s.key(name+"/"+openPath)); may {
		return false, nil
	}
	return false, err
}

func (s *Store) isThere(ctx context.Context, key string) (bool, error) {
	out, err := s.askHead(ctx, key)
	return out != nil && err == nil, failed(ctx, "look at "+s.url(key), err)
}

// takeOver reports whether no run makes a copy any more, and returns the ETag of its
// open.json. A run that was only slow finds its open.json changed and stops. When all that
// is known of a run is its silence, it has another hour to do so: on a store without
// conditions it may write open.json once more, and then it is alive.
func (s *Store) takeOver(ctx context.Context, key string, open *openState, at *content) (etag string, over bool, err error) {
	me := s.self()
	switch {
	case s.runs.isMaking(open, me):
		return "", false, nil
	case open.Garbage:
		return at.etag, !open.Silent || at.age >= s.deadAfter, nil
	case !open.isDead(me) && at.age < s.deadAfter:
		return "", false, nil
	}
	next := newRun(me)
	next.Garbage, next.Silent = true, !open.isDead(me)
	etag, err = s.putObject(ctx, key, next.encode(), "", condition{etag: at.etag})
	if isTaken(err) || isNotFound(err) {
		return "", false, nil
	}
	return etag, err == nil && !next.Silent, err
}

// recoverUploads aborts the open uploads in copies of palhm's that no run is making. Those
// of living runs stay, and everything that is not below a copy of palhm's.
func (s *Store) recoverUploads(ctx context.Context, over map[string]bool) error {
	root := s.key("")
	err := s.abortUploads(ctx, root, func(up types.MultipartUpload) bool {
		name, _, below := strings.Cut(strings.TrimPrefix(aws.ToString(up.Key), root), "/")
		return below && over[name]
	})
	if !errors.Is(err, errNoMarker) {
		return err
	}
	// What the first page shows is others', and there is no way to the second one.
	for name := range over {
		if !over[name] {
			continue
		}
		if err := s.abortUploads(ctx, s.key(name+"/"), func(types.MultipartUpload) bool { return true }); err != nil {
			return err
		}
	}
	return nil
}

// recoverJournal aborts the uploads that this host has begun and not seen the end of:
// some stores list an upload only to who asks for its key.
func (s *Store) recoverJournal(ctx context.Context, begun map[string]bool) error {
	root := s.key("")
	for key := range begun {
		name, _, _ := strings.Cut(strings.TrimPrefix(key, root), "/")
		if _, _, err := backends.ParsePrefix(name); err != nil || !strings.HasPrefix(key, root) {
			continue
		}
		err := s.abortUploads(ctx, key, func(up types.MultipartUpload) bool { return aws.ToString(up.Key) == key })
		if err != nil {
			return err
		}
	}
	return nil
}
