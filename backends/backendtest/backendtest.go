// Package backendtest holds every backend to the contract of package backends. A
// backend's own tests call Run; what only that backend promises it tests itself.
package backendtest

import (
	"testing"

	"palhm/backends"
)

// Config describes the backend under test.
type Config struct {
	// New returns a store on a root of its own, empty or not made yet. Every check
	// calls it once.
	New func(t testing.TB) backends.Store

	// Reopen returns another store on the root of s, as another process has one.
	// nil means that s is used again.
	Reopen func(t testing.TB, s backends.Store) backends.Store

	// Plant stores content at ROOT/path behind the store's back, and Peek looks
	// for it. nil leaves out the checks about copies of the Python program, about
	// damage, and about what is not palhm's.
	Plant func(t testing.TB, s backends.Store, path, content string)
	Peek  func(t testing.TB, s backends.Store, path string) (content string, found bool)

	// Discards says that the backend keeps nothing. Then only what it reads, counts
	// and refuses is checked.
	Discards bool

	// Objects is how many objects the largest copy has; 0 = 500. A backend that is
	// far away may want fewer.
	Objects int
}

// check is one promise. It gets a testing.TB so that the suite can be tested itself.
type check struct {
	name  string
	run   func(t testing.TB, c Config)
	keeps bool // only for backends that keep what they get
}

// Run runs the suite.
func Run(t *testing.T, c Config) {
	t.Helper()
	for _, k := range checks() {
		if k.keeps && c.Discards {
			continue
		}
		t.Run(k.name, func(t *testing.T) { k.run(t, c) })
	}
}

func checks() []check {
	return []check{
		{"PutCounts", putCounts, false},
		{"PutReadsToEOF", putReadsToEOF, false},
		{"PutWrapsReaderError", putWrapsReaderError, false},
		{"PutStopsWhenCancelled", putStopsWhenCancelled, false},
		{"PutRefusesHostilePaths", putRefusesHostilePaths, false},
		{"BadNames", badNames, false},
		{"EmptyRoot", emptyRoot, false},
		{"AbortTwice", abortTwice, false},
		{"RoundTrip", roundTrip, true},
		{"OwnFiles", ownFiles, true},
		{"OddReaders", oddReaders, true},
		{"Hints", hints, true},
		{"FailedPutLeavesNothing", failedPutLeavesNothing, true},
		{"PutRepeated", putRepeated, true},
		{"PutTwice", putTwice, true},
		{"ConcurrentPuts", concurrentPuts, true},
		{"ManyObjects", manyObjects, true},
		{"InvisibleBeforeCommit", invisibleBeforeCommit, true},
		{"CommitIsNotInterrupted", commitIsNotInterrupted, true},
		{"AbortRemoves", abortRemoves, true},
		{"AbortAfterCommit", abortAfterCommit, true},
		{"NothingAfterEnd", nothingAfterEnd, true},
		{"BadManifest", badManifest, true},
		{"PrefixTaken", prefixTaken, true},
		{"ListOrder", listOrder, true},
		{"Remove", remove, true},
		{"RemoveLeavesOpenCopy", removeLeavesOpenCopy, true},
		{"RecoverAbandoned", recoverAbandoned, true},
		{"Foreign", foreign, true},
		{"Neighbours", neighbours, true},
		{"Damage", damage, true},
		{"Lock", lock, true},
		{"LockWaits", lockWaits, true},
	}
}
