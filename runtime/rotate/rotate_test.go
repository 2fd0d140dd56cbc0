package rotate_test

import (
	"errors"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"palhm/backends"
	"palhm/runtime/plan"
	"palhm/runtime/rotate"
)

var now = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// mine is a copy of the host and task that the tests rotate, made age ago.
func mine(age time.Duration, size int64) backends.Info {
	t := now.Add(-age)
	return backends.Info{Prefix: backends.FormatPrefix(t, plan.PrefixISO), Time: t, Size: size, Host: "web1", Task: "nightly"}
}

func limit(s string) plan.Limit {
	if s == "" {
		return plan.Limit{}
	}
	n, ok := new(big.Int).SetString(s, 10)
	if !ok {
		panic(s)
	}
	return plan.NewLimit(n)
}

func query(copies, bytes string) rotate.Query {
	return rotate.Query{Host: "web1", Task: "nightly", Now: now, Limits: plan.Limits{Copies: limit(copies), Bytes: limit(bytes)}}
}

func removed(r rotate.Result) []string {
	names := []string{}
	for _, d := range r.Removals() {
		names = append(names, d.Copy.Prefix)
	}
	return names
}

func prefixes(infos ...backends.Info) []string {
	names := []string{}
	for _, c := range infos {
		names = append(names, c.Prefix)
	}
	return names
}

func TestSelect(t *testing.T) {
	day := 24 * time.Hour
	a, b, c, d := mine(4*day, 10), mine(3*day, 20), mine(2*day, 30), mine(day, 40)
	all := []backends.Info{c, a, d, b} // in no order: Select sorts
	huge1, huge2 := mine(2*day, 1<<53), mine(day, 6)
	for _, tt := range []struct {
		name          string
		copies        []backends.Info
		number, bytes string
		want          []string
		notice        string
	}{
		{"no copies", nil, "1", "1", prefixes(), ""},
		{"no limits", all, "", "", prefixes(), ""},
		{"number", all, "2", "", prefixes(a, b), ""},
		{"number of one", all, "1", "", prefixes(a, b, c), ""},
		{"number that holds", all, "4", "", prefixes(), ""},
		{"size", all, "", "90", prefixes(a), ""},
		{"size that holds exactly", all, "", "100", prefixes(), ""},
		{"size of the newest only", all, "", "40", prefixes(a, b, c), ""},
		{"both, size asks for more", all, "3", "70", prefixes(a, b), ""},
		{"both, number asks for more", all, "2", "90", prefixes(a, b), ""},
		{"newest alone is too large", all, "", "39", prefixes(), "newest copy"},
		{"newest alone is too large, number still holds", all, "3", "39", prefixes(a), "newest copy"},
		{"above 2^53, one too many", []backends.Info{huge1, huge2}, "", "9007199254740997", prefixes(huge1), ""},
		{"above 2^53, exactly", []backends.Info{huge1, huge2}, "", "9007199254740998", prefixes(), ""},
		{"above 2^53, by the one byte that a float loses", []backends.Info{huge1, mine(day, 1)}, "", "9007199254740992", prefixes(huge1), ""},
		{"sum above 2^63", []backends.Info{mine(3*day, 1<<62), mine(2*day, 1<<62), mine(day, 1<<62)}, "", "9223372036854775808", prefixes(mine(3*day, 0)), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := rotate.Select(tt.copies, query(tt.number, tt.bytes))
			if got := removed(r); !slices.Equal(got, tt.want) {
				t.Errorf("removed %v, want %v", got, tt.want)
			}
			if got := strings.Join(r.Notices, "\n"); (tt.notice == "") != (got == "") || !strings.Contains(got, tt.notice) {
				t.Errorf("notices %q, want %q", got, tt.notice)
			}
			if len(r.Decisions) != len(tt.copies) {
				t.Errorf("%d decisions for %d copies", len(r.Decisions), len(tt.copies))
			}
			for _, d := range r.Decisions {
				if d.Reason == "" {
					t.Errorf("no reason for %s of %s", d.Verdict, d.Copy.Prefix)
				}
			}
		})
	}
}

func TestSelectIgnores(t *testing.T) {
	day := 24 * time.Hour
	old, newest := mine(3*day, 10), mine(day, 10)
	python := backends.Info{Prefix: "2020-01-01T00:00:00+00:00", Time: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), Size: 5, Foreign: true}
	otherHost, otherTask := mine(30*day, 10), mine(29*day, 10)
	otherHost.Host, otherTask.Task = "web2", "hourly"
	damaged := mine(28*day, 0)
	damaged.Damage, damaged.Host, damaged.Task = errors.New("unexpected end of JSON input"), "", ""
	future := mine(-2*time.Hour, 10)
	soon := mine(-30*time.Minute, 10)

	t.Run("others stay and are not counted", func(t *testing.T) {
		r := rotate.Select([]backends.Info{otherHost, otherTask, damaged, old, newest}, query("2", "20"))
		if got := removed(r); len(got) != 0 {
			t.Errorf("removed %v, want nothing", got)
		}
		if len(r.Notices) != 1 || !strings.Contains(r.Notices[0], "unexpected end of JSON") {
			t.Errorf("notices %q, want one about the damaged copy", r.Notices)
		} else if !strings.Contains(r.Notices[0], "sha256sum -c .palhm/SHA256SUMS") || !strings.Contains(r.Notices[0], "move it out of the root or remove it") {
			t.Errorf("notice %q, want one that says what to do", r.Notices[0])
		}
	})
	t.Run("copies of the Python program count", func(t *testing.T) {
		r := rotate.Select([]backends.Info{old, newest, python}, query("2", ""))
		if got, want := removed(r), prefixes(python); !slices.Equal(got, want) {
			t.Errorf("removed %v, want %v", got, want)
		}
	})
	t.Run("a copy dated ahead pushes none out", func(t *testing.T) {
		r := rotate.Select([]backends.Info{old, newest, future}, query("2", ""))
		if got := removed(r); len(got) != 0 {
			t.Errorf("removed %v, want nothing", got)
		}
		if len(r.Notices) != 1 || !strings.Contains(r.Notices[0], future.Prefix) {
			t.Errorf("notices %q, want one about %s", r.Notices, future.Prefix)
		}
	})
	t.Run("a clock that is a little off counts", func(t *testing.T) {
		r := rotate.Select([]backends.Info{old, newest, soon}, query("2", ""))
		if got, want := removed(r), prefixes(old); !slices.Equal(got, want) {
			t.Errorf("removed %v, want %v", got, want)
		}
	})
}

