package s3

import "fmt"

// schedule says how large each part of an upload is. Nobody knows how long a stream
// will be, and an upload has a limited number of parts, so the parts grow: they
// double with every tenth of the parts that is used up. From 8 MiB on, 10,000
// parts hold 7.8 TiB, and one that has doubled is at most a five-hundredth of what
// went before it.
//
// Some stores want all parts but the last to be equal; then they are.
type schedule struct {
	first   int64 // bytes of the first part
	largest int64 // bytes that no part exceeds
	parts   int   // that an upload may have
	equal   bool
}

// roundUp is what sizes of parts are rounded up to.
const roundUp = 8 << 20

// scheduleFor is the schedule of an object that is expected to be hint bytes long;
// 0 = nobody knows. A hint makes the first parts larger, so that fewer have to
// double; one that no upload could hold is ignored.
func (q quirks) scheduleFor(hint int64) schedule {
	s := schedule{first: q.partSize, largest: q.largest, parts: q.maxParts, equal: q.equalParts}
	if hint < 0 || hint > q.largest*int64(q.maxParts) {
		hint = 0
	}
	if s.first == 0 {
		s.first = s.firstFor(hint)
	}
	for hint > s.reach() && s.first < s.largest {
		s.first = min(2*s.first, s.largest)
	}
	return s
}

// firstFor leaves equal parts twice the room that the hint asks for; growing ones
// have all the room they want, and get a third of theirs in the first two sizes.
func (s schedule) firstFor(hint int64) int64 {
	if !s.equal {
		return s.clamp(ceilDiv(10*(hint>>2), 3*int64(s.parts)) << 2)
	}
	if hint == 0 {
		return s.clamp(defaultEqualPart)
	}
	return s.clamp(2 * ceilDiv(hint, int64(s.parts)))
}

func (s schedule) clamp(n int64) int64 {
	n = ceilDiv(n, roundUp) * roundUp
	return min(max(n, defaultPart), s.largest)
}

func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }

// size is how large part i is, counted from 0.
func (s schedule) size(i int) int64 {
	if s.equal {
		return s.first
	}
	size := s.first
	for range i / s.step() {
		if size >= s.largest/2 {
			return s.largest
		}
		size *= 2
	}
	return size
}

func (s schedule) step() int { return max(s.parts/10, 1) }

// reach is how many bytes fit in an upload.
func (s schedule) reach() (total int64) {
	for i := 0; i < s.parts; i += s.step() {
		total += s.size(i) * int64(min(s.step(), s.parts-i))
	}
	return total
}

// tooLong says what to do about a stream that no longer fits.
func (s schedule) tooLong() error {
	return fmt.Errorf("the stream is longer than the %d bytes that %d parts hold: set alloc_size of the object to about its size, or part_size to at least %d bytes",
		s.reach(), s.parts, min(2*s.first, s.largest))
}
