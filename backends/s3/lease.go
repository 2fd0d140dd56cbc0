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

// errTaken says that somebody else has written the open.json of a copy.
var errTaken = errors.New("another host has taken this copy for one of a dead run and removes it")

// lease is the right to write below a copy: the last one to have written open.json
// has it. It may be used concurrently.
type lease struct {
	store *Store
	key   string

	mu    sync.Mutex
	state openState
	etag  string
}

// encode is the content of open.json.
func (o openState) encode() []byte {
	data, _ := json.Marshal(o)
	return append(data, '\n')
}

// write puts the next open.json in the place of the last one. The error is errTaken
// when the last one is not this lease's.
func (l *lease) write(ctx context.Context, change func(*openState)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := l.state
	next.Beat++
	change(&next)
	for try := 1; ; try++ {
		if !l.store.hasConditions() {
			if err := l.refresh(ctx); err != nil {
				return err
			}
		}
		etag, err := l.store.putObject(ctx, l.key, next.encode(), "", condition{etag: l.etag})
		if err == nil {
			l.state, l.etag = next, etag
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

func (l *lease) renew(ctx context.Context) error { return l.write(ctx, func(*openState) {}) }

// beat renews the lease until ctx ends, and calls lost when somebody has taken it.
// A store that cannot be reached for a while is no reason to stop.
func (l *lease) beat(ctx context.Context, every time.Duration, lost func(error)) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
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

// reserve writes the open.json of a new copy, where there must be none. It also
// finds out whether the store keeps conditions, by breaking both.
func (s *Store) reserve(ctx context.Context, prefix string) (*lease, error) {
	l := &lease{store: s, key: s.key(prefix + "/" + openPath), state: newRun(s.self())}
	s.runs.living.Store(l.state.Run, nil)
	etag, err := s.putObject(ctx, l.key, l.state.encode(), "", condition{absent: true})
	if err != nil {
		l.drop()
		return nil, err
	}
	l.etag = etag
	if !s.hasConditions() {
		return l, nil
	}
	for _, broken := range []condition{{absent: true}, {etag: otherETag}} {
		if err := l.probe(ctx, broken); err != nil {
			l.drop()
			return nil, failed(ctx, "try whether a write to "+s.url(l.key)+" can be refused", err)
		}
	}
	return l, nil
}

// otherETag is that of no open.json.
const otherETag = `"00000000000000000000000000000000"`

// probe writes open.json under a condition that is not met.
func (l *lease) probe(ctx context.Context, broken condition) error {
	c, err := l.store.api(ctx)
	if err != nil {
		return err
	}
	if !l.store.hasConditions() {
		return nil
	}
	next := l.state
	next.Beat++
	etag, err := l.store.putOnce(ctx, c, l.key, next.encode(), "", broken)
	switch {
	case err == nil:
		l.store.loseConditions()
		l.state, l.etag = next, etag
	case isUnknown(err):
		l.store.loseConditions()
	case !isTaken(err):
		return err
	}
	return nil
}
