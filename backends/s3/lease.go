package s3

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
			if err := l.check(ctx); err != nil {
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
		if err := l.check(ctx); err != nil {
			return err
		}
		if try >= 3 {
			return err
		}
	}
}

// check reads open.json and reports errTaken when it is somebody else's. It learns
// the ETag.
func (l *lease) check(ctx context.Context) error {
	state, etag, err := l.store.readOpen(ctx, l.key)
	if err != nil {
		return err
	}
	if state == nil || state.Run != l.state.Run || state.Garbage {
		return errTaken
	}
	l.etag = etag
	return nil
}

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
func (s *Store) readOpen(ctx context.Context, key string) (*openState, string, error) {
	data, etag, err := s.getAll(ctx, key, maxOpen)
	if err != nil || data == nil {
		return nil, "", err
	}
	var state openState
	if json.Unmarshal(data, &state) != nil {
		state = openState{}
	}
	return &state, etag, nil
}

// reserve writes the open.json of a new copy, where there must be none. It also
// finds out whether the store keeps conditions, by breaking one.
func (s *Store) reserve(ctx context.Context, prefix string) (*lease, error) {
	l := &lease{store: s, key: s.key(prefix + "/" + openPath), state: newRun(s.self())}
	etag, err := s.putObject(ctx, l.key, l.state.encode(), "", condition{absent: true})
	if err != nil {
		return nil, err
	}
	l.etag = etag
	if !s.hasConditions() {
		return l, nil
	}
	l.state.Beat++
	c, err := s.api(ctx)
	if err != nil {
		return nil, err
	}
	etag, err = s.putOnce(ctx, c, l.key, l.state.encode(), "", condition{absent: true})
	switch {
	case err == nil:
		s.loseConditions()
		l.etag = etag
	case isTaken(err):
		l.state.Beat--
	default:
		return nil, fmt.Errorf("try whether a write can be refused: %w", err)
	}
	return l, nil
}
