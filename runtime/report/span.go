package report

import (
	"fmt"
	"strings"
	"time"
)

// Span gives a time span in words, to the minute, or to the second when it is shorter
// than one: "2 days, 3 hours, 25 minutes".
func Span(d time.Duration) string {
	if d < time.Minute {
		return count(int64(d/time.Second), "second")
	}
	minutes := int64(d / time.Minute)
	var parts []string
	for _, part := range []struct {
		n    int64
		unit string
	}{{minutes / (24 * 60), "day"}, {minutes / 60 % 24, "hour"}, {minutes % 60, "minute"}} {
		if part.n > 0 {
			parts = append(parts, count(part.n, part.unit))
		}
	}
	return strings.Join(parts, ", ")
}

func count(n int64, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}
