// Package history keeps a few lines about the routines that this host has run, so
// that after a boot it can be said which one was at work when the host went down.
//
// A run is a file of its own, which only the run itself writes: runs of other
// processes need no lock.
package history

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"palhm/runtime/host"
)

// Run is a routine that was run.
type Run struct {
	BootID   string    `json:"boot_id"` // of the boot in which it ran
	Task     string    `json:"task"`
	Site     string    `json:"site"` // absolute path
	PID      int       `json:"pid"`
	PIDStart uint64    `json:"pid_start,omitempty"` // see host.ProcessStart; 0 = not known
	Start    time.Time `json:"start"`
	End      time.Time `json:"end,omitzero"` // zero = it has not ended, or had no time to say so
	Signal   string    `json:"signal,omitempty"`
	SignalAt time.Time `json:"signal_at,omitzero"`
	Lost     bool      `json:"lost,omitempty"` // a later run found that the process was gone
}

// kept is how many runs are kept. A host that boots once a day is asked about the
// last one; a routine may be run every few minutes in between.
const kept = 64

// scratch is what a file is called until it is whole.
const scratch = ".run-*"

// maxRun bounds the file of a run, in bytes.
const maxRun = 64 << 10

// Record is a run that is under way. Its methods may be called concurrently.
type Record struct {
	path   string
	mu     sync.Mutex
	run    Run
	unread error // why run has no more than its start; nil = it is whole
}

// Unread is a run that is recorded, but cannot be read.
type Unread struct {
	Start time.Time
	Err   error // names the file
}

// routines is the directory below host.StateDir that has the runs.
const routines = "routines"

// Begin records below a directory that a run has begun, and forgets the oldest runs.
// The directory is made when it is not there.
func Begin(dir string, r Run) (*Record, error) {
	dir = filepath.Join(dir, routines)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	runs, err := list(dir)
	if err != nil {
		return nil, err
	}
	sweep(dir, r.Start)
	for _, old := range runs {
		if old.unread == nil {
			old.settle(r.BootID)
		}
	}
	for _, old := range runs[:max(0, len(runs)-kept+1)] {
		if err := os.Remove(old.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	name := fmt.Sprintf("%020d-%d.json", max(r.Start.UnixNano(), 0), r.PID)
	rec := &Record{path: filepath.Join(dir, name), run: r}
	return rec, rec.write()
}

// sweep removes what a run left that was killed while it wrote.
func sweep(dir string, now time.Time) {
	files, _ := filepath.Glob(filepath.Join(dir, scratch)) // the pattern is good
	for _, f := range files {
		if info, err := os.Stat(f); err == nil && now.Sub(info.ModTime()) > time.Hour {
			os.Remove(f) //nolint:errcheck // the next run tries again
		}
	}
}

// settle marks a run of this boot whose process is gone without a word, so that it
// is not held to have run until the host went down.
func (r *Record) settle(bootID string) {
	if r.run.BootID != bootID || !r.run.End.IsZero() || r.run.Lost {
		return
	}
	if host.IsGone(r.run.PID, r.run.PIDStart) {
		r.run.Lost = true
		_ = r.write() // it is only said less well
	}
}

// Signalled records that a signal asks the run to stop. The first one counts.
func (r *Record) Signalled(name string, at time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.run.Signal != "" {
		return nil
	}
	r.run.Signal, r.run.SignalAt = name, at
	return r.write()
}

// End records that the run has ended.
func (r *Record) End(at time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.run.End = at
	return r.write()
}

func (r *Record) write() error {
	text, err := json.Marshal(r.run)
	if err != nil {
		return err
	}
	return replace(r.path, append(text, '\n'))
}

// replace writes a file whole or not at all. It is synced, because the run may be
// about to restart the host.
func replace(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), scratch)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = cmp.Or(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		f.Close() //nolint:errcheck // the first error counts
		os.Remove(f.Name())
	}
	return err
}

// List returns the runs that are kept below a directory, and those that cannot be read,
// both the oldest first. A directory that is not there has none.
func List(dir string) (runs []Run, unread []Unread, err error) {
	records, err := list(filepath.Join(dir, routines))
	for _, r := range records {
		if r.unread != nil {
			unread = append(unread, Unread{r.run.Start, r.unread})
		} else {
			runs = append(runs, r.run)
		}
	}
	return runs, unread, err
}

func list(dir string) ([]*Record, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var records []*Record
	for _, e := range entries {
		start, ours := startOf(e.Name())
		if !ours || !e.Type().IsRegular() {
			continue
		}
		r := &Record{path: filepath.Join(dir, e.Name())}
		if r.unread = r.read(); r.unread != nil {
			r.run = Run{Start: start}
		}
		if !errors.Is(r.unread, fs.ErrNotExist) { // another run has just removed it
			records = append(records, r)
		}
	}
	slices.SortStableFunc(records, func(a, b *Record) int { return a.run.Start.Compare(b.run.Start) })
	return records, nil
}

// startOf is when a run began by the name of its file, which Begin has made.
func startOf(name string) (start time.Time, ours bool) {
	number, rest, ok := strings.Cut(name, "-")
	nano, err := strconv.ParseInt(number, 10, 64)
	return time.Unix(0, nano), ok && err == nil && len(number) == 20 && filepath.Ext(rest) == ".json"
}

func (r *Record) read() error {
	info, err := os.Stat(r.path)
	if err != nil {
		return err
	}
	if info.Size() > maxRun {
		return fmt.Errorf("%s is larger than %d bytes", r.path, maxRun)
	}
	text, err := os.ReadFile(r.path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &r.run); err != nil {
		return fmt.Errorf("%s: %w", r.path, err)
	}
	return nil
}
