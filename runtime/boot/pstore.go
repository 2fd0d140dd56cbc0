package boot

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// dumps is what the kernel left of a panic in storage that outlives a boot.
type dumps struct {
	place    string    // the file; "" = there is none of that time
	messages []string  // what it says of the panic
	unread   error     // why not all of them could be looked at; nil = they could
	other    string    // the newest file that is not known to be of that time
	otherAt  time.Time // the time that it has
}

// panicMark begins what the kernel says when it gives up.
const panicMark = "Kernel panic - not syncing"

const (
	maxDumps = 200
	maxDump  = 256 << 10 // bytes
	slack    = time.Minute
)

// readDumps looks for a panic in pstore, where the kernel leaves it, and in the
// directory that systemd-pstore(8) moves it to. Only what is of the boot before
// counts, which began at start: dumps may lie there for years. A host whose clock was
// wrong dates them wrongly, so others are named. The zero time is not known.
func (s *Source) readDumps(start, since time.Time) dumps {
	if start.IsZero() && !since.IsZero() {
		start = since.Add(-24 * time.Hour)
	}
	var d dumps
	for _, dir := range []string{"/sys/fs/pstore", "/var/lib/systemd/pstore"} {
		seen := 0
		filepath.WalkDir(s.Root+dir, func(path string, e fs.DirEntry, err error) error { //nolint:errcheck // it is in d
			if err != nil {
				d.miss(err)
				return nil
			}
			if !e.Type().IsRegular() || !strings.HasPrefix(e.Name(), "dmesg") {
				return nil
			}
			if seen++; seen > maxDumps {
				return fs.SkipAll
			}
			info, err := e.Info()
			d.miss(err)
			if err == nil && d.place == "" {
				d.add(path, strings.TrimPrefix(path, s.Root), info.ModTime(), !since.IsZero() && ofLastBoot(info, start, since))
			}
			return nil
		})
	}
	return d
}

// ofLastBoot reports whether a dump is of the boot between start and since. The file
// that systemd puts together is written after that boot, all others keep the time of
// the panic.
func ofLastBoot(info fs.FileInfo, start, since time.Time) bool {
	if info.Name() == "dmesg.txt" {
		return !info.ModTime().Before(since.Add(-slack))
	}
	return !info.ModTime().Before(start) && !info.ModTime().After(since.Add(slack))
}

// telling are the lines of a dump that say what happened and where.
var telling = regexp.MustCompile(`Kernel panic|BUG: |Oops: |RIP: |Comm: |Hardware name: `)

// priority stands before a line of the kernel's log.
var priority = regexp.MustCompile(`^<[0-9]+>`)

// add takes a dump into account when it is of a panic, and not an oops that the kernel
// has survived.
func (d *dumps) add(path, shown string, at time.Time, last bool) {
	if !last && !at.After(d.otherAt) {
		return
	}
	text, err := readDump(path)
	d.miss(err)
	switch {
	case !strings.Contains(text, panicMark) && !strings.HasPrefix(text, "Panic#"):
	case last:
		d.place, d.messages = shown, tellingLines(text)
	default:
		d.other, d.otherAt = shown, at
	}
}

// miss notes that something could not be looked at. A place that is not there has
// nothing to look at.
func (d *dumps) miss(err error) {
	if err != nil && d.unread == nil && !errors.Is(err, fs.ErrNotExist) {
		d.unread = err
	}
}

// readDump reads the beginning of a dump.
func readDump(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxDump))
	return string(text), err
}

func tellingLines(text string) (list []string) {
	for line := range strings.Lines(text) {
		if telling.MatchString(line) && len(list) < 8 {
			list = append(list, oneLine(priority.ReplaceAllString(line, "")))
		}
	}
	return list
}
