// Package rotate decides which copies go. It is a pure function: copies and limits
// in, decisions and their reasons out.
package rotate

import (
	"fmt"
	"math/big"
	"slices"
	"time"

	"palhm/backends"
	"palhm/runtime/plan"
)

// Ahead is how far in the future a copy may be dated and still be counted. What is
// dated later was made with a wrong clock, or planted so that it pushes the real
// copies out.
const Ahead = time.Hour

// Query is what the decision depends on besides the copies.
type Query struct {
	Host   string // copies of other hosts and tasks are none of this rotation's business
	Task   string
	Now    time.Time
	Limits plan.Limits

	// Made is the time of the copy that has just been made; zero = none. What is
	// dated later is not counted, so that it cannot push that copy out: the Python
	// program may be writing it right now, or the clock has jumped.
	Made time.Time
}

// Verdict is what becomes of a copy.
type Verdict string

// The verdicts.
const (
	Keep   Verdict = "keep"
	Remove Verdict = "remove"
	Ignore Verdict = "ignore" // neither counted nor removed
)

// Decision is the verdict on one copy.
type Decision struct {
	Copy    backends.Info
	Verdict Verdict
	Reason  string // for a person
}

// Result is the verdict on every copy, the oldest first, and what the
// administrator should know besides.
type Result struct {
	Decisions []Decision
	Notices   []string // each is a reason to end the run with exit code 4
	Hosts     []string // other hosts that have copies of the task, sorted
}

// Removals returns the copies to remove, the oldest first.
func (r Result) Removals() []Decision {
	var out []Decision
	for _, d := range r.Decisions {
		if d.Verdict == Remove {
			out = append(out, d)
		}
	}
	return out
}

// Select decides which of the committed copies of a root go: the oldest first,
// until both limits hold, and never the newest. It keeps copies of other hosts and
// tasks, damaged ones and those dated ahead out of the count and out of danger.
func Select(copies []backends.Info, q Query) Result {
	sorted := slices.Clone(copies)
	backends.SortInfos(sorted)
	r := Result{Decisions: make([]Decision, 0, len(sorted))}
	counted := make([]int, 0, len(sorted)) // indices into r.Decisions, the oldest first
	for _, c := range sorted {
		d := Decision{Copy: c, Verdict: Keep}
		var notice string
		d.Reason, notice = q.ignores(c)
		if c.Damage == nil && !c.Foreign && c.Task == q.Task && c.Host != q.Host {
			r.Hosts = append(r.Hosts, c.Host)
		}
		if d.Reason != "" {
			d.Verdict = Ignore
		} else {
			counted = append(counted, len(r.Decisions))
		}
		if notice != "" {
			r.Notices = append(r.Notices, notice)
		}
		r.Decisions = append(r.Decisions, d)
	}
	if len(counted) > 0 {
		q.apply(&r, counted)
	}
	slices.Sort(r.Hosts)
	r.Hosts = slices.Compact(r.Hosts)
	return r
}

// ignores returns why c takes no part in the rotation, or "", and what there is to
// say about it.
func (q Query) ignores(c backends.Info) (reason, notice string) {
	switch {
	case c.Damage != nil:
		return "damaged", fmt.Sprintf("copy %s is neither counted nor removed: %v; see whether it is whole with sha256sum -c %s in it, then move it out of the root or remove it",
			c.Prefix, c.Damage, backends.SumsPath)
	case !c.Foreign && (c.Host != q.Host || c.Task != q.Task):
		return fmt.Sprintf("made by task %q on host %q", c.Task, c.Host), ""
	case c.Time.After(q.Now.Add(Ahead)):
		return "dated ahead", fmt.Sprintf("copy %s is dated ahead of this host's clock (%s): it is neither counted nor removed; if the clock is right, rename or remove the copy",
			c.Prefix, q.Now.UTC().Format(time.RFC3339))
	case !q.Made.IsZero() && c.Time.After(q.Made):
		return "dated after the copy that was just made", fmt.Sprintf("copy %s is dated after the one that was just made: it is neither counted nor removed; see whether another program writes to this root, or the clock has jumped",
			c.Prefix)
	}
	return "", ""
}

// apply decides about the counted copies.
func (q Query) apply(r *Result, counted []int) {
	newest := r.Decisions[counted[len(counted)-1]].Copy
	bytes := q.Limits.Bytes
	if bytes.Exceeded(big.NewInt(newest.Size)) {
		r.Notices = append(r.Notices, fmt.Sprintf("the newest copy %s alone has %d bytes, more than root_size_limit (%s): nothing is removed for size",
			newest.Prefix, newest.Size, bytes))
		bytes = plan.Limit{}
	}
	total := new(big.Int)
	for _, i := range counted {
		total.Add(total, big.NewInt(r.Decisions[i].Copy.Size))
	}
	for n, i := range counted[:len(counted)-1] {
		d := &r.Decisions[i]
		left := int64(len(counted) - n)
		switch {
		case q.Limits.Copies.Exceeded(big.NewInt(left)):
			d.Verdict, d.Reason = Remove, fmt.Sprintf("%d copies, nb_copy_limit is %s", left, q.Limits.Copies)
		case bytes.Exceeded(total):
			d.Verdict, d.Reason = Remove, fmt.Sprintf("%s bytes in %d copies, root_size_limit is %s", total, left, bytes)
		default:
			d.Reason = "within the limits"
			continue
		}
		total.Sub(total, big.NewInt(d.Copy.Size))
	}
	r.Decisions[counted[len(counted)-1]].Reason = "the newest copy"
}
