package s3

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"palhm/backends"
)

// Commit compares what the store lists with what was stored, proves that the copy is
// still this run's, and puts the manifest, which makes it a copy. It does not stop
// when ctx is cancelled.
func (c *Copy) Commit(ctx context.Context, m *backends.Manifest) error {
	if c.hasEnded() {
		return errEnded
	}
	if m.Prefix != c.prefix {
		return fmt.Errorf("got the manifest of %s, want that of %s", m.Prefix, c.prefix)
	}
	ctx = context.WithoutCancel(ctx)
	manifest, sums, err := m.Encode()
	if err != nil {
		return err
	}
	if err := c.prepare(ctx, m, sums); err != nil {
		return err
	}
	if err := c.publish(ctx, manifest); err != nil {
		return err
	}
	c.store.expect(c.prefix)
	c.forget()
	return nil
}

// forget ends a copy of which nothing is left to be done.
func (c *Copy) forget() {
	c.end()
	if !c.inDoubt() {
		c.store.forgetJournal()
	}
}

// prepare does what comes before the manifest. A store that is gone may cost the copy
// as long as nothing can be listed.
func (c *Copy) prepare(ctx context.Context, m *backends.Manifest, sums []byte) error {
	s := c.store
	ctx, cancel := s.impatient(ctx, c.stopped)
	defer cancel()
	if err := c.compare(ctx, m); err != nil {
		return err
	}
	if _, err := s.putObject(ctx, c.key(backends.SumsPath), sums, "", condition{absent: true}); err != nil {
		return err
	}
	if s.finishes() {
		if _, err := s.putObject(ctx, c.key(finishPath), []byte("{}\n"), "", condition{absent: true}); err != nil {
			return err
		}
	}
	return c.lease.prove(ctx, 2*s.opt.Heartbeat)
}

// publish puts the manifest.
func (c *Copy) publish(ctx context.Context, manifest []byte) error {
	s := c.store
	asking, unsure := doubting(ctx)
	_, err := s.putObject(asking, c.key(backends.ManifestPath), manifest, "", condition{absent: true})
	if err != nil && isDenied(err) && !unsure.Load() {
		return err // nothing was stored
	}
	if err != nil {
		return errors.Join(err, s.unpublish(ctx, c.key(backends.ManifestPath)))
	}
	// A host may have slept since the last sign of life, for so long that another has
	// taken the copy and removed what it held.
	if err := c.lease.confirm(ctx); errors.Is(err, errTaken) {
		return errors.Join(err, s.unpublish(ctx, c.key(backends.ManifestPath)))
	}
	return nil
}

// unpublish takes back a manifest of which nobody knows whether it was stored, so
// that a commit that has failed is never listed.
func (s *Store) unpublish(ctx context.Context, key string) error {
	if err := s.deleteObject(ctx, key); err != nil {
		return fmt.Errorf("the copy may be listed nevertheless: %w", err)
	}
	return nil
}

// compare checks that everything that the manifest names is there, with its size. A
// listing may lag behind for a moment, or another host may have taken the copy. What is
// there and was not stored, such as an object that a failed Put could not remove, is
// removed.
func (c *Copy) compare(ctx context.Context, m *backends.Manifest) error {
	want := make(map[string]stored, len(m.Objects))
	c.mu.Lock()
	objects := maps.Clone(c.objects)
	c.mu.Unlock()
	for _, o := range m.Objects {
		known, ok := objects[o.Path]
		if !ok || known.size != o.Size {
			return fmt.Errorf("object %s of the manifest has not been stored", o.Path)
		}
		want[c.key(o.Path)] = known
	}
	for try, start := 1, time.Now(); ; try++ {
		missing, extra, err := c.differences(ctx, want)
		if err != nil {
			return err
		}
		if missing == "" {
			return c.removeExtra(ctx, extra)
		}
		if err := c.lease.confirm(ctx); err != nil {
			return err
		}
		if time.Since(start) > settleTime || try >= c.store.opt.Attempts {
			return fmt.Errorf("%s was stored and is not in the listing of the bucket", c.store.url(missing))
		}
		if err := c.store.pause(ctx, try); err != nil {
			return err
		}
	}
}

