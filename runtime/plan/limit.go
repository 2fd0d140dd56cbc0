package plan

import "math/big"

// Limit is an upper bound, exact whatever its size. The zero value is no bound.
type Limit struct {
	max *big.Int // nil = unlimited; never changed
}

// NewLimit returns the bound max. It keeps a copy of max.
func NewLimit(max *big.Int) Limit { return Limit{max: new(big.Int).Set(max)} }

// Unlimited reports whether there is no bound.
func (l Limit) Unlimited() bool { return l.max == nil }

// Exceeded reports whether n is above the bound.
func (l Limit) Exceeded(n *big.Int) bool { return l.max != nil && n.Cmp(l.max) > 0 }

// String gives the bound in digits, or "Infinity".
func (l Limit) String() string {
	if l.max == nil {
		return "Infinity"
	}
	return l.max.String()
}

// MarshalText makes a limit a string in JSON, so that no reader rounds it.
func (l Limit) MarshalText() ([]byte, error) { return []byte(l.String()), nil }
