package s3

import (
	"time"

	"palhm/backends"
)

// SetHost makes the store act as a process of another host, or of this one.
func (s *Store) SetHost(host, boot string, pid int) {
	s.self = func() identity {
		return identity{Host: host, Boot: boot, Space: "test", PID: pid, Start: "1"}
	}
}

// RemovedMark is the open.json of a copy that was removed.
const RemovedMark = removedMark

// Drop ends the signs of life of a copy that nobody ends, as the death of its process
// does.
func Drop(c backends.Copy) {
	k := c.(*Copy)
	k.stop()
	k.beats.Wait()
	k.lease.drop()
}

// SetDeadAfter shortens the hour after which a silent run is dead, and all others.
func (s *Store) SetDeadAfter(d time.Duration) { s.deadAfter = d }

// SetLargestCopy is as if one request could copy no more than n bytes.
func (s *Store) SetLargestCopy(n int64) { s.largestCopy = n }

// Used and Peak are how much of a budget is and was taken.
func (b *Budget) Used() int64 { b.mu.Lock(); defer b.mu.Unlock(); return b.used }
func (b *Budget) Peak() int64 { b.mu.Lock(); defer b.mu.Unlock(); return b.peak }

// Fill takes what is left of a budget.
func (b *Budget) Fill() { b.mu.Lock(); defer b.mu.Unlock(); b.used = b.size }

// RetryAfter is the pause that a header asks for.
var RetryAfter = parseRetryAfter
