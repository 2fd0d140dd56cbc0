package secret

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"

	"palhm/runtime/plan"
)

// Seen remembers the values of secrets that were read, so that they can be kept out
// of a text that leaves the host. The zero value is empty; a nil one remembers
// nothing. It may be used by several goroutines.
type Seen struct {
	mu    sync.Mutex
	names map[string]string // what is hidden, and what stands in its place
}

// A text that is shorter is part of too many others.
const (
	shortest     = 4 // bytes, of a value
	shortestLine = 8 // bytes, of one line of many, as in a key
)

// Add remembers a value.
func (s *Seen) Add(secret *plan.Secret, value string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.names == nil {
		s.names = map[string]string{}
	}
	value = strings.TrimSuffix(value, "\n")
	if len(value) >= shortest {
		s.names[value] = secret.String()
	}
	if !strings.ContainsAny(value, "\r\n") {
		return
	}
	for line := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == '\r' || r == '\n' }) {
		if len(line) >= shortestLine {
			s.names[line] = secret.String()
		}
	}
}

// Hide returns a text with the names of the secrets in place of their values.
func (s *Seen) Hide(text string) string {
	if s == nil {
		return text
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// The longest first: one value may be part of another.
	longest := func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) }
	for _, value := range slices.SortedFunc(maps.Keys(s.names), longest) {
		text = strings.ReplaceAll(text, value, s.names[value])
	}
	return text
}
