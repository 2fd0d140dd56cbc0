package s3

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// DefaultMemory is how many bytes the parts of all streams may take together.
const DefaultMemory = 256 << 20

// Budget bounds the memory that the parts of all streams of a process take. It may
// be used concurrently.
//
// A stream waits for the budget only while it has no part to fill, and what it does not
// use is taken back when another one waits, so streams cannot block each other for good.
type Budget struct {
	size int64

	mu      sync.Mutex
	used    int64
	peak    int64     // the most that was used
	waiting []*waiter // oldest first
	streams map[*buffers]struct{}
}

type waiter struct {
	n     int64
	ready chan struct{}
}

// NewBudget returns a budget of size bytes.
func NewBudget(size int64) *Budget {
	return &Budget{size: size, streams: map[*buffers]struct{}{}}
}

// join and part tell the budget whose idle parts it may take back.
func (b *Budget) join(p *buffers) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.streams[p] = struct{}{}
}

func (b *Budget) part(p *buffers) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.streams, p)
}

// reclaim takes back what no stream uses: one whose source stalls does not come by to
// give it.
func (b *Budget) reclaim() {
	b.mu.Lock()
	streams := slices.Collect(maps.Keys(b.streams))
	b.mu.Unlock()
	for _, p := range streams {
		p.shed()
	}
}

// fits reports whether parts of n bytes may be kept in memory: two of them must
// fit, so that one can be filled while another is sent.
func (b *Budget) fits(n int64) bool { return 2*n <= b.size }

// try takes n bytes when they are there and nobody waits.
func (b *Budget) try(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) > 0 || b.used+n > b.size {
		return false
	}
	b.use(n)
	return true
}

// take takes n bytes, in the order in which they were asked for.
func (b *Budget) take(ctx context.Context, n int64) error {
	if b.try(n) {
		return nil
	}
	w := &waiter{n: n, ready: make(chan struct{})}
	b.mu.Lock()
	b.waiting = append(b.waiting, w)
	b.serve()
	b.mu.Unlock()
	b.reclaim()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
		b.leave(w)
		return context.Cause(ctx)
	}
}

// leave takes a waiter out of the line, or gives back what it has just got.
func (b *Budget) leave(w *waiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, other := range b.waiting {
		if other == w {
			b.waiting = append(b.waiting[:i], b.waiting[i+1:]...)
			b.serve()
			return
		}
	}
	b.used -= w.n
	b.serve()
}

// give gives n bytes back.
func (b *Budget) give(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
	b.serve()
}

// contended reports whether somebody waits.
func (b *Budget) contended() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiting) > 0
}

func (b *Budget) serve() {
	for len(b.waiting) > 0 && b.used+b.waiting[0].n <= b.size {
		b.use(b.waiting[0].n)
		close(b.waiting[0].ready)
		b.waiting = b.waiting[1:]
	}
}

func (b *Budget) use(n int64) {
	b.used += n
	b.peak = max(b.peak, b.used)
}
