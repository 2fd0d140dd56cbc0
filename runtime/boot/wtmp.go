package boot

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"palhm/runtime/report"
)

// wtmpBoot is what wtmp has of the boot before this one.
type wtmpBoot struct {
	unknown  string
	start    time.Time
	shutdown time.Time // zero = there is no record of a shutdown
	damaged  bool      // there is a record that cannot be read
	kernel   string
}

// The types of records, of utmp(5).
const (
	damaged  = -1 // ours: none of them
	empty    = 0
	runLevel = 1
	bootTime = 2
	maxType  = 9
)

const (
	maxWtmp = 4 << 20          // bytes read from the end of the file
	drift   = 10 * time.Minute // between the clock of the record of a boot and that of the kernel
)

func (s *Source) readWtmp(since report.Fact[time.Time]) wtmpBoot {
	records, rotated, err := s.wtmpRecords()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return wtmpBoot{unknown: "there is none"}
	case err != nil:
		return wtmpBoot{unknown: err.Error()}
	case since.Unknown != "":
		return wtmpBoot{unknown: since.Unknown}
	}
	b := lastBoot(records, since.Value)
	if b.unknown != "" && rotated != nil {
		b.unknown += "; wtmp.1: " + rotated.Error()
	}
	return b
}

// lastBoot finds the boot before the one that began at a time.
func lastBoot(records []wtmpRecord, since time.Time) wtmpBoot {
	now := lastOf(records, bootTime)
	if now < 0 {
		return wtmpBoot{unknown: "it has no boot"}
	}
	if off := records[now].time.Sub(since); off > drift || off < -drift {
		return wtmpBoot{unknown: fmt.Sprintf("the last boot that it has is of %s, and this one began at %s", records[now].time.Format(time.RFC3339), since.Format(time.RFC3339))}
	}
	before := lastOf(records[:now], bootTime)
	if before < 0 {
		return wtmpBoot{unknown: "it has no boot before this one"}
	}
	b := wtmpBoot{start: records[before].time, kernel: records[before].host}
	for _, r := range records[before:now] {
		b.damaged = b.damaged || r.kind == damaged
		if r.kind == runLevel && r.user == "shutdown" {
			b.shutdown = r.time
		}
	}
	return b
}

func lastOf(records []wtmpRecord, kind int16) int {
	for i := len(records) - 1; i >= 0; i-- {
		if records[i].kind == kind {
			return i
		}
	}
	return -1
}

// wtmpRecords reads wtmp, and before it the file that it was before it was rotated:
// rotated is why that cannot be read.
func (s *Source) wtmpRecords() (records []wtmpRecord, rotated, err error) {
	if records, err = readRecords(s.Root + "/var/log/wtmp"); err != nil {
		return nil, nil, err
	}
	earlier, rotated := readRecords(s.Root + "/var/log/wtmp.1")
	if errors.Is(rotated, fs.ErrNotExist) {
		rotated = nil
	}
	return append(earlier, records...), rotated, nil
}

func readRecords(path string) ([]wtmpRecord, error) {
	data, err := readTail(path)
	if err != nil {
		return nil, err
	}
	return parseWtmp(data)
}

// readTail reads the last bytes of a file, from where a record begins in any layout.
func readTail(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	const whole = 400 * 384
	if skip := info.Size() - maxWtmp; skip > 0 {
		if _, err := f.Seek((skip+whole-1)/whole*whole, io.SeekStart); err != nil {
			return nil, err
		}
	}
	return io.ReadAll(io.LimitReader(f, maxWtmp))
}

// wtmpRecord is a record of utmp(5).
type wtmpRecord struct {
	kind int16
	user string
	host string // of a boot, the release of the kernel
	time time.Time
}

// A layout is where the fields of a record lie. What comes before the time is the
// same in all of them: type, pid, line, id, user, host, exit status.
type layout struct {
	size   int
	time   int
	time64 bool
}

// layouts are those of glibc: with times of 32 bits, as on x86, and of 64 bits, as on
// arm64.
var layouts = []layout{{384, 340, false}, {400, 344, true}}

// parseWtmp reads the records in the layout in which most of them are good. One that
// was cut at the end of the file is left out.
func parseWtmp(data []byte) ([]wtmpRecord, error) {
	var records []wtmpRecord
	most := 0
	for _, l := range layouts {
		if list, good := l.parse(data); good > most {
			records, most = list, good
		}
	}
	if most == 0 && len(data) > 0 {
		return nil, errors.New("it has no form that is known here")
	}
	return records, nil
}

func (l layout) parse(data []byte) (records []wtmpRecord, good int) {
	for ; len(data) >= l.size; data = data[l.size:] {
		r := l.record(data)
		if r.kind > empty {
			good++
		}
		records = append(records, r)
	}
	return records, good
}

// record reads one record. In a wrong layout zeros are most of what is found, so that
// a record with a type but without a time is none.
func (l layout) record(data []byte) wtmpRecord {
	r := wtmpRecord{
		kind: int16(binary.NativeEndian.Uint16(data)),
		user: text(data[44:76]), host: text(data[76:332]),
		time: l.readTime(data[l.time:]),
	}
	if r.kind < empty || r.kind > maxType || r.kind != empty && r.time.Unix() == 0 {
		return wtmpRecord{kind: damaged}
	}
	return r
}

func (l layout) readTime(b []byte) time.Time {
	if l.time64 {
		return time.Unix(int64(binary.NativeEndian.Uint64(b)), 0)
	}
	return time.Unix(int64(binary.NativeEndian.Uint32(b)), 0)
}

// text is a field that ends at its first zero byte.
func text(b []byte) string {
	before, _, _ := bytes.Cut(b, []byte{0})
	return string(before)
}
