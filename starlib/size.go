package starlib

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"

	"github.com/shopspring/decimal"
	"go.starlark.net/starlark"

	"palhm/runtime/plan"
)

// Numbers are bounded so that "1e999999999" in a site cannot eat the host's
// memory. Both bounds are far above what any disk holds.
const (
	maxNumberLen = 100
	maxExponent  = 60
)

// A quantity is a number of bytes or of things. Infinity has either sign.
type quantity struct {
	n        decimal.Decimal
	infinite bool
}

// parseQuantity reads a decimal number, with a unit when units is given. Units in
// i count by 1,024, the others by 1,000.
func parseQuantity(s string, units bool) (quantity, error) {
	text := strings.Trim(s, " \t")
	if isInfinity(text) {
		return quantity{infinite: true}, nil
	}
	if strings.EqualFold(strings.TrimLeft(text, "+-"), "nan") {
		return quantity{}, fmt.Errorf("got %q, want a number", clip(s))
	}
	number, unit := splitUnit(text)
	n, err := parseDecimal(number)
	if err != nil {
		return quantity{}, fmt.Errorf("got %q: %w", clip(s), err)
	}
	if unit == "" {
		return quantity{n: n}, nil
	}
	if !units {
		return quantity{}, fmt.Errorf("got %q, want a number without a unit", clip(s))
	}
	scale, err := unitScale(unit)
	if err != nil {
		return quantity{}, fmt.Errorf("got %q: %w", clip(s), err)
	}
	return quantity{n: n.Mul(decimal.NewFromBigInt(scale, 0))}, nil
}

func isInfinity(s string) bool {
	s = strings.ToLower(strings.TrimPrefix(strings.TrimPrefix(s, "+"), "-"))
	return s == "inf" || s == "infinity"
}

// splitUnit cuts the trailing letters off. The "e" of an exponent has a digit or
// a sign behind it, so it stays with the number.
func splitUnit(s string) (number, unit string) {
	number = strings.TrimRightFunc(s, func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	})
	return strings.TrimRight(number, " \t"), s[len(number):]
}

var (
	errNotNumber = errors.New(`want a number such as 7, "256MiB" or "Infinity"`)
	errExponent  = errors.New(`the exponent is out of range; "Infinity" switches a limit off`)
)

func parseDecimal(s string) (decimal.Decimal, error) {
	if len(s) > maxNumberLen {
		return decimal.Zero, fmt.Errorf("the number has more than %d characters", maxNumberLen)
	}
	mantissa, exponent, _ := strings.Cut(strings.Replace(s, "E", "e", 1), "e")
	digits, _ := cutNumber(strings.TrimLeft(mantissa, "+-"))
	if digits == "" || strings.Trim(exponent, "+-0123456789") != "" {
		return decimal.Zero, errNotNumber
	}
	if len(strings.TrimLeft(exponent, "+-0")) > len("999") {
		return decimal.Zero, errExponent
	}
	n, err := decimal.NewFromString(s)
	if err != nil {
		return decimal.Zero, errNotNumber
	}
	return n, checkExponent(n)
}

func checkExponent(n decimal.Decimal) error {
	if n.Exponent() > maxExponent || n.Exponent() < -maxNumberLen-maxExponent {
		return errExponent
	}
	return nil
}

func unitScale(unit string) (*big.Int, error) {
	scales := []struct {
		name       string
		base, each int64
	}{
		{"B", 1000, 0},
		{"kB", 1000, 1}, {"KB", 1000, 1}, {"MB", 1000, 2}, {"GB", 1000, 3}, {"TB", 1000, 4}, {"PB", 1000, 5}, {"EB", 1000, 6},
		{"KiB", 1024, 1}, {"MiB", 1024, 2}, {"GiB", 1024, 3}, {"TiB", 1024, 4}, {"PiB", 1024, 5}, {"EiB", 1024, 6},
	}
	var names []string
	for _, s := range scales {
		if s.name == unit {
			return new(big.Int).Exp(big.NewInt(s.base), big.NewInt(s.each), nil), nil
		}
		names = append(names, s.name)
	}
	if len(unit) == 1 && strings.Contains("kKMGTPEmgtpe", unit) {
		u := strings.ToUpper(unit)
		return nil, fmt.Errorf("unit %q can mean two things; write %siB (by 1,024) or %sB (by 1,000)", unit, u, strings.Replace(u, "K", "k", 1))
	}
	if i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, unit) }); i >= 0 {
		return nil, fmt.Errorf("unknown unit %q (did you mean %s?)", unit, names[i])
	}
	return nil, fmt.Errorf("unknown unit %q; units are B, KiB, MiB, GiB, TiB, PiB, EiB (by 1,024) and kB, MB, GB, TB, PB, EB (by 1,000)", clip(unit))
}

// toQuantity reads a number or a string. A bool is no number.
func toQuantity(v starlark.Value, units bool) (quantity, error) {
	switch v := v.(type) {
	case starlark.String:
		return parseQuantity(string(v), units)
	case starlark.Int:
		n := v.BigInt()
		if n.BitLen() > 4*maxNumberLen {
			return quantity{}, errors.New("the number is too large")
		}
		return quantity{n: decimal.NewFromBigInt(n, 0)}, nil
	case starlark.Float:
		f := float64(v)
		if math.IsInf(f, 0) {
			return quantity{infinite: true}, nil
		}
		if math.IsNaN(f) {
			return quantity{}, errors.New("got nan, want a number")
		}
		n := decimal.NewFromFloat(f)
		return quantity{n: n}, checkExponent(n)
	}
	if units {
		return quantity{}, fmt.Errorf(`got %s, want a number of bytes or a string such as "256MiB"`, describe(v))
	}
	return quantity{}, fmt.Errorf(`got %s, want a number or "Infinity"`, describe(v))
}

// toLimit reads a bound. Infinities of either sign switch it off; a bound below
// one would throw away what it should keep, so it is refused.
func toLimit(dst *plan.Limit, v starlark.Value, units bool) error {
	q, err := toQuantity(v, units)
	if err != nil {
		return err
	}
	if q.infinite {
		*dst = plan.Limit{}
		return nil
	}
	whole := q.n.Truncate(0)
	if whole.Sign() <= 0 {
		return fmt.Errorf(`got %s, want at least 1, or "Infinity" for no limit`, short(v))
	}
	*dst = plan.NewLimit(whole.BigInt())
	return nil
}

// toSize reads a number of bytes. Fractions of a byte are dropped.
func toSize(dst *int64, v starlark.Value) error {
	q, err := toQuantity(v, true)
	if err != nil {
		return err
	}
	if q.infinite {
		return fmt.Errorf("got %s, want a number of bytes", short(v))
	}
	whole := q.n.Truncate(0)
	switch {
	case q.n.Sign() < 0:
		return fmt.Errorf("got %s, want 0 or more", short(v))
	case whole.GreaterThan(decimal.NewFromInt(math.MaxInt64)):
		return fmt.Errorf("got %s, which is more than a file can hold", short(v))
	}
	*dst = whole.IntPart()
	return nil
}
