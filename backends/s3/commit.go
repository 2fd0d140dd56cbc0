package s3

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

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
	return c.lease.renew(ctx)
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
	if err := c.lease.renew(ctx); errors.Is(err, errTaken) {
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
	want := make(map[string]int64, len(m.Objects))
	c.mu.Lock()
	stored := maps.Clone(c.objects)
	c.mu.Unlock()
	for _, o := range m.Objects {
		size, ok := stored[o.Path]
		if !ok || size != o.Size {
			return fmt.Errorf("object %s of the manifest has not been stored", o.Path)
		}
		want[c.key(o.Path)] = o.Size
	}
	for try, start := 1, time.Now(); ; try++ {
		missing, extra, err := c.differences(ctx, want)
		if err != nil {
			return err
		}
		if missing == "" {
			c.removeExtra(ctx, extra)
			return nil
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
// object of another size is an error at once.
func (c *Copy) differences(ctx context.Context, want map[string]int64) (missing string, extra []string, err error) {
	left := maps.Clone(want) // a key may be listed twice
	err = c.store.eachObject(ctx, c.key(""), func(o types.Object) error {
		key, size := *o.Key, *o.Size
		expected, ok := want[key]
		switch {
		case ok && size != expected:
			return fmt.Errorf("%s has %d bytes, want %d: it is not what was stored", c.store.url(key), size, expected)
		case ok:
			delete(left, key)
		case !strings.HasPrefix(key, c.key(stateDir)):
			extra = append(extra, key)
		}
		return nil
	})
	for key := range left {
		missing = key
		break
	}
	return missing, extra, err
}

func (c *Copy) removeExtra(ctx context.Context, keys []string) {
	if err := c.store.deleteAll(ctx, keys); err != nil {
		c.warn("the copy holds more than its manifest says: " + err.Error())
	}
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

func (c *Copy) remove(ctx context.Context) error {
	// A store that is gone is given up after this request, however many were to follow.
	first, cancel := context.WithTimeout(ctx, cleanupTime)
	defer cancel()
	err := c.lease.write(first, func(o *openState) { o.Garbage = true })
	if errors.Is(err, errTaken) { // what is there is removed by whoever has taken it
		return c.removeOwn(ctx)
	}
	if err != nil {
		return err
	}
	if c.inDoubt() {
		return c.store.empty(ctx, c.prefix, c.storedKeys())
	}
	return c.store.wipe(ctx, c.prefix, c.storedKeys())
}

// storedKeys are those of the objects that this run has stored.
func (c *Copy) storedKeys() (keys []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p, size := range c.objects {
		if size >= 0 {
			keys = append(keys, c.key(p))
		}
	}
	return keys
}

// removeOwn removes what this run has stored, or may have, and nothing else.
func (c *Copy) removeOwn(ctx context.Context) error {
	c.mu.Lock()
	var keys []string
	for p := range c.objects {
		keys = append(keys, c.key(p))
	}
	c.mu.Unlock()
	return c.store.deleteAll(ctx, keys)
}
