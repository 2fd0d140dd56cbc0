package s3

import (
	"fmt"
	"math"
	"testing"
)

const (
	mib = 1 << 20
	gib = 1 << 30
	tib = 1 << 40
)

// walk adds up the parts of a stream of length bytes; ok = it fits.
func walk(s schedule, length int64) (parts int, ok bool) {
	for left := length; left > 0; parts++ {
		if parts == s.parts {
			return parts, false
		}
		left -= s.size(parts)
	}
	return parts, true
}

// lengths goes through every order of magnitude up to max, and around every power of
// two.
func lengths(max int64) (all []int64) {
	for n := int64(1); n <= max && n > 0; n += n/7 + 1 {
		all = append(all, n)
	}
	for n := int64(1); n <= max && n > 0; n *= 2 {
		all = append(all, n-1, n, n+1)
	}
	return append(all, max-1, max)
}

// TestScheduleReachesWhatItIsTold: every length up to the largest object of a store
// fits when it is known before, and is cut into parts that the store takes.
func TestScheduleReachesWhatItIsTold(t *testing.T) {
	for _, q := range []quirks{
		{maxParts: 10_000, largest: maxPart}, {maxParts: 1000, largest: maxPart}, {maxParts: 10_000, largest: 4 * gib},
		{maxParts: 10_000, largest: maxPart, equalParts: true}, {maxParts: 1000, largest: maxPart, equalParts: true},
		{maxParts: 10_000, largest: maxPart, partSize: 5 * mib}, {maxParts: 10_000, largest: maxPart, partSize: 64 * mib},
		{maxParts: 7, largest: 8 * mib},
	} {
		t.Run(fmt.Sprintf("%d parts, equal %v, from %d", q.maxParts, q.equalParts, q.partSize), func(t *testing.T) {
			for _, n := range lengths(q.largest * int64(q.maxParts)) {
				s := q.scheduleFor(n)
				if parts, ok := walk(s, n); !ok {
					t.Fatalf("%d bytes do not fit in %d parts, the first of %d bytes", n, parts, s.first)
				}
				check(t, s)
			}
		})
	}
}

// TestScheduleWithoutHint: nobody has to know the length of what is 7.8 TiB or less.
func TestScheduleWithoutHint(t *testing.T) {
	for _, c := range []struct {
		q     quirks
		reach float64 // TiB
	}{
		{quirks{maxParts: 10_000, largest: maxPart}, 7.8},
		{quirks{maxParts: 1000, largest: maxPart}, 0.78},
		{quirks{maxParts: 10_000, largest: maxPart, partSize: 64 * mib}, 22.4},
		{quirks{maxParts: 10_000, largest: 4 * gib, equalParts: true}, 625.0 / 1024},
	} {
		s := c.q.scheduleFor(0)
		if got := float64(s.reach()) / tib; math.Abs(got-c.reach) > c.reach/90 {
			t.Errorf("%+v: got a reach of %.3f TiB, want %.3f", c.q, got, c.reach)
		}
		for _, n := range lengths(s.reach()) {
			if _, ok := walk(s, n); !ok {
				t.Fatalf("%+v: %d bytes do not fit", c.q, n)
			}
		}
		if _, ok := walk(s, s.reach()+1); ok {
			t.Errorf("%+v: more than the reach fits", c.q)
		}
		check(t, s)
	}
}

// check that a store takes these parts, and that memory grows with the stream only.
func check(t *testing.T, s schedule) {
	t.Helper()
	var sum int64
	for i := range s.parts {
		size := s.size(i)
		switch {
		case size < defaultMinPart || size > s.largest:
			t.Fatalf("part %d of %+v has %d bytes", i, s, size)
		case s.equal && size != s.first:
			t.Fatalf("part %d of %+v has %d bytes, want equal parts", i, s, size)
		case !s.equal && i > 0 && size < s.size(i-1):
			t.Fatalf("part %d of %+v is smaller than the one before", i, s)
		case s.parts == defaultMaxParts && size > s.first && size < s.largest && size > sum/400:
			t.Fatalf("part %d of %+v has %d bytes after %d", i, s, size, sum)
		}
		sum += size
	}
}

// TestHintsThatAreWrong must not make a short stream expensive beyond reason.
func TestHintsThatAreWrong(t *testing.T) {
	q := quirks{maxParts: 10_000, largest: maxPart}
	for _, hint := range []int64{-1, 1, 8 * mib, 20 * gib, math.MaxInt64, 49 * tib} {
		if got := q.scheduleFor(hint).first; got != defaultPart {
			t.Errorf("hint %d: got a first part of %d bytes, want %d", hint, got, defaultPart)
		}
	}
	if got := q.scheduleFor(1 * tib).first; got < 300*mib || got > 400*mib {
		t.Errorf("hint 1 TiB: got a first part of %d MiB", got/mib)
	}
}
