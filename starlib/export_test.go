package starlib

import (
	"context"
	"time"

	"palhm/runtime/plan"
)

// What the tests need of the package's inside.
var (
	ParseOSRelease = parseOSRelease
)

// LoadWithin is Load or Check with another time limit.
func LoadWithin(ctx context.Context, cfg Config, file string, limit time.Duration, checking bool) (*plan.Site, *Findings, error) {
	return load(ctx, cfg, file, limits{limit, maxMemory}, checking)
}

// LoadInMemory is Load with another limit of memory, in bytes.
func LoadInMemory(ctx context.Context, cfg Config, file string, most uint64) (*plan.Site, *Findings, error) {
	return load(ctx, cfg, file, limits{timeLimit, most}, false)
}

// ParseSize reads what a site gives as a size.
func ParseSize(s string) (string, error) {
	q, err := parseQuantity(s, true)
	if err != nil || q.infinite {
		return "Infinity", err
	}
	return q.n.Truncate(0).String(), nil
}

// TestWithin is Test with another time limit for each test.
var TestWithin = testFile
