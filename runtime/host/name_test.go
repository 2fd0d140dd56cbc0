package host_test

import (
	"os"
	"strings"
	"testing"

	"palhm/runtime/host"
)

func TestName(t *testing.T) {
	own, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for variable, want := range map[string]string{"web1": "web1", "": own, "w\xe9b": "w\xe9b"} {
		got, err := host.Name(func(name string) (string, bool) { return variable, name == "PALHM_HOST" })
		if err != nil || got != want {
			t.Errorf("PALHM_HOST=%s: got %q, %v, want %q", variable, got, err, want)
		}
	}
}

func TestCheckName(t *testing.T) {
	for name, why := range map[string]string{
		"web1": "", "web1.example.org": "", "wéb 1/☃": "", "(none)": "", strings.Repeat("x", 255): "",
		"": "empty", "w\xe9b": "not UTF-8", "a\nb": "cannot be printed", "a\u0085": "cannot be printed", "a\u202eb": "cannot be printed",
		strings.Repeat("x", 256): "at most 255",
	} {
		err := host.CheckName(name)
		if (err == nil) != (why == "") || err != nil && !strings.Contains(err.Error(), why) {
			t.Errorf("%.20q: got %v, want %q", name, err, why)
		}
	}
}
