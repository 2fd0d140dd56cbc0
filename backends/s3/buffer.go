package s3

import (
	"context"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// buffer holds one part, so that a request that failed can be sent again. It is
// mapped memory: pages that are never touched cost nothing, and what is unmapped
// is gone at once. A part that is too large for the budget is mapped from an
// unlinked file in the directory for temporary files, which the kernel can write
// out.
type buffer struct {
	data    []byte
	n       int // bytes in use
	spooled bool
}

func newBuffer(size int64) (*buffer, error) {
	data, err := unix.Mmap(-1, 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, fmt.Errorf("get %d bytes of memory for a part: %w", size, err)
	}
	return &buffer{data: data}, nil
}

// newSpool reserves all of the file first: a write to a mapping that the disk has
// no room for would be a signal and not an error.
func newSpool(size int64) (*buffer, error) {
	f, err := os.CreateTemp("", "palhm-part-")
	if err != nil {
		return nil, fmt.Errorf("make a file for a part of %d bytes: %w; set TMPDIR to a directory that can be written", size, err)
	}
	defer f.Close()
	defer os.Remove(f.Name())
	if err := unix.Fallocate(int(f.Fd()), 0, 0, size); err != nil {
		return nil, fmt.Errorf("reserve %d bytes in %s for a part: %w; set TMPDIR to a directory with more room", size, os.TempDir(), err)
	}
	data, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", f.Name(), err)
	}
	return &buffer{data: data, spooled: true}, nil
}

func (b *buffer) bytes() []byte { return b.data[:b.n] }

func (b *buffer) free() { _ = unix.Munmap(b.data) }

// buffers are those of one stream: at most max of one size at a time.
type buffers struct {
	budget *Budget
	max    int

	mu     sync.Mutex
	size   int64
	free   []*buffer
	out    int           // taken and not yet back, whatever their size
	back   chan struct{} // has an item when a buffer has come back
	closed bool
	narrow bool // there is no room for a further file
}

func newBuffers(budget *Budget, max int) *buffers {
	p := &buffers{budget: budget, max: max, back: make(chan struct{}, 1)}
	budget.join(p)
	return p
}

// get returns an empty buffer of size bytes. The first one it waits for; further
// ones only make the stream faster, and when there is no memory for them it waits
// for one of its own instead.
func (p *buffers) get(ctx context.Context, size int64) (*buffer, error) {
	for {
		b, out := p.reuse(size)
		if b != nil {
			return b, nil
		}
		if out == 0 {
			return p.first(ctx, size)
		}
		if out < p.max {
			if b, err := p.further(size); b != nil || err != nil {
				return b, err
			}
		}
		select {
		case <-p.back:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// first makes the buffer without which a stream cannot go on. A part that would go
// through a file, for which there is no room, may have the whole budget.
func (p *buffers) first(ctx context.Context, size int64) (*buffer, error) {
	if !p.budget.fits(size) {
		b, err := newSpool(size)
		if err == nil {
			return p.lend(b), nil
		}
		if size > p.budget.size {
			return nil, err
		}
	}
	if err := p.budget.take(ctx, size); err != nil {
		return nil, err
	}
	return p.add(size)
}

// further makes one more buffer, or none when there is no room for it.
func (p *buffers) further(size int64) (*buffer, error) {
	if p.budget.fits(size) {
		if !p.budget.try(size) {
			return nil, nil
		}
		return p.add(size)
	}
	if p.narrow {
		return nil, nil
	}
	b, err := newSpool(size)
	if err != nil {
		p.narrow = true
		return nil, nil
	}
	return p.lend(b), nil
}

// reuse returns a buffer that is free, after dropping those of another size.
func (p *buffers) reuse(size int64) (b *buffer, out int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.size != size {
		p.dropAll()
		p.size = size
	}
	if n := len(p.free); n > 0 {
		b = p.free[n-1]
		p.free = p.free[:n-1]
		p.out++
	}
	return b, p.out
}

// add makes a buffer for which the budget has been taken.
func (p *buffers) add(size int64) (*buffer, error) {
	b, err := newBuffer(size)
	if err != nil {
		p.budget.give(size)
		return nil, err
	}
	return p.lend(b), nil
}

func (p *buffers) lend(b *buffer) *buffer {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out++
	return b
}

// put takes a buffer back.
func (p *buffers) put(b *buffer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out--
	b.n = 0
	if p.closed || int64(len(b.data)) != p.size || p.out > 0 && p.budget.contended() {
		p.drop(b)
	} else {
		p.free = append(p.free, b)
	}
	select {
	case p.back <- struct{}{}:
	default:
	}
}

// close frees what is here, and later what comes back.
func (p *buffers) close() {
	p.budget.part(p)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.dropAll()
}

// shed frees what is not in use.
func (p *buffers) shed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dropAll()
}

func (p *buffers) dropAll() {
	for _, b := range p.free {
		p.drop(b)
	}
	p.free = nil
}

func (p *buffers) drop(b *buffer) {
	size := int64(len(b.data))
	b.free()
	if !b.spooled {
		p.budget.give(size)
	}
}
