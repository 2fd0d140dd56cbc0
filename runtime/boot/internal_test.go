package boot

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"palhm/runtime/report"
)

// record makes a record of wtmp in a layout.
func record(l layout, kind int16, user, host string, at int64) []byte {
	b := make([]byte, l.size)
	binary.NativeEndian.PutUint16(b, uint16(kind))
	copy(b[44:76], user)
	copy(b[76:332], host)
	if l.time64 {
		binary.NativeEndian.PutUint64(b[l.time:], uint64(at))
	} else {
		binary.NativeEndian.PutUint32(b[l.time:], uint32(at))
	}
	return b
}

func TestEachLayoutOfWtmp(t *testing.T) {
	for _, l := range layouts {
		data := append(record(l, bootTime, "reboot", "6.1", 1777510800), record(l, runLevel, "shutdown", "6.1", 1777598978)...)
		data = append(data, record(l, bootTime, "reboot", "6.2", 1777599014)...)
		records, err := parseWtmp(data)
		if err != nil {
			t.Fatal(err)
		}
		b := lastBoot(records, time.Unix(1777599012, 0))
		if b.unknown != "" || b.kernel != "6.1" || b.start.Unix() != 1777510800 || b.shutdown.Unix() != 1777598978 {
			t.Errorf("layout of %d bytes: got %+v", l.size, b)
		}
	}
}

func TestOnlyTheEndOfALongWtmpIsRead(t *testing.T) {
	for _, l := range layouts {
		root := t.TempDir()
		s := &Source{Root: root}
		path := filepath.Join(root, "var/log/wtmp")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		login := record(l, 7, "root", "", 1777510900)
		data := []byte(strings.Repeat(string(login), 2*maxWtmp/l.size+1))
		data = append(data, record(l, bootTime, "reboot", "6.1", 1777510800)...)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		records, _, err := s.wtmpRecords()
		if err != nil || len(records) > maxWtmp/l.size || records[len(records)-1].host != "6.1" {
			t.Errorf("layout of %d bytes: got %d records, %v", l.size, len(records), err)
		}
	}
}