// differences returns a key that is not listed, and all those that should not be. An
// object of another size is an error at once, and so is one that has been replaced.
func (c *Copy) differences(ctx context.Context, want map[string]stored) (missing string, extra []string, err error) {
	left := maps.Clone(want) // a key may be listed twice
	var odd []string         // those of another ETag
	usable := false          // the listing gives the ETags that other answers give
	err = c.store.eachObject(ctx, c.key(""), func(o types.Object) error {
		key, size, etag := *o.Key, *o.Size, aws.ToString(o.ETag)
		expected, ok := want[key]
		switch {
		case ok && size != expected.size:
			return fmt.Errorf("%s has %d bytes, want %d: it is not what was stored", c.store.url(key), size, expected.size)
		case ok:
			delete(left, key)
			if !sameETag(etag, expected.etag) {
				odd = append(odd, key)
			}
		case key == c.lease.key:
			usable = c.lease.isETag(etag)
		case !strings.HasPrefix(key, c.key(stateDir)):
			extra = append(extra, key)
		}
		return nil
	})
	for key := range left {
		missing = key
		break
	}
	for _, key := range odd {
		if err == nil && usable {
			err = c.checkETag(ctx, key, want[key])
		}
	}
	return missing, extra, err
}

// checkETag asks for an object itself, since a listing may lag behind.
func (c *Copy) checkETag(ctx context.Context, key string, want stored) error {
	st, err := c.store.head(ctx, key)
	if err == nil && (st == nil || !sameETag(st.etag, want.etag)) {
		err = fmt.Errorf("%s was replaced after it was stored: is another host making the same copy?", c.store.url(key))
	}
	return err
}

// sameETag compares two, as far as they are known. Stores do not agree on the quotes.
func sameETag(a, b string) bool {
	a, b = strings.Trim(a, `"`), strings.Trim(b, `"`)
	return a == b || a == "" || b == ""
}

// removeExtra removes what is not in the manifest, unless it is somebody else's.
func (c *Copy) removeExtra(ctx context.Context, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	if err := c.lease.confirm(ctx); err != nil {
		return err
	}
	if err := c.store.deleteAll(ctx, keys); err != nil {
		c.warn("the copy holds more than its manifest says: " + err.Error())
	}
	return nil
}

// Abort removes the copy. What it may not delete it marks as garbage, for a host that
// may.
func (c *Copy) Abort(ctx context.Context) error {
	if c.hasEnded() {
		return nil
	}
	var cancel context.CancelFunc
	if ctx.Err() != nil { // what has to be done has to be done after a cancel too
		ctx, cancel = c.store.cleanUp(ctx, c.stopped)
	} else {
		ctx, cancel = c.store.impatient(ctx, c.stopped)
	}
	defer cancel()
	c.stop()
	c.beats.Wait()
	defer c.lease.drop()
	if err := c.remove(ctx); err != nil {
		return fmt.Errorf("abort %s: %w", c.prefix, err)
	}
	c.forget()
	return nil
}

// remove empties the copy and leaves the mark that it was removed.
func (c *Copy) remove(ctx context.Context) error {
	// A store that is gone is given up after this request, however many were to follow.
	first, cancel := context.WithTimeout(ctx, cleanupTime)
	defer cancel()
	err := c.lease.confirm(first)
	if errors.Is(err, errTaken) {
		return c.leave(ctx)
	}
	if err != nil {
		return err
	}
	err = c.store.empty(ctx, c.prefix)
	markErr := c.lease.write(ctx, func(o *openState) { o.Garbage, o.Removed = true, err == nil })
	if err == nil && !errors.Is(markErr, errTaken) {
		err = markErr
	}
	return err
}

// leave leaves what this run has stored to the owner of open.json: some of it may be his.
// Where there is none any more, this run becomes the owner of what is to be removed.
func (c *Copy) leave(ctx context.Context) error {
	s := c.store
	open, _, err := s.readOpen(ctx, c.lease.key)
	if err != nil || open != nil {
		return err
	}
	_, err = s.putGarbage(ctx, c.prefix, condition{absent: true})
	if isTaken(err) {
		return nil
	}
	return err
}

// deleteOwn deletes an object that this run has made, or may have. It is not deleted when
// the copy is somebody else's by now: then the object may be too.
func (c *Copy) deleteOwn(ctx context.Context, key string) error {
	if err := c.lease.confirm(ctx); err != nil {
		return err
	}
	return c.store.deleteObject(ctx, key)
}
