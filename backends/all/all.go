// Package all opens every kind of backend. The list is explicit: nothing registers
// itself.
package all

import (
	"fmt"

	"palhm/backends"
	"palhm/backends/localfs"
	"palhm/backends/null"
	"palhm/runtime/plan"
)

// Open returns the store that a plan names. It touches nothing yet.
func Open(b plan.Backend) (backends.Store, error) {
	switch {
	case b.Kind == "null":
		return null.Store{}, nil
	case b.Kind == "localfs" && b.LocalFS != nil:
		return openLocalFS(b.LocalFS)
	}
	return nil, fmt.Errorf("got backend %q, want null or localfs", b.Kind)
}

func openLocalFS(l *plan.LocalFS) (backends.Store, error) {
	s, err := localfs.New(localfs.Options{
		Root:         l.Root,
		DirMode:      l.DirMode,
		FileMode:     l.FileMode,
		BlockSize:    l.BlockSize,
		RequireMount: l.RequireMount,
	})
	if err != nil {
		return nil, err // and not a nil *Store in an interface, which is not nil
	}
	return s, nil
}
