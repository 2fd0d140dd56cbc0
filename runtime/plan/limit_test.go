package plan_test

import (
	"encoding/json"
	"math/big"
	"testing"

	"palhm/runtime/plan"
)

func number(t *testing.T, s string) *big.Int {
	t.Helper()
	n, ok := new(big.Int).SetString(s, 10)
	if !ok {
		t.Fatalf("%q is no number", s)
	}
	return n
}

// TestLimitIsExact beyond what a float holds.
func TestLimitIsExact(t *testing.T) {
	total := number(t, "9007199254740998")
	for limit, want := range map[string]bool{
		"9007199254740997": true, "9007199254740998": false, "9007199254740999": false,
		"99999999999999999999999999": false, "1": true,
	} {
		if got := plan.NewLimit(number(t, limit)).Exceeded(total); got != want {
			t.Errorf("limit %s: exceeded %v, want %v", limit, got, want)
		}
	}
}

func TestNoLimit(t *testing.T) {
	var l plan.Limit
	if !l.Unlimited() || l.Exceeded(number(t, "99999999999999999999999999")) || l.String() != "Infinity" {
		t.Errorf("the zero value is a limit: %s", l)
	}
	if plan.NewLimit(big.NewInt(1)).Unlimited() {
		t.Error("a limit of 1 is none")
	}
}

// TestLimitKeepsItsValue when its maker goes on counting.
func TestLimitKeepsItsValue(t *testing.T) {
	n := big.NewInt(5)
	l := plan.NewLimit(n)
	n.SetInt64(500)
	if !l.Exceeded(big.NewInt(6)) {
		t.Error("the limit has changed")
	}
}

// TestJSONIsExact: no reader rounds what is a string.
func TestJSONIsExact(t *testing.T) {
	got, err := json.Marshal(plan.Limits{Copies: plan.NewLimit(number(t, "18014398509481985"))})
	if want := `{"nb_copy_limit":"18014398509481985","root_size_limit":"Infinity"}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	got, err = json.Marshal(struct {
		Mode plan.Mode
		Pos  plan.Pos
		EC   plan.ExitCodes
	}{0o750, plan.Pos{File: "site.star", Line: 3, Col: 5}, plan.ExitCodes{High: 1}})
	if want := `{"Mode":"750","Pos":"site.star:3:5","EC":"0-1"}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestNamesOfThings(t *testing.T) {
	for got, want := range map[string]string{
		plan.Pos{}.String():                                     "-",
		(&plan.Secret{Env: "PW"}).String():                      `secret(env = "PW")`,
		(&plan.Secret{File: "/k"}).String():                     `secret(file = "/k")`,
		plan.Backend{Kind: "null"}.Root():                       "",
		plan.Backend{LocalFS: &plan.LocalFS{Root: "/r"}}.Root(): "/r",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	a, b := &plan.Task{Name: "a"}, &plan.Task{Name: "b"}
	if s := (&plan.Site{Tasks: []*plan.Task{a, b}}); s.Task("b") != b || s.Task("c") != nil {
		t.Error("Task finds the wrong one")
	}
	backup := plan.Backup{Groups: []*plan.Group{{Objects: make([]*plan.Object, 2)}, {}, {Objects: make([]*plan.Object, 3)}}}
	if got := backup.Objects(); got != 5 {
		t.Errorf("got %d objects, want 5", got)
	}
}
