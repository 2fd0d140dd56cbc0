// Package backends is the contract between the engine and the places where copies
// live, and the rules that hold for all of them: how a copy is named, what its
// manifest says, and what is checked around every Put and Commit so that a backend
// can stay simple.
//
// The promises, which backends/backendtest tests on every backend:
//
//  1. If the reader given to Put fails, nothing becomes visible at that path, and
//     Put's error wraps the reader's.
//  2. Nothing of a copy is listed, counted or rotated before Commit has returned.
//  3. Abort is safe after any failure, and twice.
//  4. After Commit has returned, a power cut loses nothing.
//  5. A process killed at any instruction leaves a committed copy or none, and
//     Recover, called by the next run on that root, removes what it left.
package backends

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Store is a root: the place where the copies of one or several tasks live. Its
// methods may be called concurrently, except that Recover must not run beside a
// Copy of the same root that is still open: a run holds the root's lock for as
// long as it uses it.
type Store interface {
	// Root names the place for a person: "/media/backup", "s3://bucket/root".
	Root() string

	// Begin starts a copy. It finds out now, before anything has run, whatever
	// would keep Commit from succeeding later: a root that cannot be written, a
	// prefix that is taken or that the store refuses. The caller ends the copy
	// with Commit or Abort. When ctx ends before that, the run was told to stop: from
	// then on a store that gives no answer need not be waited for.
	Begin(ctx context.Context, prefix string) (Copy, error)

	// List returns the committed copies, oldest first, and those made by the
	// Python program. It changes nothing, and a root that does not exist yet has
	// no copies.
	List(ctx context.Context) ([]Info, error)

	// Open returns the stored bytes of an object of a committed copy, or an error
	// that wraps fs.ErrNotExist. path may also be ManifestPath or SumsPath. The
	// caller closes the reader.
	Open(ctx context.Context, prefix, path string) (io.ReadCloser, error)

	// Remove takes a committed copy away. It stops being listed first, all at once.
	// A copy that is not there is no error.
	Remove(ctx context.Context, prefix string) error

	// Recover removes what dead runs left behind, and nothing else. The caller
	// holds the root's lock. A root that does not exist yet needs none.
	Recover(ctx context.Context) error
}

// Copy is a copy that is being made. Put may be called concurrently; Commit and
// Abort are called once the Puts have returned.
type Copy interface {
	// Put stores what r yields at path and returns the number of bytes stored. It
	// reads r until io.EOF and no further. sizeHint is the expected size in bytes,
	// or 0; a wrong one costs nothing but speed. After a failure Put may be
	// repeated for the same path; a path that has its object is refused. When ctx
	// is cancelled Put stops, and its error wraps the cause. When it fails while a
	// Read is under way it calls Interrupt. Call it through the function Put.
	Put(ctx context.Context, path string, r io.Reader, sizeHint int64) (int64, error)

	// Commit stores the manifest and makes the copy one. It does not stop when ctx
	// is cancelled. After an error the copy is not listed, and Abort removes it.
	// Call it through the function Commit.
	Commit(ctx context.Context, m *Manifest) error

	// Abort removes all of the copy. After Commit has succeeded it does nothing.
	Abort(ctx context.Context) error
}

// Locker is the optional ability of a Store to keep a second run away from its
// root. A store that keeps nothing has none.
type Locker interface {
	// Lock takes the lock of the root, waiting up to wait when another process has
	// it, and as long as ctx allows when this process has. The kernel frees it when
	// the process dies. The error is a *LockedError when somebody else has it.
	// release is called once.
	Lock(ctx context.Context, owner Owner, wait time.Duration) (release func() error, err error)
}

// Finder is the optional ability of a Store to say whether its root is there, for who
// must not make it: a root that is missing is often a disk that is not mounted.
type Finder interface {
	// Find changes nothing. The error wraps fs.ErrNotExist when there is no root.
	Find(ctx context.Context) error
}

// Warner is the optional ability of a Copy to tell what went less well than asked
// for, such as a refused preallocation, without having failed.
type Warner interface {
	// Warnings returns the warnings so far, in order. It may be called after
	// Commit or Abort.
	Warnings() []string
}

// Finisher is the optional ability of a Store to change a copy once it is safe:
// another storage class, a lock against removal.
type Finisher interface {
	// Finish does for the copy of that name, and for earlier copies whose finishing
	// was cut short, what is left to do. It is called after Commit and before old
	// copies are removed. A failure loses nothing, and the next call goes on. With an
	// empty prefix only the earlier copies are looked at.
	Finish(ctx context.Context, prefix string) error
}

// Keeper is the optional ability of a Store to keep copies from removal for a while.
type Keeper interface {
	// Kept returns the *RetainedError that Remove would return for a copy now, or nil.
	// It changes nothing.
	Kept(ctx context.Context, prefix string) error
}

// RetainedError is what Remove returns for a copy that the store keeps until a day
// to come. Nothing has failed: the copy is listed until it can be removed.
type RetainedError struct {
	Prefix string
	Until  time.Time // the zero value when no day is set, as with a legal hold
}

func (e *RetainedError) Error() string { return "copy " + e.Prefix + " is " + e.Reason() }

// Reason is the error without the name of the copy.
func (e *RetainedError) Reason() string {
	if e.Until.IsZero() {
		return "kept by a legal hold"
	}
	return "kept until " + e.Until.UTC().Format(time.RFC3339) + " by its lock"
}

// Owner says who holds a lock.
type Owner struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Task  string    `json:"task"`
	Since time.Time `json:"since"`

	// Process is a random text of the process's own. Two containers may have one
	// host name, and processes of one number in them.
	Process string `json:"process,omitempty"`
}

// SameProcess reports whether both are tasks of one process.
func (o Owner) SameProcess(p Owner) bool {
	return o.PID != 0 && o.PID == p.PID && o.Host == p.Host && o.Process == p.Process
}

// LockedError says that another run holds the lock of a root.
type LockedError struct {
	Root  string
	Owner Owner // the zero value when the holder could not be read
}

func (e *LockedError) Error() string {
	if e.Owner.PID == 0 {
		return fmt.Sprintf("%s is locked by another run", e.Root)
	}
	return fmt.Sprintf("%s is locked by process %d on %s, which has been running %q since %s",
		e.Root, e.Owner.PID, e.Owner.Host, e.Owner.Task, e.Owner.Since.UTC().Format(time.RFC3339))
}

// ErrPrefixTaken is what Begin's error wraps when something of that name is in the
// root already.
var ErrPrefixTaken = errors.New("the name is taken")

// Info describes a committed copy.
type Info struct {
	Prefix  string
	Time    time.Time // that the prefix says, UTC
	Size    int64     // bytes: the sum of the sizes of its objects
	Objects int
	Host    string // from the manifest; "" when Foreign
	Task    string // from the manifest; "" when Foreign
	Foreign bool   // made by the Python program: a valid timestamp and no manifest
	Damage  error  // not nil: it is a copy, but its manifest cannot be read, or names what is not there; Size, Objects, Host and Task are not known
}
