package main

import (
	"fmt"

	"palhm/starlib"
)

// didYouMean returns ` (did you mean "x"?)` for the candidate that is nearest to
// name, or "" when none is near enough to have been meant.
func didYouMean(name string, candidates []string) string {
	best := starlib.Nearest(name, candidates)
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}
