package boot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"palhm/runtime/report"
)

// offline is what systemctl says where systemd does not run.
const (
	offline   = "offline"
	noSystemd = "systemd does not run here"
)

// Wait waits until systemd has started everything, and returns what it says of itself
// then: "running", "degraded", or any other word of systemctl(1), is-system-running.
// After limit it returns what systemd says at that moment. The error is that of ctx.
func Wait(ctx context.Context, limit time.Duration) (report.Fact[string], error) {
	out, err := ask(ctx, limit, maxStderr, "systemctl", "is-system-running", "--wait")
	if ctx.Err() != nil {
		return report.Fact[string]{}, context.Cause(ctx)
	}
	if late := (*timeoutError)(nil); errors.As(err, &late) {
		return askAgain(ctx, limit)
	}
	switch state := strings.TrimSpace(string(out)); state {
	case offline:
		return report.Unknown[string](noSystemd), nil
	case "", "unknown":
		return report.Unknown[string](orElse(message(err), "systemctl says nothing")), nil
	default:
		return report.Known(state), nil // what is not "running" has an exit code of its own
	}
}

// askAgain asks without waiting.
func askAgain(ctx context.Context, waited time.Duration) (report.Fact[string], error) {
	out, err := ask(ctx, commandTime, maxStderr, "systemctl", "is-system-running")
	if ctx.Err() != nil {
		return report.Fact[string]{}, context.Cause(ctx)
	}
	state := strings.TrimSpace(string(out))
	if state == "" {
		return report.Unknown[string](orElse(message(err), "systemctl says nothing")), nil
	}
	return report.Known(fmt.Sprintf("%s, after %s of waiting", state, report.Span(waited))), nil
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}

// maxUnits bounds the units that are named.
const maxUnits = 100

func failedUnits(ctx context.Context) report.Fact[[]string] {
	out, err := ask(ctx, commandTime, maxOutput, "systemctl", "list-units", "--failed", "--plain", "--full", "--no-legend", "--no-pager")
	if err != nil {
		state, _ := ask(ctx, commandTime, maxStderr, "systemctl", "is-system-running")
		if strings.TrimSpace(string(state)) == offline {
			return report.Unknown[[]string](noSystemd)
		}
		return report.Unknown[[]string](message(err))
	}
	var units []string
	more := 0
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(strings.TrimLeft(line, "●* "))
		if len(fields) == 0 {
			continue
		}
		if len(units) == maxUnits {
			more++
			continue
		}
		units = append(units, fields[0])
	}
	if more > 0 {
		units = append(units, fmt.Sprintf("and %d more", more))
	}
	return report.Known(units)
}
