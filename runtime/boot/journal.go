package boot

import (
	"bytes"
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"palhm/runtime/report"
)

// journalBoot is what the journal has of the boot before this one.
type journalBoot struct {
	unknown  string    // why it has nothing; "" = it has
	id       string    // of that boot, without dashes
	start    time.Time // of its first entry
	end      time.Time // of its last entry
	shutdown time.Time // when it began to go down; zero = that is not there
	goal     string    // what it went down for: "a reboot"; "" = not known
	stopped  bool      // the journal itself was stopped in order
	panic    string    // what the kernel said
	kernel   string    // its release
	last     []string  // the last messages
}

// The ids of messages, of sd-messages(3).
const (
	journalStarted = "f77379a8490b408bbf5f6940505a777b"
	journalStopped = "d93fb3c9c24d451a97cea615ce59c00b"
	shutdownBegins = "98268866d1d54a499c4e98921d93bc40" // of logind
	unitStarted    = "39f53479d3a045ac8e11786248231fbf"
)

// goals are the units that systemd reaches when it goes down.
var goals = map[string]string{
	"reboot.target": "a reboot", "poweroff.target": "a power-off", "halt.target": "a halt", "kexec.target": "a kexec", "shutdown.target": "",
}

const (
	tailEntries  = "2000" // how much of the end of a boot is read
	shownEntries = 5
)

func (s *Source) readJournal(ctx context.Context, id report.Fact[string]) journalBoot {
	j, err := s.previousBoot(ctx, plainID(id.Value))
	if err != nil {
		return journalBoot{unknown: message(err)}
	}
	if j.unknown != "" {
		return j
	}
	tail, err := s.entries(ctx, maxOutput, "--boot="+j.id, "--reverse", "--lines="+tailEntries)
	if err != nil {
		return journalBoot{unknown: message(err)}
	}
	if !slices.ContainsFunc(tail, entry.ofSystem) {
		return journalBoot{unknown: "it has nothing of the system that this user may read"}
	}
	j.readTail(tail)
	// The kernel's own first line names it.
	if first, err := s.entries(ctx, 64<<10, "--boot="+j.id, "_TRANSPORT=kernel"); err == nil {
		j.kernel = kernelOf(first)
	}
	return j
}

// plainID is a boot id as the journal writes it.
func plainID(id string) string { return strings.ToLower(strings.ReplaceAll(id, "-", "")) }

// previousBoot finds the boot before the one with an id.
func (s *Source) previousBoot(ctx context.Context, id string) (journalBoot, error) {
	if id == "" {
		return journalBoot{unknown: "the id of this boot is not known"}, nil
	}
	out, err := s.journalctl(ctx, maxOutput, "--list-boots", "--output=json")
	if err != nil {
		return journalBoot{}, err
	}
	boots := parseBoots(out)
	i := slices.IndexFunc(boots, func(b journalBoot) bool { return b.id == id })
	switch {
	case len(boots) == 0:
		return journalBoot{unknown: "it is empty"}, nil
	case i < 0:
		return journalBoot{unknown: "it has nothing of this boot"}, nil
	case i == 0:
		return journalBoot{unknown: "it has no boot before this one; it outlives a boot when there is a directory /var/log/journal"}, nil
	}
	return boots[i-1], nil
}

var bootLine = regexp.MustCompile(`(?m)^ *-?[0-9]+ ([0-9a-f]{32}) `)

// parseBoots reads the list of boots, the oldest first. Before version 251 journalctl
// prints a table whatever output it is asked for.
func parseBoots(out []byte) []journalBoot {
	var list []struct {
		ID    string `json:"boot_id"`
		First int64  `json:"first_entry"` // microseconds
	}
	var boots []journalBoot
	if json.Unmarshal(out, &list) == nil {
		for _, b := range list {
			boots = append(boots, journalBoot{id: b.ID, start: time.UnixMicro(b.First)})
		}
		return boots
	}
	for _, m := range bootLine.FindAllSubmatch(out, -1) {
		boots = append(boots, journalBoot{id: string(m[1])})
	}
	return boots
}

