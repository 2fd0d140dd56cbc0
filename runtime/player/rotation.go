package player

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"time"

	"palhm/backends"
	"palhm/runtime/engine"
	"palhm/runtime/plan"
	"palhm/runtime/simulate"
)

// maxCopies bounds how many copies are made in a simulate.Future.
const maxCopies = 10_000

// Rotate makes the copies of a backup one after the other, and rotates after each.
func (Player) Rotate(ctx context.Context, t *plan.Task, f simulate.Future) (*simulate.Rotation, error) {
	runs := int64(time.Duration(f.Days) * 24 * time.Hour / f.Every)
	switch {
	case t.Backup.Backends[0].Kind == "null":
		return nil, errors.New("the backup goes to null, which keeps no copies")
	case runs+int64(len(f.Found)) > maxCopies:
		return nil, fmt.Errorf("these are %d copies, the most are %d; look less far, or make fewer", runs+int64(len(f.Found)), maxCopies)
	}
	now, total := f.Now, new(big.Int)
	s := &store{backend: t.Backup.Backends[0], now: func() time.Time { return now }}
	const host = "localhost" // any name: all copies are this host's
	e := &engine.Engine{Open: func(plan.Backend) (backends.Store, error) { return s, nil }, Log: slog.New(slog.DiscardHandler), Host: host, Now: s.now}
	add := func(at time.Time, size int64) {
		at = at.UTC().Truncate(time.Second)
		total.Add(total, big.NewInt(size))
		s.copies = append(s.copies, backends.Info{Prefix: backends.FormatPrefix(at, t.Backup.Prefix), Time: at, Size: size, Host: host, Task: t.Name})
	}
	for i, size := range f.Found {
		add(f.Now.Add(-f.Every*time.Duration(len(f.Found)-i)), size)
	}
	out := &simulate.Rotation{PeakBytes: new(big.Int)}
	for i := range max(runs, 1) {
		now = f.Now.Add(f.Every * time.Duration(i))
		add(now, f.Sizes[min(int(i), len(f.Sizes)-1)])
		if total.Cmp(out.PeakBytes) > 0 {
			out.PeakBytes.Set(total)
		}
		out.PeakCopies = max(out.PeakCopies, len(s.copies))
		gone, problems, err := e.Rotate(ctx, t)
		if err != nil {
			return nil, err
		}
		for _, c := range gone {
			total.Sub(total, big.NewInt(c.Bytes))
			at, _, _ := backends.ParsePrefix(c.Prefix)
			out.Removed = append(out.Removed, simulate.Copy{Prefix: c.Prefix, Time: at, Size: c.Bytes, Removed: now, Reason: c.Reason})
		}
		for _, p := range problems {
			if !slices.Contains(out.Notices, p) {
				out.Notices = append(out.Notices, p)
			}
		}
	}
	left, err := e.Explain(ctx, t)
	for _, d := range left.Decisions {
		out.Left = append(out.Left, simulate.Copy{Prefix: d.Copy.Prefix, Time: d.Copy.Time, Size: d.Copy.Size, Reason: d.Reason})
	}
	return out, err
}
