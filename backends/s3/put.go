package s3

import (
	"context"
	"fmt"
	"io"

	"palhm/backends"
	"palhm/runtime/plan"
)

// headSize is what is read of a stream before it gets any memory for a part: most
// objects of many are no longer than this.
const headSize = 64 << 10

// Put stores an object, in one request when it fits in a part. The object is made
// only when r has ended with io.EOF.
func (c *Copy) Put(ctx context.Context, p string, r io.Reader, sizeHint int64) (int64, error) {
	if err := plan.CheckPath(p); err != nil {
		return 0, err
	}
	key := c.key(p)
	if len(key) > plan.MaxKey {
		return 0, fmt.Errorf("path %.40q... is %d bytes long together with its root, the longest is %d", p, len(key), plan.MaxKey)
	}
	if err := c.claim(p); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(c.alive, func() {
		cancel(context.Cause(c.alive))
		backends.Interrupt(r)
	})()
	o, err := c.put(ctx, key, r, c.store.expected(p, sizeHint))
	c.settle(p, o, err)
	if err != nil {
		return 0, err
	}
	return o.size, nil
}

func (c *Copy) put(ctx context.Context, key string, r io.Reader, sizeHint int64) (o stored, err error) {
	head := c.store.heads.Get().(*[]byte)
	defer c.store.heads.Put(head)
	src := newSource(r)
	n, err := src.fill(ctx, *head)
	if err != nil {
		return o, err
	}
	if src.ended() {
		etag, err := c.putWhole(ctx, key, (*head)[:n])
		return stored{src.n, etag}, err
	}
	s := c.store
	u := &upload{
		copy: c, key: key, src: src, plan: s.quirks.scheduleFor(sizeHint),
		buffers: newBuffers(s.memory, s.opt.Concurrency+1), slots: make(chan struct{}, s.opt.Concurrency),
	}
	err = u.run(ctx, (*head)[:n])
	if err != nil || u.stray {
		if left := u.discard(ctx); left != nil {
			c.doubtful()
			c.warn(fmt.Sprintf("parts of %s may be left: %v", s.url(key), left))
		}
	}
	return stored{src.n, u.etag}, err
}

// putWhole stores an object that fits in one request. When that fails, nobody knows
// whether the object is there after all, so it is removed.
func (c *Copy) putWhole(ctx context.Context, key string, data []byte) (etag string, err error) {
	etag, err = c.store.putObject(ctx, key, data, c.store.opt.SinkClass, condition{absent: true})
	if err == nil {
		return etag, nil
	}
	clean, cancel := c.store.cleanUp(ctx, c.stopped)
	defer cancel()
	if left := c.deleteOwn(clean, key); left != nil {
		c.warn(fmt.Sprintf("%s may be left: %v", c.store.url(key), left))
	}
	return "", err
}
