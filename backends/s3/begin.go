package s3

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"palhm/backends"
)

// Copy is a copy that is being made below ROOT/PREFIX.
type Copy struct {
	store  *Store
	prefix string
	lease  *lease

	stopped <-chan struct{} // closed when the run is told to stop: the end of Begin's context

	alive context.Context // ends, with the cause, when the lease is lost
	lost  context.CancelCauseFunc
	stop  context.CancelFunc // ends the signs of life
	beats sync.WaitGroup

	mu       sync.Mutex
	objects  map[string]stored // by path
	doubt    bool              // an upload may be open, or be opened yet, that this run could not abort
	warnings []string
	ended    bool
}

// stored is what is known of an object.
type stored struct {
	size int64  // bytes, or one of those below
	etag string // that the store has given it; "" = not known
}

// What is known of a path instead of a size.
const (
	beingStored = -1
	notStored   = -2 // the Put has failed
)

// errEnded is the answer of a copy to whatever comes after its end.
var errEnded = errors.New("the copy has ended already")

// Begin reserves the name: it writes PREFIX/.palhm/open.json, where there must be
// none, and renews it from time to time.
func (s *Store) Begin(ctx context.Context, prefix string) (backends.Copy, error) {
	if err := checkCopyName(ctx, prefix); err != nil {
		return nil, err
	}
	c, err := s.begin(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("begin %s: %w", prefix, err)
	}
	return c, nil
}

func (s *Store) begin(ctx context.Context, prefix string) (*Copy, error) {
	free, err := s.isFree(ctx, prefix)
	if err != nil {
		return nil, err
	}
	if err := s.checkObjectLock(ctx); err != nil {
		return nil, err
	}
	l, err := s.reserve(ctx, prefix, free)
	switch {
	case isTaken(err) || free.etag != "" && isNotFound(err):
		return nil, fmt.Errorf("%w, by a copy that is being made: %w", backends.ErrPrefixTaken, err)
	case isDenied(err):
		return nil, &requestError{"write to " + s.Root(), &hintError{"these credentials may not: grant them what \"palhm iam-policy\" prints (" + reason(err) + ")", err}}
	case err != nil:
		return nil, err
	}
	return s.newCopy(ctx, prefix, l), nil
}

// isFree returns the condition on which a name can be taken: nothing is there, or nothing
// but the mark of a copy that was removed.
func (s *Store) isFree(ctx context.Context, prefix string) (free condition, err error) {
	below := s.key(prefix + "/")
	free.absent = true
	err = s.eachObject(ctx, below, func(o types.Object) error {
		if !free.absent || *o.Key != below+openPath || !isRemoved(o) {
			return fmt.Errorf("%s: %w", s.url(below), backends.ErrPrefixTaken)
		}
		free = condition{etag: aws.ToString(o.ETag)}
		return nil
	})
	return free, err
}

func (s *Store) newCopy(ctx context.Context, prefix string, l *lease) *Copy {
	c := &Copy{store: s, prefix: prefix, lease: l, stopped: ctx.Done(), objects: map[string]stored{}}
	ctx = context.WithoutCancel(ctx)
	c.alive, c.lost = context.WithCancelCause(ctx)
	beats, stop := context.WithCancel(ctx)
	c.stop = stop
	c.beats.Go(func() { l.beat(beats, s.opt.Heartbeat, c.lost) })
	return c
}

func (c *Copy) key(p string) string { return c.store.key(c.prefix + "/" + p) }

// Warnings returns what went less well than asked for, and what the bucket is like.
func (c *Copy) Warnings() []string {
	c.store.mu.Lock()
	notices := slices.Clone(c.store.notices)
	c.store.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	return append(notices, c.warnings...)
}

func (c *Copy) warn(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Contains(c.warnings, text) {
		c.warnings = append(c.warnings, text)
	}
}

// claim keeps a path for a Put.
func (c *Copy) claim(p string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return errEnded
	}
	if o, taken := c.objects[p]; taken && o.size != notStored {
		return fmt.Errorf("%s is stored already", c.store.url(c.key(p)))
	}
	c.objects[p] = stored{size: beingStored}
	return nil
}

// settle says what became of a Put.
func (c *Copy) settle(p string, o stored, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		o = stored{size: notStored}
	}
	c.objects[p] = o
}

// doubtful says that an upload may be open, or be opened yet, that this run could not
// abort. Then the journal stays, so that the next run looks again.
func (c *Copy) doubtful() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.doubt = true
}

func (c *Copy) inDoubt() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.doubt
}

// end stops the signs of life.
func (c *Copy) end() {
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	c.stop()
	c.beats.Wait()
	c.lease.drop()
}

func (c *Copy) hasEnded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// settleTime is how long a listing may lag behind what was written.
const settleTime = 30 * time.Second
