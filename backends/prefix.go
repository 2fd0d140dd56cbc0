package backends

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"palhm/runtime/plan"
)

const (
	isoLayout     = "2006-01-02T15:04:05+00:00" // what "date --utc --iso-8601=seconds" prints
	compactLayout = "20060102T150405Z"
)

// FormatPrefix names a copy after the time at which its run began, to the second.
func FormatPrefix(t time.Time, f plan.PrefixFormat) string {
	if f == plan.PrefixCompact {
		return t.UTC().Format(compactLayout)
	}
	return t.UTC().Format(isoLayout)
}

// ParsePrefix returns the time that a copy's name says. A name is only accepted in
// the exact form in which FormatPrefix writes it.
func ParsePrefix(name string) (time.Time, plan.PrefixFormat, error) {
	for f, layout := range map[plan.PrefixFormat]string{plan.PrefixISO: isoLayout, plan.PrefixCompact: compactLayout} {
		t, err := time.Parse(layout, name)
		if err == nil && FormatPrefix(t, f) == name {
			return t.UTC(), f, nil
		}
	}
	return time.Time{}, "", fmt.Errorf("got %q, want the name of a copy, such as %s", name, "2022-05-01T06:59:17+00:00")
}

// SortInfos sorts copies by the time that their names say, the oldest first.
func SortInfos(infos []Info) {
	slices.SortFunc(infos, func(a, b Info) int {
		if c := a.Time.Compare(b.Time); c != 0 {
			return c
		}
		return strings.Compare(a.Prefix, b.Prefix)
	})
}
