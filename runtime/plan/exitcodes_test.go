package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"palhm/runtime/plan"
)

// TestExitCodes has every form, and what looks like one.
func TestExitCodes(t *testing.T) {
	for expr, want := range map[string]plan.ExitCodes{
		"0": {0, 0}, "1": {1, 1}, "00": {0, 0}, "255": {255, 255}, "==0": {0, 0}, " == 3 ": {3, 3}, "==3": {3, 3},
		"<2": {0, 1}, "< 2": {0, 1}, "<1": {0, 0}, "<=2": {0, 2}, "<= 255": {0, 255}, "<=0": {0, 0},
		">200": {201, 255}, ">1": {2, 255}, ">=0": {0, 255}, ">=255": {255, 255}, ">254": {255, 255},
		"0-1": {0, 1}, "0 - 1": {0, 1}, "\t0 -\t1 ": {0, 1}, "3-3": {3, 3}, "0-255": {0, 255}, "007": {7, 7},
	} {
		got, err := plan.ParseExitCodes(expr)
		if err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", expr, got, err, want)
		}
	}
	for _, expr := range []string{
		"", " ", "0x", "0x1", "<=2junk", "0,1", "0, 1", "0-1-5", "<0", ">255", "0-300", "256", "<256", "1-0", "!=0", "-1", "=1", "<=", "==", ">", "-",
		"1-", "-1-2", "٣", "1_0", "+1", "1e1", "1.0", "= =1", "< =2", "<<2", "===1", "<=-1", "1 2", "0\n", "0\x00", "99999999999999999999", "None",
	} {
		if got, err := plan.ParseExitCodes(expr); err == nil {
			t.Errorf("%q: got %v, want an error", expr, got)
		} else if !strings.Contains(err.Error(), fmt.Sprintf("%q", expr)) {
			t.Errorf("%q: error %q does not quote it", expr, err)
		}
	}
}

func TestGood(t *testing.T) {
	for expr, good := range map[string][]int{"<2": {0, 1}, "0-1": {0, 1}, ">200": {201, 255}, ">=0": {0, 77, 255}, "1": {1}} {
		r, err := plan.ParseExitCodes(expr)
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range good {
			if !r.Good(code) {
				t.Errorf("%q: %d is bad, want good", expr, code)
			}
		}
	}
	for expr, bad := range map[string][]int{"<2": {2, 255}, "0-1": {2}, ">200": {200, 0}, "1": {0, 2}, ">=0": {-9, -13, 256}} {
		r, _ := plan.ParseExitCodes(expr)
		for _, code := range bad {
			if r.Good(code) {
				t.Errorf("%q: %d is good, want bad", expr, code)
			}
		}
	}
	if zero := (plan.ExitCodes{}); !zero.Good(0) || zero.Good(1) {
		t.Error("the zero value is not exactly 0")
	}
}

// FuzzParseExitCodes: no panic, no empty range, and String is read back.
func FuzzParseExitCodes(f *testing.F) {
	for _, expr := range []string{"0", "==3", "<2", "<=2", ">1", ">=0", "0-1", " 0 - 1 ", "0x", "<=2junk", "0,1", "1-0", "٣", "-1"} {
		f.Add(expr)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		r, err := plan.ParseExitCodes(expr)
		if err != nil {
			return
		}
		if r.Low < 0 || r.Low > r.High || r.High > 255 {
			t.Errorf("%q: got %d to %d", expr, r.Low, r.High)
		}
		if strings.Trim(expr, "0123456789<>=- \t") != "" {
			t.Errorf("%q was accepted", expr)
		}
		again, err := plan.ParseExitCodes(r.String())
		if err != nil || again != r {
			t.Errorf("%q: %q is read back as %v, %v", expr, r, again, err)
		}
	})
}
