package plan

import (
	"errors"
	"fmt"
	"slices"
)

// ErrNoObjects is why a backup fails whose functions gave no object, when it has no other.
var ErrNoObjects = errors.New("there are no objects: an empty copy would rotate a real one away")

// CheckMade checks the objects that the function of a group gave as loading checks all
// others: each path, and against all other objects of the copy that are known.
func (b *Backup) CheckMade(g *Group, known, made []*Object) error {
	fail := func(o *Object, err error) error {
		return fmt.Errorf("%s: objects of the function %s: %w", o.Pos, g.Make.Name, err)
	}
	all := slices.Concat(known, made)
	paths := make([]string, len(all))
	for i, o := range all {
		paths[i] = o.Path
		if i < len(known) {
			continue
		}
		if err := CheckPath(o.Path); err != nil {
			return fail(o, err)
		}
		if err := b.Backends[0].CheckKey(b.Prefix, o.Path); err != nil {
			return fail(o, err)
		}
	}
	if conflicts := CheckPaths(paths); len(conflicts) > 0 {
		o, other := all[conflicts[0].Index], all[conflicts[0].Other]
		if o.Path == other.Path {
			return fail(o, fmt.Errorf("two objects have the path %q; the other one is at %s", o.Path, other.Pos))
		}
		return fail(o, fmt.Errorf("paths %q and %q cannot be in one copy, one is a directory of the other; the other one is at %s", o.Path, other.Path, other.Pos))
	}
	return nil
}
