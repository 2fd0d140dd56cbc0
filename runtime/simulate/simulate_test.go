package simulate_test

import (
	"fmt"
	"strings"
	"testing"

	"palhm/runtime/simulate"
)

func TestMatch(t *testing.T) {
	pipe := simulate.Event{Text: "tar -c /etc | zstd -3", Stages: []string{"tar -c /etc", "zstd -3"}}
	task := simulate.Event{Kind: simulate.Task, Text: "task:save"}
	for _, c := range []struct {
		pattern string
		event   simulate.Event
		want    bool
	}{
		{"tar -c /etc", pipe, true}, {"tar*", pipe, true}, {"*-3", pipe, true}, {"z*d*3", pipe, true}, {"*", pipe, true}, {"**", pipe, true},
		{"tar", pipe, false}, {"t*z*", pipe, false}, {"*etc | z*", pipe, true}, {"tar -c /etc | zstd -3", pipe, true}, {"tar | *", pipe, false},
		{"", pipe, false}, {"tar -c /etc*etc", pipe, false}, {"tar -c*-c /etc", pipe, false},
		{"task:save", task, true}, {"task:*", task, true}, {"*", task, false}, {"*save", task, false}, {"task:*", pipe, false},
		{"tar ?c /etc", pipe, false}, {"tar [-]c /etc", pipe, false},
	} {
		if got := simulate.Match(c.pattern, c.event); got != c.want {
			t.Errorf("%q on %q: got %v, want %v", c.pattern, c.event.Text, got, c.want)
		}
	}
}

// A pattern of many stars on a long line ends soon: nothing is tried twice.
func TestMatchIsLinear(t *testing.T) {
	line := strings.Repeat("a", 1<<20)
	pattern := strings.Repeat("*a", 10_000) + "*b"
	if simulate.Match(pattern, simulate.Event{Text: line, Stages: []string{line}}) {
		t.Error("it matches")
	}
}

func ExampleMatch() {
	e := simulate.Event{Text: "pg_dump shop | zstd", Stages: []string{"pg_dump shop", "zstd"}}
	fmt.Println(simulate.Match("pg_dump *", e), simulate.Match("pg_dump", e))
	// Output: true false
}