// A copy that came about while ours was made, of the Python program or by a clock that
// jumped, does not push ours out.
func TestSelectKeepsTheCopyJustMade(t *testing.T) {
	day := 24 * time.Hour
	old, made := mine(day, 10), mine(time.Minute, 10)
	python := backends.Info{Prefix: "2026-05-01T11:59:30+00:00", Time: now.Add(-30 * time.Second), Size: 100, Foreign: true}
	q := query("1", "15")
	q.Made = made.Time
	for _, later := range []backends.Info{python, mine(0, 100)} {
		r := rotate.Select([]backends.Info{old, made, later}, q)
		if got, want := removed(r), prefixes(old); !slices.Equal(got, want) {
			t.Errorf("removed %v, want %v", got, want)
		}
		if len(r.Notices) != 1 || !strings.Contains(r.Notices[0], later.Prefix) {
			t.Errorf("notices %q, want one about %s", r.Notices, later.Prefix)
		}
	}
}

// Whatever the copies and limits are: the newest counted copy stays, what is
// ignored stays, what goes is older than what stays, and nothing goes that the
// limits do not ask for.
func TestSelectInvariants(t *testing.T) {
	for seed := range uint64(3000) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var copies []backends.Info
		for range rnd.IntN(12) {
			c := mine(time.Duration(rnd.IntN(100)-10)*time.Hour, int64(rnd.IntN(50)))
			switch rnd.IntN(6) {
			case 0:
				c.Host = "web2"
			case 1:
				c.Damage = errors.New("damaged")
			case 2:
				c.Foreign, c.Host, c.Task = true, "", ""
			}
			copies = append(copies, c)
		}
		q := query("", "")
		maxCopies, maxBytes := int64(1+rnd.IntN(6)), int64(1+rnd.IntN(150))
		q.Limits = plan.Limits{Copies: plan.NewLimit(big.NewInt(maxCopies)), Bytes: plan.NewLimit(big.NewInt(maxBytes))}
		checkInvariants(t, seed, rotate.Select(copies, q), maxCopies, maxBytes)
	}
}

func checkInvariants(t *testing.T, seed uint64, r rotate.Result, maxCopies, maxBytes int64) {
	t.Helper()
	var kept, gone []backends.Info
	for _, d := range r.Decisions {
		switch d.Verdict {
		case rotate.Keep:
			kept = append(kept, d.Copy)
		case rotate.Remove:
			gone = append(gone, d.Copy)
			if d.Copy.Damage != nil || d.Copy.Host == "web2" || d.Copy.Time.After(now.Add(rotate.Ahead)) {
				t.Errorf("seed %d: removed %+v", seed, d.Copy)
			}
		}
	}
	if len(gone) > 0 && len(kept) == 0 {
		t.Fatalf("seed %d: no copy is left", seed)
	}
	if len(kept) == 0 {
		return
	}
	var bytes int64
	for _, c := range kept {
		bytes += c.Size
	}
	newest := kept[len(kept)-1]
	if int64(len(kept)) > maxCopies {
		t.Errorf("seed %d: %d copies stay, the limit is %d", seed, len(kept), maxCopies)
	}
	if bytes > maxBytes && newest.Size <= maxBytes {
		t.Errorf("seed %d: %d bytes stay, the limit is %d", seed, bytes, maxBytes)
	}
	if len(gone) == 0 {
		return
	}
	last := gone[len(gone)-1]
	if last.Time.After(kept[0].Time) {
		t.Errorf("seed %d: %s went and the older %s stays", seed, last.Prefix, kept[0].Prefix)
	}
	if int64(len(kept)) < maxCopies && (newest.Size > maxBytes || bytes+last.Size <= maxBytes) {
		t.Errorf("seed %d: %s went for nothing", seed, last.Prefix)
	}
}

// Copies of the same task by other hosts are named: this one may have been one of them.
func TestSelectNamesOtherHosts(t *testing.T) {
	by := func(host, task string, age time.Duration) backends.Info {
		c := mine(age, 1)
		c.Host, c.Task = host, task
		return c
	}
	damaged := by("web7", "nightly", 9*time.Hour)
	damaged.Damage = errors.New("cut")
	foreign := by("", "", 8*time.Hour)
	foreign.Foreign = true
	all := []backends.Info{mine(time.Hour, 1), by("web3", "nightly", 2*time.Hour), by("web2", "nightly", 3*time.Hour), by("web3", "nightly", 4*time.Hour),
		by("web4", "hourly", 5*time.Hour), damaged, foreign}
	if got, want := rotate.Select(all, query("", "")).Hosts, []string{"web2", "web3"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
