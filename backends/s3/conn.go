package s3

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// bandwidth bounds what is sent over all connections of a store.
type bandwidth struct {
	rate int64 // bytes a second

	mu   sync.Mutex
	next time.Time // when the next byte may go
}

// newBandwidth returns nil when there is no limit.
func newBandwidth(rate int64) *bandwidth {
	if rate == 0 {
		return nil
	}
	return &bandwidth{rate: rate}
}

// chunk is how much is sent at a time, so that the link is used evenly.
func (b *bandwidth) chunk() int { return int(min(max(b.rate/8, 1), 64<<10)) }

// wait books n bytes and waits until they may be sent.
func (b *bandwidth) wait(n int) {
	b.mu.Lock()
	now := time.Now()
	if b.next.Before(now) {
		b.next = now
	}
	pause := b.next.Sub(now)
	b.next = b.next.Add(time.Duration(float64(n) / float64(b.rate) * float64(time.Second)))
	b.mu.Unlock()
	time.Sleep(pause)
}

// conn is a connection that fails when it has moved no byte for a while, in either
// direction, and that keeps to the bandwidth.
type conn struct {
	net.Conn
	stall time.Duration
	limit *bandwidth
	moved atomic.Pointer[time.Time] // when the deadline was last moved; nil = never
}

type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

func (s *Store) dial(inner dialer) dialer {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := inner(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		w := &conn{Conn: c, stall: s.opt.Stall, limit: s.limit}
		return w, w.progress()
	}
}

// progress moves the deadline, though not for every few bytes.
func (c *conn) progress() error {
	now := time.Now()
	if last := c.moved.Load(); last != nil && now.Sub(*last) < c.stall/16 {
		return nil
	}
	c.moved.Store(&now)
	return c.SetDeadline(now.Add(c.stall))
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && err == nil {
		err = c.progress()
	}
	return n, err
}

func (c *conn) Write(p []byte) (n int, err error) {
	for len(p) > 0 && err == nil {
		piece := p
		if c.limit != nil {
			piece = p[:min(len(p), c.limit.chunk())]
			c.limit.wait(len(piece))
		}
		if err = c.progress(); err != nil {
			return n, err
		}
		var sent int
		sent, err = c.Conn.Write(piece)
		n += sent
		p = p[sent:]
	}
	return n, err
}
