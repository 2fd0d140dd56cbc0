package simulate

import (
	"errors"
	"fmt"
	"math/big"
	"time"

	"palhm/backends"
	"palhm/runtime/plan"
	"palhm/runtime/rotate"
)

// Future is what is to come of the copies of a backup.
type Future struct {
	Now   time.Time
	Days  int           // how far to look
	Every time.Duration // between two copies; the first one is made at Now
	Sizes []int64       // of the copies that are made, in bytes; the last one is that of all further ones
	Found []int64       // sizes of the copies that are there, the oldest first, Every apart and before Now
}

// Rotation is what becomes of the copies.
type Rotation struct {
	Left       []Copy // the oldest first
	Removed    []Copy // in the order in which they go
	PeakCopies int    // just before rotation, when a root holds most
	PeakBytes  *big.Int
	Notices    []string // each once: what palhm would report with exit code 4
}

// Copy is a copy and what becomes of it.
type Copy struct {
	Prefix  string
	Time    time.Time
	Size    int64
	Removed time.Time // zero = it stays
	Reason  string    // why it goes, or stays
}

// MaxCopies bounds how many copies are made in a Future.
const MaxCopies = 10_000

// Rotate makes the copies of a backup one after the other, and rotates after each, as
// "palhm run" does.
func Rotate(t *plan.Task, f Future) (*Rotation, error) {
	backend := t.Backup.Backends[0]
	runs := int64(time.Duration(f.Days) * 24 * time.Hour / f.Every)
	switch {
	case backend.Kind == "null":
		return nil, errors.New("the backup goes to null, which keeps no copies")
	case runs+int64(len(f.Found)) > MaxCopies:
		return nil, fmt.Errorf("these are %d copies, the most are %d; look less far, or make fewer", runs+int64(len(f.Found)), MaxCopies)
	}
	r := &rotation{task: t, backend: backend, seen: map[string]bool{}, out: &Rotation{PeakBytes: new(big.Int)}}
	for i, size := range f.Found {
		r.add(f.Now.Add(-f.Every*time.Duration(len(f.Found)-i)), size)
	}
	for i := range max(runs, 1) {
		now := f.Now.Add(f.Every * time.Duration(i))
		r.add(now, f.Sizes[min(int(i), len(f.Sizes)-1)])
		r.peak()
		r.rotate(now)
	}
	r.finish()
	return r.out, nil
}

type rotation struct {
	task    *plan.Task
	backend plan.Backend
	copies  []backends.Info
	last    rotate.Result
	seen    map[string]bool // notices
	out     *Rotation
}

func (r *rotation) add(at time.Time, size int64) {
	at = at.UTC().Truncate(time.Second)
	r.copies = append(r.copies, backends.Info{Prefix: backends.FormatPrefix(at, r.task.Backup.Prefix), Time: at, Size: size, Task: r.task.Name})
}

func (r *rotation) peak() {
	total := new(big.Int)
	for _, c := range r.copies {
		total.Add(total, big.NewInt(c.Size))
	}
	if total.Cmp(r.out.PeakBytes) > 0 {
		r.out.PeakBytes = total
	}
	r.out.PeakCopies = max(r.out.PeakCopies, len(r.copies))
}

// rotate removes what goes now. A copy whose objects are still locked stays, whatever the
// limits say.
func (r *rotation) rotate(now time.Time) {
	r.last = rotate.Select(r.copies, rotate.Query{Task: r.task.Name, Now: now, Made: r.copies[len(r.copies)-1].Time, Limits: r.backend.Limits})
	for _, n := range r.last.Notices {
		if !r.seen[n] {
			r.seen[n] = true
			r.out.Notices = append(r.out.Notices, n)
		}
	}
	r.copies = r.copies[:0]
	for i, d := range r.last.Decisions {
		if d.Verdict != rotate.Remove {
			r.copies = append(r.copies, d.Copy)
			continue
		}
		if until := r.locked(d.Copy); now.Before(until) {
			r.last.Decisions[i].Reason = "locked until " + until.Format(time.RFC3339)
			r.copies = append(r.copies, d.Copy)
			continue
		}
		r.out.Removed = append(r.out.Removed, Copy{d.Copy.Prefix, d.Copy.Time, d.Copy.Size, now, d.Reason})
	}
}

// locked says until when the store lets nobody remove a copy.
func (r *rotation) locked(c backends.Info) time.Time {
	if s := r.backend.S3; s != nil && s.LockMode != "" {
		return c.Time.AddDate(0, 0, s.LockDays)
	}
	return time.Time{}
}

func (r *rotation) finish() {
	reasons := map[string]string{}
	for _, d := range r.last.Decisions {
		reasons[d.Copy.Prefix] = d.Reason
	}
	for _, c := range r.copies {
		r.out.Left = append(r.out.Left, Copy{Prefix: c.Prefix, Time: c.Time, Size: c.Size, Reason: reasons[c.Prefix]})
	}
}
