package plan_test

import (
	"encoding/json"
	"testing"

	"palhm/runtime/plan"
)

func TestJSONHoldsNoValue(t *testing.T) {
	for _, c := range []struct {
		value any
		want  string
	}{
		{plan.EnvVar{Name: "PASS", Value: plan.Value{Text: "hunter2"}}, `{"name":"PASS"}`},
		{&plan.EnvVar{Name: "PASS", Value: plan.Value{Secret: &plan.Secret{Env: "DB"}}}, `{"name":"PASS","secret":{"env":"DB"}}`},
		{plan.Stdin{Content: &plan.Value{Text: "hunter2"}}, `{"bytes":7}`},
		{&plan.Stdin{Content: &plan.Value{Secret: &plan.Secret{File: "/k"}}}, `{"secret":{"file":"/k"}}`},
		{plan.Stdin{File: "/dump"}, `{"file":"/dump"}`},
	} {
		got, err := json.Marshal(c.value)
		if err != nil || string(got) != c.want {
			t.Errorf("got %s %v, want %s", got, err, c.want)
		}
	}
}
