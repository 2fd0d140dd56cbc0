package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The longest names that every backend takes: NAME_MAX of Linux file systems, and
// the length of an S3 key (Amazon S3 User Guide, "Naming Amazon S3 objects").
const (
	MaxComponent = 255  // bytes
	MaxKey       = 1024 // bytes, of ROOT/PREFIX/PATH
)

// MaxCAFile bounds a file with certificates, in bytes. The bundles that systems come with
// have less than 1 MiB.
const MaxCAFile = 16 << 20

// ReservedDir is the first component that no object's path may have: palhm keeps
// its own files of a copy below it.
const ReservedDir = ".palhm"

// CheckPath reports what is wrong with the path of an object. The rules are those
// of every backend at once, so that a copy can be carried from one to another.
// Whatever comes from a site, a manifest or a command line passes through here
// before it reaches a backend.
func CheckPath(path string) error {
	switch {
	case path == "":
		return fmt.Errorf("path is empty")
	case !utf8.ValidString(path):
		return fmt.Errorf("path %q is not UTF-8", path)
	case len(path) > MaxKey:
		return fmt.Errorf("path %.40q... is %d bytes long, the longest is %d", path, len(path), MaxKey)
	case path[0] == '/':
		return fmt.Errorf("path %q begins with a slash; it is relative to the copy", path)
	case strings.HasSuffix(path, "/"):
		return fmt.Errorf("path %q ends in a slash; it names a file", path)
	}
	for c := range strings.SplitSeq(path, "/") {
		if err := checkComponent(path, c); err != nil {
			return err
		}
	}
	if first, _, _ := strings.Cut(path, "/"); first == ReservedDir {
		return fmt.Errorf("path %q is below %s, which palhm keeps for itself", path, ReservedDir)
	}
	return nil
}

func checkComponent(path, c string) error {
	switch {
	case c == "":
		return fmt.Errorf("path %q has an empty component", path)
	case c == "." || c == "..":
		return fmt.Errorf("path %q has a component %q", path, c)
	case len(c) > MaxComponent:
		return fmt.Errorf("path %.40q... has a component of %d bytes, the longest is %d", path, len(c), MaxComponent)
	}
	for _, r := range c {
		if r == '\\' || unicode.IsControl(r) {
			return fmt.Errorf("path %q has the character %q", path, r)
		}
	}
	return nil
}

// CheckKey reports whether ROOT/PREFIX/PATH would be longer than every backend takes.
func (b Backend) CheckKey(format PrefixFormat, path string) error {
	if b.Root() == "" {
		return nil // nothing is kept
	}
	n := format.Len() + len("/") + len(path)
	if root := b.PathRoot(); root != "" {
		n += len(root) + len("/")
	}
	if n > MaxKey {
		return fmt.Errorf("path %s is %d bytes long with the backend's root and the prefix, the longest is %d", shortPath(path), n, MaxKey)
	}
	return nil
}

// shortPath quotes a path for an error, the beginning of a long one.
func shortPath(path string) string {
	const most = 60
	if len(path) <= most {
		return strconv.Quote(path)
	}
	return strconv.Quote(strings.ToValidUTF8(path[:most], "") + "...")
}

// CheckPaths reports paths that cannot stand in one copy: two that are the same,
// and one that would be both a file and a directory. Each conflict is given as
// indices into paths, the later declaration first.
func CheckPaths(paths []string) []PathConflict {
	order := make([]int, len(paths))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return compareByComponent(paths[i], paths[j]) })
	var found []PathConflict
	var open []int // the chain of paths that the current one may lie below
	for _, i := range order {
		for len(open) > 0 && !within(paths[open[len(open)-1]], paths[i]) {
			open = open[:len(open)-1]
		}
		if len(open) > 0 {
			other := open[len(open)-1]
			found = append(found, PathConflict{Index: max(i, other), Other: min(i, other)})
		}
		open = append(open, i)
	}
	slices.SortStableFunc(found, func(a, b PathConflict) int { return a.Index - b.Index })
	return found
}

// compareByComponent brings "a" and "a/b" together, with "a-b" after both: a slash
// sorts before every other byte.
func compareByComponent(a, b string) int {
	for i := range min(len(a), len(b)) {
		switch {
		case a[i] == b[i]:
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return 1
		default:
			return int(a[i]) - int(b[i])
		}
	}
	return len(a) - len(b)
}

// PathConflict is two paths that cannot stand in one copy.
type PathConflict struct {
	Index, Other int // Index > Other
}

// within reports whether path is dir or lies below it.
func within(dir, path string) bool {
	rest, ok := strings.CutPrefix(path, dir)
	return ok && (rest == "" || rest[0] == '/')
}