func TestRotatedWtmpIsReadToo(t *testing.T) {
	root := t.TempDir()
	s, l := &Source{Root: root}, layouts[0]
	if err := os.MkdirAll(root+"/var/log", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"wtmp.1": record(l, bootTime, "reboot", "6.1", 1), "wtmp": record(l, bootTime, "reboot", "6.2", 2)} {
		if err := os.WriteFile(root+"/var/log/"+name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	records, _, err := s.wtmpRecords()
	if b := lastBoot(records, time.Unix(2, 0)); err != nil || b.kernel != "6.1" {
		t.Errorf("got %+v, %v", b, err)
	}
}

// What was cut or overwritten takes only itself away.
func TestDamagedWtmp(t *testing.T) {
	for _, l := range layouts {
		before, down, now := record(l, bootTime, "reboot", "6.1", 1777510800), record(l, runLevel, "shutdown", "6.1", 1777598978), record(l, bootTime, "reboot", "6.2", 1777599014)
		if alone, err := parseWtmp(append(bytes.Clone(before), now[:17]...)); err != nil || len(alone) != 1 || alone[0].time.Unix() != 1777510800 {
			t.Errorf("%d bytes, a record and a part of one: got %+v, %v", l.size, alone, err)
		}
		strange, none := record(l, 77, "x", "", 1777510900), make([]byte, l.size)
		for name, tc := range map[string]struct {
			data          [][]byte
			down, damaged bool
		}{
			"cut at its end":          {[][]byte{before, down, now, now[:17]}, true, false},
			"an unknown type":         {[][]byte{before, strange, down, now}, true, true},
			"the shutdown is damaged": {[][]byte{before, strange, now}, false, true},
			"an earlier damage":       {[][]byte{strange, before, down, now}, true, false},
			"empty records":           {[][]byte{none, before, none, down, now, none}, true, false},
		} {
			records, err := parseWtmp(bytes.Join(tc.data, nil))
			b := lastBoot(records, time.Unix(1777599012, 0))
			if err != nil || b.kernel != "6.1" || b.shutdown.IsZero() == tc.down || b.damaged != tc.damaged {
				t.Errorf("%d bytes, %s: got %+v, %v", l.size, name, b, err)
			}
		}
	}
}

func FuzzParseWtmp(f *testing.F) {
	f.Add(record(layouts[0], bootTime, "reboot", "6.1", 1))
	f.Add(record(layouts[1], bootTime, "reboot", "6.1", 1))
	f.Fuzz(func(_ *testing.T, data []byte) {
		if records, err := parseWtmp(data); err == nil {
			lastBoot(records, time.Unix(1, 0))
		}
	})
}

func FuzzJournal(f *testing.F) {
	f.Add(`[{"index":0,"boot_id":"x","first_entry":1}]`, `{"MESSAGE":[65,66],"__REALTIME_TIMESTAMP":"1"}`)
	f.Add(" 0 "+strings.Repeat("a", 32)+" Thu", `{"MESSAGE":null,"UNIT":["a","b"],"MESSAGE_ID":7}`)
	f.Fuzz(func(_ *testing.T, boots, line string) {
		parseBoots([]byte(boots))
		if list := parseEntries([]byte(line)); len(list) > 0 {
			new(journalBoot).readTail(list)
		}
	})
}

// A panic may come when the journal has been stopped, on the way down.
func TestPanicOutweighsAShutdown(t *testing.T) {
	stopped := journalBoot{stopped: true, shutdown: time.Unix(1, 0)}
	dump := previous{journal: stopped, wtmp: wtmpBoot{shutdown: time.Unix(1, 0)}, dumps: dumps{place: "/d"}}
	stopped.panic = panicMark
	for name, p := range map[string]previous{"dump": dump, "journal": {journal: stopped}} {
		if got := p.ending().Value; got.How != report.KernelPanic {
			t.Errorf("%s: got %+v, want a panic", name, got)
		}
	}
}

func TestDamageOfWtmpIsSaid(t *testing.T) {
	p := previous{journal: journalBoot{unknown: "it is empty"}, wtmp: wtmpBoot{damaged: true}}
	if got := p.ending().Value.Evidence; !strings.HasPrefix(got, "wtmp, which is damaged, has no record of a shutdown; ") {
		t.Errorf("got %q", got)
	}
}

func TestTableOfBootsFromAnOldJournalctl(t *testing.T) {
	a, b := strings.Repeat("a", 32), strings.Repeat("b", 32)
	got := parseBoots([]byte("IDX BOOT ID                          FIRST ENTRY\n-1 " + a + " Thu 2026-04-30 01:00:00 UTC—Fri 2026-05-01\n 0 " + b + " Fri 2026-05-01\n"))
	if len(got) != 2 || got[0].id != a || got[1].id != b {
		t.Errorf("got %+v", got)
	}
}

func TestFieldsOfEntries(t *testing.T) {
	list := parseEntries([]byte(`{"MESSAGE":[27,91,65],"UNIT":["a","b"],"SYSLOG_IDENTIFIER":null,"__REALTIME_TIMESTAMP":"x"}` + "\n" + `{"MESSAGE":"cut`))
	if len(list) != 1 || list[0].Message != "\x1b[A" || list[0].Unit != "a" || list[0].Sender != "" || !list[0].time().IsZero() {
		t.Errorf("got %+v", list)
	}
}

func TestJournalOfAUserIsNotTheSystems(t *testing.T) {
	own := parseEntries([]byte(`{"MESSAGE":"hello","_UID":"1000","_TRANSPORT":"journal"}`))
	system := parseEntries([]byte(`{"MESSAGE":"hello","_TRANSPORT":"kernel"}`))
	if own[0].ofSystem() || !system[0].ofSystem() {
		t.Error("an entry of a user counts as one of the system, or the other way round")
	}
}

func TestAnswersAreBounded(t *testing.T) {
	out, err := ask(t.Context(), time.Minute, 1000, "yes")
	if err != nil || len(out) != 1000 {
		t.Errorf("a flood: got %d bytes, %v", len(out), err)
	}
	_, err = ask(t.Context(), 10*time.Millisecond, 1000, "sh", "-c", "sleep 1000 & sleep 1000")
	if late := (*timeoutError)(nil); !errors.As(err, &late) || err.Error() != "sh gave no answer within 10ms" {
		t.Errorf("a program that hangs: got %v", err)
	}
	child := filepath.Join(t.TempDir(), "child")
	_, err = ask(t.Context(), time.Second, 1000, "sh", "-c", `sleep 1000 & echo $! >"$0"; wait`, child)
	if late := (*timeoutError)(nil); !errors.As(err, &late) || runs(t, child) {
		t.Errorf("a program that has started another: got %v, and that the other still runs: %v", err, runs(t, child))
	}
	_, err = ask(t.Context(), 10*time.Millisecond, 1000, "sh", "-c", "setsid sleep 10 & sleep 1000")
	if late := (*timeoutError)(nil); !errors.As(err, &late) {
		t.Errorf("a process that nobody can end: got %v", err)
	}
	_, err = ask(t.Context(), time.Minute, 1000, "sh", "-c", "yes | head -c 1000000 >&2; exit 3")
	if err == nil || err.Error() != "sh: y" {
		t.Errorf("a flood of complaints: got %v", err)
	}
	if _, err = ask(t.Context(), time.Minute, 1000, "no-such-program"); err == nil || err.Error() != "there is no no-such-program" {
		t.Errorf("no program: got %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("told to stop"))
	if _, err = Wait(ctx, time.Minute); err == nil || err.Error() != "told to stop" {
		t.Errorf("told to stop: got %v", err)
	}
}

// runs reports whether the process still runs whose number is in a file. Nobody may
// have waited for it.
func runs(t *testing.T, file string) bool {
	t.Helper()
	pid, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 { // SIGKILL takes a moment
		status, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/status")
		if err != nil || strings.Contains(string(status), "State:\tZ") {
			return false
		}
		time.Sleep(10 * time.Millisecond)
	}
	return true
}

// systemctl puts a program of that name in front of all others.
func systemctl(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "systemctl"), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestWait(t *testing.T) {
	for _, tc := range []struct{ script, known, unknown string }{
		{"echo running", "running", ""},
		{"echo degraded; exit 1", "degraded", ""},
		{"echo offline; exit 1", "", "systemd does not run here"},
		{"echo 'Failed to connect to bus' >&2; exit 1", "", "systemctl: Failed to connect to bus"},
		{"exit 0", "", "systemctl says nothing"},
		{"case $2 in --wait) exec sleep 1000;; esac; echo starting; exit 1", "starting, after 0 seconds of waiting", ""},
	} {
		systemctl(t, tc.script)
		limit := time.Minute
		if strings.Contains(tc.script, "sleep") {
			limit = 10 * time.Millisecond
		}
		got, err := Wait(t.Context(), limit)
		if err != nil || got.Value != tc.known || got.Unknown != tc.unknown {
			t.Errorf("%s: got %+v, %v", tc.script, got, err)
		}
	}
}

func TestFailedUnits(t *testing.T) {
	systemctl(t, `echo "● a.service loaded failed failed A"; echo "b.mount loaded failed failed B"`)
	if got := failedUnits(t.Context()); got.Unknown != "" || strings.Join(got.Value, " ") != "a.service b.mount" {
		t.Errorf("got %+v", got)
	}
	systemctl(t, `i=0; while [ $i -lt 105 ]; do echo "u$i.service loaded"; i=$((i+1)); done`)
	if got := failedUnits(t.Context()); len(got.Value) != maxUnits+1 || got.Value[maxUnits] != "and 5 more" {
		t.Errorf("got %d units, %v", len(got.Value), got.Unknown)
	}
	for script, want := range map[string]string{
		`echo "System has not been booted with systemd" >&2; [ $1 = list-units ] || echo offline; exit 1`: "systemd does not run here",
		`echo "Failed to connect to bus" >&2; exit 1`:                                                     "systemctl: Failed to connect to bus",
	} {
		systemctl(t, script)
		if got := failedUnits(t.Context()); got.Unknown != want {
			t.Errorf("got %+v, want %q", got, want)
		}
	}
}
