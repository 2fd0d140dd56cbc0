package s3

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"palhm/backends"
)

// deadAfter is how old the last sign of life of a run must be, by the store's clock,
// before another host takes it for dead.
const deadAfter = time.Hour

// Recover removes what dead runs left. A run is dead when this host knows that its
// process is gone, or when it has given no sign of life for an hour. What these
// credentials may not delete is left for a host that may.
func (s *Store) Recover(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s.owe(true)
	names, err := s.names(ctx)
	if err != nil {
		return err
	}
	events, err := s.readJournal()
	if err != nil {
		return err
	}
	var mu sync.Mutex
	alive := map[string]bool{}     // copies that a run is making
	committed := map[string]bool{} // copies that palhm has made
	var problems []error
	err = s.lookAll(ctx, names, func(name string, st *state) error {
		left, err := s.recoverCopy(ctx, name, st, events)
		mu.Lock()
		defer mu.Unlock()
		alive[name] = left
		committed[name] = st.committed()
		if err != nil && !isDenied(err) && !isDeniedKey(err) {
			problems = append(problems, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	problems = append(problems, s.recoverUploads(ctx, alive, committed), s.recoverJournal(ctx, events))
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
func (s *Store) recoverCopy(ctx context.Context, name string, st *state, events map[string]string) (alive bool, err error) {
	if st.open == nil || st.committed() {
		return false, nil
	}
	key := s.key(name + "/" + openPath)
	open, at, err := s.readOpen(ctx, key)
	if err != nil || open == nil {
		return true, err
	}
	me := s.self()
	if s.runs.isMaking(open, me) || !open.isDead(me) && at.age < deadAfter {
		return true, nil
	}
	if !open.Garbage {
		if taken, err := s.takeOver(ctx, key, at.etag); err != nil || !taken {
			return true, err
		}
	}
	// The run may have put its manifest while its open.json was still its own, and
	// the listing may not show it yet.
	committed, err := s.hasManifest(ctx, name)
	known := keysBelow(s.key(name+"/"), events)
	if isDenied(err) && open.Garbage && at.age >= deadAfter {
		return false, s.wipe(ctx, name, known) // no listing lags so far behind
	}
	if err != nil || committed {
		return true, err
	}
	if open.Garbage { // since an earlier run
		return false, s.wipe(ctx, name, known)
	}
	late, err := s.awaitLate(ctx, s.key(name+"/"), events)
	if err != nil {
		return false, err
	}
	if late {
		return false, s.empty(ctx, name, known)
	}
	return false, s.wipe(ctx, name, known)
}

// keysBelow are the keys of the journal that are below another.
func keysBelow(below string, events map[string]string) (keys []string) {
	for key := range events {
		if strings.HasPrefix(key, below) {
			keys = append(keys, key)
		}
	}
	return keys
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

// lateBackoffs is how long, in first backoffs, a dead run's objects are waited for:
// 10 seconds.
const lateBackoffs = 50

// lateSize is how long an object must be for the store to be making it after that time.
const lateSize = 1 << 30

// awaitLate waits for the objects below a key that a run asked for when it died: the
// store may be making them still, and nothing tells. It reports whether a large one has
// not come: then open.json has to stay, or the object, once it comes, would stand alone
// and look like a copy of the Python program.
func (s *Store) awaitLate(ctx context.Context, below string, events map[string]string) (late bool, err error) {
	deadline := time.Now().Add(lateBackoffs * s.opt.Backoff)
	for key, event := range events {
		size, asked := completing(event)
		for asked && strings.HasPrefix(key, below) {
			st, err := s.head(ctx, key)
			if err != nil {
				return true, err
			}
			if st != nil {
				break
			}
			if time.Now().After(deadline) {
				late = late || size >= lateSize
				break
			}
			if err := s.pause(ctx, 1); err != nil {
				return true, err
			}
		}
	}
	return late, nil
}

// takeOver makes open.json say that the copy is garbage, unless somebody has written
// it meanwhile. A run that was only slow notices and stops.
func (s *Store) takeOver(ctx context.Context, key, etag string) (bool, error) {
	open := newRun(s.self())
	open.Garbage = true
	_, err := s.putObject(ctx, key, open.encode(), "", condition{etag: etag})
	if isTaken(err) || isNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// recoverUploads aborts the open uploads in copies that palhm has made, since nothing
// is uploaded into them any more. Those of living runs stay, and everything that is
// not below a copy of palhm's.
func (s *Store) recoverUploads(ctx context.Context, alive, committed map[string]bool) error {
	root := s.key("")
	err := s.abortUploads(ctx, root, func(up types.MultipartUpload) bool {
		name, _, below := strings.Cut(strings.TrimPrefix(aws.ToString(up.Key), root), "/")
		return below && committed[name] && !alive[name]
	})
	if !errors.Is(err, errNoMarker) {
		return err
	}
	// What the first page shows is others', and there is no way to the second one.
	for name := range committed {
		if !committed[name] || alive[name] {
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
func (s *Store) recoverJournal(ctx context.Context, events map[string]string) error {
	root := s.key("")
	for key := range events {
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
