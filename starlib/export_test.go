package starlib

import "time"

// What the tests need of the package's inside.
var (
	LoadWithin     = load
	ParseOSRelease = parseOSRelease
	Nearest        = nearest
)

// ParseSize and ParseDuration read what a site gives as a string.
func ParseSize(s string) (string, error) {
	q, err := parseQuantity(s, true)
	if err != nil || q.infinite {
		return "Infinity", err
	}
	return q.n.Truncate(0).String(), nil
}

func ParseDuration(s string) (time.Duration, error) { return parseDuration(s) }
