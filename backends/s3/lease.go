package s3

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"palhm/runtime/plan"
)

// Where the state of a copy is kept, relative to the copy.
const (
	stateDir = plan.ReservedDir + "/"
	openPath = stateDir + "open.json"
)

// maxOpen bounds what is read of an open.json.
const maxOpen = 1 << 20

// errTaken says that somebody else has written the open.json of a copy, or removed it.
var errTaken = errors.New("another host has taken this copy for one of a dead run and removes it")

// lease is the right to write below a copy: the last one to have written open.json
// has it. It may be used concurrently.
type lease struct {
	store *Store
	key   string

	mu      sync.Mutex
	state   openState
	etag    string
	written time.Time // when open.json was last written
}

// write puts the next open.json in the place of the last one. The error is errTaken
// when the last one is not this lease's.
func (l *lease) write(ctx context.Context, change func(*openState)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := l.next()
	change(&next)
	return l.put(ctx, next)
}

// next is the state with one more sign of life.
func (l *lease) next() openState {
	next := l.state
	next.Beat++
	return next
}

// put is write. The caller holds l.mu.
func (l *lease) put(ctx context.Context, next openState) error {
	for try := 1; ; try++ {
		if !l.store.hasConditions() {
			if err := l.refresh(ctx); err != nil {
				return err
			}
		}
		etag, err := l.store.putObject(ctx, l.key, next.encode(), "", condition{etag: l.etag})
		if err == nil {
			l.wrote(next, etag)
			return nil
		}
		if !isTaken(err) && !isNotFound(err) {
			return err
		}
		if err := l.refresh(ctx); err != nil {
			return err
		}
		if try >= 3 {
			return err
		}
	}
}

func (l *lease) wrote(state openState, etag string) {
	l.state, l.etag, l.written = state, etag, time.Now()
}

// isETag reports whether open.json has that ETag.
func (l *lease) isETag(etag string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return sameETag(etag, l.etag)
}

// confirm reports errTaken when open.json is somebody else's. It writes nothing.
func (l *lease) confirm(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refresh(ctx)
}

// refresh takes over the ETag that open.json has now, after a write whose answer was
// lost. The error is errTaken when it is somebody else's. The caller holds l.mu.
func (l *lease) refresh(ctx context.Context) error {
	state, at, err := l.store.readOpen(ctx, l.key)
	if err != nil {
		return err
	}
	if state == nil || state.Run != l.state.Run || state.Garbage {
		return errTaken
	}
	l.etag = at.etag
	return nil
}

// drop says that this process makes the copy no more.
func (l *lease) drop() { l.store.runs.living.Delete(l.state.Run) }

// renew gives a sign of life. The first one of a process is an attempt to give it under
// a condition that is not met: the store is asked whether it keeps conditions, and
// open.json is written only once, since some stores allow no more than that in a second.
func (l *lease) renew(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.store.triedConditions() {
		return l.put(ctx, l.next())
	}
	if err := l.refresh(ctx); err != nil {
		return err
	}
	return l.tryConditions(ctx)
}

// prove reports errTaken when the copy is somebody else's, and gives a sign of life when
// the last one is not fresh.
func (l *lease) prove(ctx context.Context, fresh time.Duration) error {
	l.mu.Lock()
	old := time.Since(l.written) > fresh
	l.mu.Unlock()
	if old || !l.store.triedConditions() {
		return l.renew(ctx)
	}
	return l.confirm(ctx)
}

// beat renews the lease until ctx ends, and calls lost when somebody has taken it: for
// the first time soon, since on a store without conditions another run may have taken the
// name in the same second. A store that cannot be reached for a while is no reason to stop.
func (l *lease) beat(ctx context.Context, every time.Duration, lost func(error)) {
	t := time.NewTicker(max(every/10, 1))
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			t.Reset(every)
		}
		if err := l.renew(ctx); errors.Is(err, errTaken) {
			lost(err)
			return
		}
	}
}

// readOpen reads an open.json; nil = there is none. One that cannot be understood
// is that of an unknown host.
func (s *Store) readOpen(ctx context.Context, key string) (*openState, *content, error) {
	at, err := s.getAll(ctx, key, maxOpen)
	if err != nil || at == nil {
		return nil, nil, err
	}
	var state openState
	if json.Unmarshal(at.data, &state) != nil {
		state = openState{}
	}
	return &state, at, nil
}

// reserve writes the open.json of a new copy, under a condition on what is there: nothing,
// or the mark of a copy that was removed.
func (s *Store) reserve(ctx context.Context, prefix string, free condition) (*lease, error) {
	l := &lease{store: s, key: s.key(prefix + "/" + openPath), state: newRun(s.self())}
	s.runs.living.Store(l.state.Run, nil)
	etag, err := s.putObject(ctx, l.key, l.state.encode(), "", free)
	if err != nil {
		l.drop()
		return nil, err
	}
	l.wrote(l.state, etag)
	return l, nil
}

// otherETag is that of no open.json.
const otherETag = `"00000000000000000000000000000000"`

// tryConditions writes open.json under a condition that is not met. A store that keeps
// If-Match keeps If-None-Match too: that came first. The caller holds l.mu.
func (l *lease) tryConditions(ctx context.Context) error {
	c, err := l.store.api(ctx)
	if err != nil {
		return err
	}
	next := l.next()
	etag, err := l.store.putOnce(ctx, c, l.key, next.encode(), "", condition{etag: otherETag})
	switch {
	case err == nil:
		l.store.loseConditions()
		l.wrote(next, etag)
	case isUnknown(err):
		l.store.loseConditions()
	case isTaken(err):
		l.store.keepConditions()
	default:
		return failed(ctx, "try whether a write to "+l.store.url(l.key)+" can be refused", err)
	}
	return nil
}
