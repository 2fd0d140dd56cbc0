package player

import (
	"context"
	"slices"
	"sync"
	"time"
)

// clock is time that only passes in Sleep.
type clock struct {
	all context.Context // of the whole simulation

	mu     sync.Mutex
	now    time.Time
	timers []*timer
}

// timer ends something.
type timer struct {
	from context.Context // nil = it runs
	d    time.Duration
	at   time.Time // when it is over, if it runs
	end  func()
}

// Now returns the simulated time.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Limit is engine.Engine.Limit by the simulated clock. All limited contexts end with the
// simulation, whatever they were made from.
func (c *clock) Limit(ctx, from context.Context, d time.Duration, cause error) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(c.all, func() { cancel(context.Cause(c.all)) })
	t := &timer{from: from, d: d, end: func() { cancel(cause) }}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timers = append(c.timers, t)
	c.wind()
	return ctx, func() {
		stop()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.timers = slices.DeleteFunc(c.timers, func(other *timer) bool { return other == t })
		cancel(nil)
	}
}

// wind starts the timers whose time has come.
func (c *clock) wind() {
	for _, t := range c.timers {
		if t.at.IsZero() && (t.from == nil || t.from.Err() != nil) {
			t.at = c.now.Add(t.d)
		}
	}
}

// Sleep lets the time pass until ctx ends, by one of the timers.
func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	until := c.now.Add(d)
	for ctx.Err() == nil {
		c.wind()
		next := -1
		for i, t := range c.timers {
			if !t.at.IsZero() && t.at.Before(until) && (next < 0 || t.at.Before(c.timers[next].at)) {
				next = i
			}
		}
		if next < 0 {
			c.now = until
			return nil
		}
		t := c.timers[next]
		c.timers = slices.Delete(c.timers, next, next+1)
		c.now = t.at
		t.end()
	}
	return context.Cause(ctx)
}
