package engine

import (
	"strings"
	"testing"

	"palhm/runtime/plan"
)

// A clock that is set changes no duration: what durations are taken of has the monotonic
// reading, see time.Time.String.
func TestDurationsAreMonotonic(t *testing.T) {
	e := new(Engine)
	if now := e.now(); !strings.Contains(now.String(), " m=") {
		t.Errorf("the time %s has no monotonic reading", now)
	}
	start := e.now()
	if end := e.endOf(start); !strings.Contains(end.String(), " m=") || end.Before(start) {
		t.Errorf("what began at %s ended at %s", start, end)
	}
	e.progress.begin("t", new(plan.Object), e.now())
	if p := e.Progress()[0]; !strings.Contains(p.Start.String(), " m=") {
		t.Errorf("the start %s of an object has no monotonic reading", p.Start)
	}
}
