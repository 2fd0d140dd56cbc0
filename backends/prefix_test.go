package backends_test

import (
	"testing"
	"time"

	"palhm/backends"
	"palhm/runtime/plan"
)

func TestFormatPrefix(t *testing.T) {
	at := time.Date(2022, 5, 1, 8, 59, 17, 999, time.FixedZone("", 2*3600))
	if got := backends.FormatPrefix(at, plan.PrefixISO); got != copy1 {
		t.Errorf("got %s, want %s", got, copy1)
	}
	if got := backends.FormatPrefix(at, plan.PrefixCompact); got != "20220501T065917Z" {
		t.Errorf("got %s, want 20220501T065917Z", got)
	}
}

func TestParsePrefix(t *testing.T) {
	want := time.Date(2022, 5, 1, 6, 59, 17, 0, time.UTC)
	for name, format := range map[string]plan.PrefixFormat{copy1: plan.PrefixISO, "20220501T065917Z": plan.PrefixCompact} {
		got, f, err := backends.ParsePrefix(name)
		if err != nil || got != want || f != format {
			t.Errorf("%s: got %v, %s, %v", name, got, f, err)
		}
	}
	for _, name := range []string{
		"", "1999", "0-my-photos", "lost+found", ".palhm", "latest", copy1 + " ", " " + copy1, copy1 + "/", copy1 + ".1",
		"2022-02-29T00:00:00+00:00", "2022-13-01T00:00:00+00:00", "2022-05-01T24:00:00+00:00", "2022-05-01T23:59:60+00:00",
		"2022-05-01T06:59:17+02:00", "2022-05-01T06:59:17-00:00", "2022-05-01T06:59:17Z", "2022-05-01 06:59:17+00:00",
		"2022-05-01T06:59:17.0+00:00", "2022-05-01T06:59:17,5+00:00", "2022-5-1T06:59:17+00:00", "2022-05-01T6:59:17+00:00",
		"20220229T000000Z", "20220501T065917", "20220501T065917z", "20220501T065917.5Z", "20220501t065917Z",
	} {
		if got, _, err := backends.ParsePrefix(name); err == nil {
			t.Errorf("%q: got %v, want an error", name, got)
		}
	}
}

// FuzzParsePrefix: what is accepted is exactly what would be written.
func FuzzParsePrefix(f *testing.F) {
	f.Add(copy1)
	f.Add("20220501T065917Z")
	f.Add("2022-05-01T06:59:17.000+00:00")
	f.Fuzz(func(t *testing.T, name string) {
		at, format, err := backends.ParsePrefix(name)
		if err != nil {
			return
		}
		if got := backends.FormatPrefix(at, format); got != name {
			t.Errorf("accepted %q, which is written %q", name, got)
		}
		if err := plan.CheckPath(name); err != nil {
			t.Errorf("accepted: %v", err)
		}
	})
}

// TestSortInfos by the time that a name says: as strings, the compact ones would
// come first.
func TestSortInfos(t *testing.T) {
	names := []string{"2022-05-01T06:59:17+00:00", "20220501T065917Z", "20220501T065918Z", "2022-05-02T00:00:00+00:00", "20230101T000000Z"}
	var infos []backends.Info
	for _, i := range []int{3, 1, 4, 0, 2} {
		at, _, err := backends.ParsePrefix(names[i])
		if err != nil {
			t.Fatal(err)
		}
		infos = append(infos, backends.Info{Prefix: names[i], Time: at})
	}
	backends.SortInfos(infos)
	for i, info := range infos {
		if info.Prefix != names[i] {
			t.Errorf("place %d: got %s, want %s", i, info.Prefix, names[i])
		}
	}
}