// readTail reads the entries at the end of the boot, the newest first.
func (j *journalBoot) readTail(tail []entry) {
	j.end = tail[0].time()
	decided := false
	for _, e := range tail {
		switch e.ID {
		case journalStopped, journalStarted:
			if !decided { // the journal is also stopped when it is updated
				j.stopped, decided = e.ID == journalStopped, true
			}
		case shutdownBegins:
			j.shutdown = e.time()
		case unitStarted:
			if goal, ok := goals[string(e.Unit)]; ok {
				j.shutdown = e.time()
				if goal != "" {
					j.goal = goal
				}
			}
		}
		if e.Transport == "kernel" && strings.Contains(string(e.Message), panicMark) {
			j.panic = oneLine(string(e.Message))
		}
	}
	for _, e := range slices.Backward(tail[:min(len(tail), shownEntries)]) {
		j.last = append(j.last, e.String())
	}
}

func kernelOf(entries []entry) string {
	for _, e := range entries {
		if rest, ok := strings.CutPrefix(string(e.Message), "Linux version "); ok {
			release, _, _ := strings.Cut(rest, " ")
			return release
		}
	}
	return ""
}

// entries asks for entries of the journal, at most max bytes of them.
func (s *Source) entries(ctx context.Context, max int64, args ...string) ([]entry, error) {
	const fields = "--output-fields=MESSAGE,MESSAGE_ID,SYSLOG_IDENTIFIER,UNIT,_TRANSPORT,_UID"
	out, err := s.journalctl(ctx, max, append([]string{"--output=json", fields}, args...)...)
	return parseEntries(out), err
}

func parseEntries(out []byte) []entry {
	var list []entry
	for line := range bytes.Lines(out) {
		var e entry
		if json.Unmarshal(line, &e) == nil { // the last line may be cut
			list = append(list, e)
		}
	}
	return list
}

func (s *Source) journalctl(ctx context.Context, max int64, args ...string) ([]byte, error) {
	argv := append([]string{"journalctl", "--quiet", "--no-pager"}, s.Journal...)
	return ask(ctx, commandTime, max, append(argv, args...)...)
}

// entry is an entry of the journal.
type entry struct {
	Time      string `json:"__REALTIME_TIMESTAMP"` // microseconds
	Message   field  `json:"MESSAGE"`
	ID        field  `json:"MESSAGE_ID"`
	Sender    field  `json:"SYSLOG_IDENTIFIER"`
	Unit      field  `json:"UNIT"`
	Transport field  `json:"_TRANSPORT"`
	UID       field  `json:"_UID"`
}

func (e entry) time() time.Time {
	n, err := strconv.ParseInt(e.Time, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMicro(n)
}

// ofSystem reports whether an entry is one that only who may read the journal of the
// system gets to see.
func (e entry) ofSystem() bool { return e.Transport == "kernel" || e.UID == "0" }

func (e entry) String() string {
	text := oneLine(string(e.Message))
	if e.Sender != "" {
		text = oneLine(string(e.Sender)) + ": " + text
	}
	if t := e.time(); !t.IsZero() {
		text = t.Format(time.TimeOnly) + " " + text
	}
	return text
}

// field is a field of an entry: a text, its bytes when it is not printable, a list
// when there are several, or null when it is very long (journalctl(1), -o json).
type field string

func (f *field) UnmarshalJSON(text []byte) error {
	var s string
	var list []field
	var raw []byte
	var numbers []uint8or
	switch {
	case json.Unmarshal(text, &s) == nil:
		*f = field(s)
	case json.Unmarshal(text, &numbers) == nil:
		for _, n := range numbers {
			raw = append(raw, byte(n))
		}
		*f = field(raw)
	case json.Unmarshal(text, &list) == nil && len(list) > 0:
		*f = list[0]
	}
	return nil
}

// uint8or keeps encoding/json from reading a list of bytes as base64.
type uint8or uint8

const maxLine = 300

// oneLine makes one line of a text, of a bearable length.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > maxLine {
		s = strings.ToValidUTF8(s[:maxLine], "") + "..."
	}
	return s
}
