package plan

import (
	"fmt"
	"strconv"
	"strings"
)

// ExitCodes is a range of good exit codes, both ends included. The zero value is
// "exactly 0". A process killed by a signal has no exit code, so it is in no range.
type ExitCodes struct {
	Low, High int // 0 to 255
}

const maxExitCode = 255

// ParseExitCodes reads "0", "==3", "<2", "<=2", ">1", ">=0" or "0-1"; blanks are
// allowed around each part. A range that no exit code (0 to 255) can be in is an
// error.
func ParseExitCodes(s string) (ExitCodes, error) {
	op, rest := cutOperator(strings.Trim(s, " \t"))
	var r ExitCodes
	var err error
	if low, high, isRange := strings.Cut(rest, "-"); op == "" && isRange {
		r.Low, err = exitCode(s, low)
		if err == nil {
			r.High, err = exitCode(s, high)
		}
	} else {
		var n int
		n, err = exitCode(s, rest)
		r = map[string]ExitCodes{
			"":   {n, n},
			"==": {n, n},
			"<":  {0, n - 1},
			"<=": {0, n},
			">":  {n + 1, maxExitCode},
			">=": {n, maxExitCode},
		}[op]
	}
	if err != nil {
		return ExitCodes{}, err
	}
	if r.Low > r.High {
		return ExitCodes{}, fmt.Errorf("exit codes %q: no exit code can match", s)
	}
	return r, nil
}

func cutOperator(s string) (op, rest string) {
	for _, op := range []string{"==", "<=", ">=", "<", ">"} {
		if rest, ok := strings.CutPrefix(s, op); ok {
			return op, rest
		}
	}
	return "", s
}

// exitCode reads one number of the expression whole. ParseUint refuses signs; the
// check for digits refuses what it would still allow, such as underscores.
func exitCode(whole, s string) (int, error) {
	s = strings.Trim(s, " \t")
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, fmt.Errorf(`exit codes: got %q, want a form like "0", "==3", "<2", "<=2", ">1", ">=0" or "0-1"`, whole)
	}
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n > maxExitCode {
		return 0, fmt.Errorf("exit codes %q: %s is above %d, the largest exit code", whole, s, maxExitCode)
	}
	return int(n), nil
}

// Good reports whether code is in the range.
func (r ExitCodes) Good(code int) bool { return r.Low <= code && code <= r.High }

// String gives an expression that ParseExitCodes reads back.
func (r ExitCodes) String() string {
	if r.Low == r.High {
		return strconv.Itoa(r.Low)
	}
	return fmt.Sprintf("%d-%d", r.Low, r.High)
}

// MarshalText makes the range an expression in JSON.
func (r ExitCodes) MarshalText() ([]byte, error) { return []byte(r.String()), nil }
