package starlib

// What the tests need of the package's inside.
var (
	LoadWithin     = load
	ParseOSRelease = parseOSRelease
)

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
