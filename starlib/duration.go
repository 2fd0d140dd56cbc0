package starlib

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/shopspring/decimal"
	"go.starlark.net/starlark"
)

const durationForm = `a duration in quotes, such as "90s", "2h", "1h30m" or "7d"`

var errZeroDuration = errors.New("is zero")

// toDuration reads a duration above zero.
func toDuration(dst *time.Duration, v starlark.Value) error {
	s, ok := starlark.AsString(v)
	if !ok {
		if n, isInt := v.(starlark.Int); isInt && n.Sign() > 0 {
			return fmt.Errorf(`got %s, want %s; seconds are written "%ss"`, short(v), durationForm, short(v))
		}
		return fmt.Errorf("got %s, want %s", describe(v), durationForm)
	}
	d, err := ParseDuration(s)
	if err != nil {
		return err
	}
	*dst = d
	return nil
}

// toTimeout reads a duration above zero, where None is no limit.
func toTimeout(dst *time.Duration, v starlark.Value) error {
	return noneMeans("no limit", toDuration(dst, v))
}

// noneMeans adds to the error of a duration out of range what None would mean.
func noneMeans(what string, err error) error {
	if _, ok := errors.AsType[*rangeError](err); ok {
		return fmt.Errorf("%w; None means %s", err, what)
	}
	return err
}

// rangeError is a duration that can be read and not be used.
type rangeError struct {
	text string
	why  error
}

func (e *rangeError) Error() string { return fmt.Sprintf("duration %q %s", e.text, e.why) }
func (e *rangeError) Unwrap() error { return e.why }

// ParseDuration reads a time span above zero as a site writes it, numbers with units:
// "1h30m", "7d", "1.5h", "250ms".
func ParseDuration(s string) (time.Duration, error) {
	units := map[string]time.Duration{
		"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
	}
	bad := func() (time.Duration, error) {
		return 0, fmt.Errorf("got %q, want %s", clip(s), durationForm)
	}
	if len(s) > maxNumberLen {
		return bad()
	}
	total, largest := decimal.Zero, decimal.NewFromInt(math.MaxInt64)
	for rest := s; rest != ""; {
		number, tail := cutNumber(rest)
		unit, tail := cutLetters(tail)
		scale, known := units[unit]
		n, err := decimal.NewFromString(number)
		if number == "" || !known || err != nil {
			return bad()
		}
		total = total.Add(n.Mul(decimal.NewFromInt(int64(scale))))
		rest = tail
	}
	switch {
	case s == "":
		return bad()
	case total.GreaterThan(largest):
		return 0, &rangeError{s, errors.New("is too long")}
	case total.LessThan(decimal.NewFromInt(1)):
		return 0, &rangeError{s, errZeroDuration}
	}
	return time.Duration(total.IntPart()), nil
}

func cutNumber(s string) (number, rest string) {
	i, dots := 0, 0
	for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.') {
		if s[i] == '.' {
			dots++
		}
		i++
	}
	if dots > 1 || i > 0 && (s[0] == '.' || s[i-1] == '.') {
		return "", s
	}
	return s[:i], s[i:]
}

func cutLetters(s string) (letters, rest string) {
	i := 0
	for i < len(s) && (s[i] >= 'a' && s[i] <= 'z' || s[i] >= 'A' && s[i] <= 'Z') {
		i++
	}
	return s[:i], s[i:]
}
