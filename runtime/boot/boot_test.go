package boot_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"palhm/runtime/boot"
	"palhm/runtime/history"
	"palhm/runtime/plan"
	"palhm/runtime/report"
)

const (
	thisID = "2c2c2c2c-2c2c-2c2c-2c2c-2c2c2c2c2c2c"
	lastID = "1b1b1b1b-1b1b-1b1b-1b1b-1b1b1b1b1b1b"
)

var (
	lastBoot = time.Date(2026, 4, 30, 1, 0, 0, 0, time.UTC)
	down     = time.Date(2026, 5, 1, 1, 29, 31, 0, time.UTC)
	thisBoot = time.Date(2026, 5, 1, 1, 30, 12, 0, time.UTC)
)

// A host is the files of a host that has booted.
type host struct {
	t *testing.T
	boot.Source
}

func newHost(t *testing.T) *host {
	h := &host{t: t, Source: boot.Source{Host: "web1", History: "/state", Root: t.TempDir()}}
	h.write("/proc/stat", "cpu  1 2 3\nbtime 1777599012\nprocesses 5\n")
	h.write("/proc/uptime", "754.18 1400.00\n")
	h.write("/proc/sys/kernel/random/boot_id", thisID+"\n")
	h.write("/proc/sys/kernel/osrelease", "6.1.0-31-amd64\n")
	h.Journal = []string{"--directory=" + filepath.Join(h.Root, "journal")}
	h.write("/journal/none", "")
	return h
}

func (h *host) write(path, text string) {
	h.t.Helper()
	path = h.Root + path
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
}

// journal makes a journal of one that was exported.
func (h *host) journal(name string) *host {
	h.t.Helper()
	const program = "/lib/systemd/systemd-journal-remote"
	if _, err := os.Stat(program); err != nil {
		h.t.Skip("needs systemd-journal-remote")
	}
	h.pipe("testdata/"+name+".export", program, "--output="+filepath.Join(h.Root, "journal", "remote.journal"), "-")
	return h
}

// wtmp makes a wtmp of one that was dumped.
func (h *host) wtmp(name string) *host {
	h.t.Helper()
	if _, err := exec.LookPath("utmpdump"); err != nil {
		h.t.Skip("needs utmpdump")
	}
	h.write("/var/log/wtmp", string(h.pipe("testdata/"+name+".wtmp", "utmpdump", "--reverse")))
	return h
}

func (h *host) pipe(file, program string, args ...string) []byte {
	h.t.Helper()
	in, err := os.Open(file)
	if err != nil {
		h.t.Fatal(err)
	}
	defer in.Close()
	cmd := exec.Command(program, args...)
	cmd.Stdin = in
	out, err := cmd.Output()
	if err != nil {
		h.t.Fatalf("%s: %v", program, err)
	}
	return out
}

// dump leaves a file in pstore.
func (h *host) dump(path, text string, at time.Time) *host {
	h.t.Helper()
	h.write(path, text)
	if err := os.Chtimes(h.Root+path, at, at); err != nil {
		h.t.Fatal(err)
	}
	return h
}

func (h *host) collect() *report.Boot {
	h.t.Helper()
	return h.Collect(h.t.Context(), &plan.BootReport{LastBoot: true, Kernel: true, Cause: true})
}

// What cannot be read may be the routine that restarted the host: the report says so, and
// does not say that there was none.
func TestUnreadableHistory(t *testing.T) {
	record := func(h *host, at time.Time, text string) string {
		path := fmt.Sprintf("/state/routines/%020d-7.json", at.UnixNano())
		h.write(path, text)
		return path
	}
	const good = `{"boot_id": "` + lastID + `", "task": "update", "site": "/s", "pid": 7, "start": "2026-05-01T01:00:00Z", "end": "2026-05-01T01:29:20Z"}`
	t.Run("alone", func(t *testing.T) {
		h := newHost(t)
		path := record(h, down.Add(-time.Hour), "{")
		got := h.collect().Cause
		if !strings.Contains(got.Unknown, path) || !strings.Contains(got.Unknown, "unexpected end of JSON") {
			t.Errorf("got %+v, want that %s cannot be read", got, path)
		}
	})
	t.Run("beside the routine", func(t *testing.T) {
		h := newHost(t)
		record(h, down.Add(-30*time.Minute), good)
		path := record(h, down.Add(-time.Hour), "")
		b := h.collect()
		body := report.BootBody(b, &plan.BootReport{Cause: true})
		if len(b.Cause.Value) != 1 || !strings.Contains(body, "\n  cause-may-lack: ") || !strings.Contains(body, path) {
			t.Errorf("want the routine, and that %s cannot be read, got\n%s", path, body)
		}
	})
	t.Run("of this boot", func(t *testing.T) {
		h := newHost(t)
		record(h, down.Add(-30*time.Minute), good)
		record(h, thisBoot.Add(time.Minute), "")
		if b := h.collect(); len(b.Cause.Value) != 1 || b.Unread != "" {
			t.Errorf("got %+v and %q, want the routine alone", b.Cause, b.Unread)
		}
	})
}

const efiDump = "Panic#1 Part1\n<6>[   10.000000] usb 1-1: new device\n<0>[86400.123456] Kernel panic - not syncing: VFS: Unable to mount root fs\n<4>[86400.123460] CPU: 0 PID: 1 Comm: swapper/0 Not tainted\n"

func TestHowTheLastBootEnded(t *testing.T) {
	for _, tc := range []struct {
		name          string
		journal, wtmp string
		dump          func(*host)
		how           report.How
		at            string
		evidence      string
		messages      string
		kernel        string
	}{
		{name: "clean", journal: "clean", wtmp: "clean",
			how: report.CleanShutdown, at: "01:29:40", evidence: "the journal was stopped in order, for a reboot", kernel: "6.1.0-30-amd64"},
		{name: "clean, journal only", journal: "clean",
			how: report.CleanShutdown, at: "01:29:40", evidence: "the journal was stopped in order, for a reboot", kernel: "6.1.0-30-amd64"},
		{name: "clean, wtmp only", wtmp: "clean",
			how: report.CleanShutdown, at: "01:29:38", evidence: "wtmp has a record of the shutdown", kernel: "6.1.0-30-amd64"},
		{name: "the journal was on a disk that is unmounted early", journal: "hang", wtmp: "clean",
			how: report.CleanShutdown, at: "01:29:32", evidence: "wtmp has a record of the shutdown", kernel: "6.1.0-30-amd64"},
		{name: "hang on the way down", journal: "hang", wtmp: "crash",
			how: report.ShutdownStarted, at: "01:29:32", evidence: "the journal has the beginning of the shutdown, and ends on the way", messages: "System is rebooting", kernel: "6.1.0-30-amd64"},
		{name: "crash", journal: "crash", wtmp: "crash",
			how: report.CrashOrPower, at: "01:25:00", evidence: "the journal ends without a shutdown, and wtmp has no record of one; the kernel left no dump of a panic",
			messages: "sshd: Accepted publickey for root", kernel: "6.1.0-30-amd64"},
		{name: "crash, journal only", journal: "crash",
			how: report.CrashOrPower, at: "01:25:00", evidence: "the journal ends without a shutdown; the kernel", messages: "sshd", kernel: "6.1.0-30-amd64"},
		{name: "crash, wtmp only", wtmp: "crash",
			how: report.CrashOrPower, evidence: "wtmp has no record of a shutdown; the kernel", kernel: "6.1.0-30-amd64"},
		{name: "panic in the journal", journal: "panic", wtmp: "crash",
			how: report.KernelPanic, at: "01:29:30", evidence: "the journal has the panic", messages: "Kernel panic - not syncing: Fatal exception in interrupt", kernel: "6.1.0-30-amd64"},
		{name: "panic in pstore", journal: "crash", wtmp: "crash",
			dump: func(h *host) { h.dump("/sys/fs/pstore/dmesg-efi-177759890001001", efiDump, down) },
			how:  report.KernelPanic, at: "01:25:00", evidence: "the kernel left a dump, /sys/fs/pstore/dmesg-efi-177759890001001",
			messages: "[86400.123456] Kernel panic - not syncing: VFS: Unable to mount root fs", kernel: "6.1.0-30-amd64"},
		{name: "panic that systemd-pstore has put away", wtmp: "crash",
			dump: func(h *host) {
				h.dump("/var/lib/systemd/pstore/1777598900/001/dmesg.txt", efiDump, thisBoot.Add(20*time.Second))
			},
			how: report.KernelPanic, evidence: "the kernel left a dump, /var/lib/systemd/pstore/1777598900/001/dmesg.txt", messages: "Comm: swapper/0", kernel: "6.1.0-30-amd64"},
		{name: "panic dated by a clock that was wrong", wtmp: "crash",
			dump: func(h *host) {
				h.dump("/sys/fs/pstore/dmesg-ramoops-0", efiDump, time.Unix(12, 0))
				h.dump("/sys/fs/pstore/dmesg-ramoops-1", efiDump, time.Unix(11, 0))
				h.dump("/sys/fs/pstore/dmesg-ramoops-2", "Oops#1 Part1\n", time.Unix(13, 0))
			},
			how: report.CrashOrPower, evidence: "wtmp has no record of a shutdown; of a panic there is a dump, /sys/fs/pstore/dmesg-ramoops-0, but its time is not known to be of that boot: 1970-01-01T", kernel: "6.1.0-30-amd64"},
		{name: "panic on the way down", journal: "clean", wtmp: "clean",
			dump: func(h *host) { h.dump("/sys/fs/pstore/dmesg-efi-1", efiDump, down) },
			how:  report.KernelPanic, at: "01:29:40", evidence: "the kernel left a dump", messages: "Kernel panic", kernel: "6.1.0-30-amd64"},
		{name: "old panics and a survived oops", journal: "clean", wtmp: "clean",
			dump: func(h *host) {
				h.dump("/sys/fs/pstore/dmesg-efi-1", efiDump, lastBoot.Add(-time.Hour))
				h.dump("/var/lib/systemd/pstore/1/001/dmesg.txt", efiDump, lastBoot.Add(time.Minute))
				h.dump("/sys/fs/pstore/dmesg-efi-2", "Oops#1 Part1\n<4>Oops: 0002 [#1] SMP\n", down)
				h.dump("/sys/fs/pstore/console-ramoops-0", efiDump, down)
			},
			how: report.CleanShutdown, at: "01:29:40", evidence: "the journal was stopped in order", kernel: "6.1.0-30-amd64"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHost(t)
			if tc.journal != "" {
				h.journal(tc.journal)
			}
			if tc.wtmp != "" {
				h.wtmp(tc.wtmp)
			}
			if tc.dump != nil {
				tc.dump(h)
			}
			b := h.collect()
			got := b.Ended.Value
			if b.Ended.Unknown != "" || got.How != tc.how || !strings.HasPrefix(got.Evidence, tc.evidence) {
				t.Errorf("got %+v, want %s: %s", b.Ended, tc.how, tc.evidence)
			}
			if text := strings.Join(got.Messages, "\n"); !strings.Contains(text, tc.messages) || (tc.messages == "") != (text == "") {
				t.Errorf("got messages %q, want %q among them", got.Messages, tc.messages)
			}
			if at := got.At.UTC().Format(time.TimeOnly); at != tc.at && (tc.at != "" || !got.At.IsZero()) {
				t.Errorf("got the last sign at %s, want %s", at, tc.at)
			}
			if b.KernelBefore.Value != tc.kernel || b.KernelNow.Value != "6.1.0-31-amd64" {
				t.Errorf("got kernels %+v, %+v, want %s", b.KernelBefore, b.KernelNow, tc.kernel)
			}
		})
	}
}

func TestWhatIsNotKnownSaysWhy(t *testing.T) {
	for _, tc := range []struct {
		name          string
		journal, wtmp string
		spoil         func(*host)
		why           string
	}{
		{name: "nothing", why: "journal: it is empty; wtmp: there is none"},
		{name: "a journal that does not outlive a boot", journal: "first", why: "journal: it has no boot before this one; it outlives a boot when there is a directory /var/log/journal; wtmp: there is none"},
		{name: "a journal that has ended before this boot", journal: "stale", why: "journal: it has nothing of this boot"},
		{name: "the journal of a user", journal: "user", why: "journal: it has nothing of the system that this user may read"},
		{name: "wtmp is no longer written", spoil: func(h *host) {
			h.wtmp("clean").write("/proc/stat", "btime 1777700000\n")
		}, why: "wtmp: the last boot that it has is of 2026-05-01T"},
		{name: "wtmp is garbage", spoil: func(h *host) { h.write("/var/log/wtmp", strings.Repeat("x", 768)) }, why: "wtmp: it has no form that is known here"},
		{name: "wtmp is cut", spoil: func(h *host) { h.write("/var/log/wtmp", "x") }, why: "wtmp: it has no form that is known here"},
		{name: "wtmp.1 is garbage", spoil: func(h *host) {
			h.wtmp("first").write("/var/log/wtmp.1", strings.Repeat("x", 768))
		}, why: "wtmp: it has no boot before this one; wtmp.1: it has no form that is known here"},
		{name: "wtmp is empty", spoil: func(h *host) { h.write("/var/log/wtmp", "") }, why: "wtmp: it has no boot"},
		{name: "no id", journal: "clean", spoil: func(h *host) { h.write("/proc/sys/kernel/random/boot_id", "") }, why: "journal: the id of this boot is not known"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHost(t)
			if tc.journal != "" {
				h.journal(tc.journal)
			}
			if tc.spoil != nil {
				tc.spoil(h)
			}
			b := h.collect()
			if !strings.Contains(b.Ended.Unknown, tc.why) || !strings.Contains(b.KernelBefore.Unknown, tc.why) {
				t.Errorf("got %+v and %+v, want unknown: %s", b.Ended, b.KernelBefore, tc.why)
			}
		})
	}
}

// Without the beginning of this boot no dump can be placed, and none is overlooked.
func TestDumpsWithoutATime(t *testing.T) {
	h := newHost(t).journal("crash")
	if err := os.Remove(h.Root + "/proc/stat"); err != nil {
		t.Fatal(err)
	}
	h.dump("/sys/fs/pstore/dmesg-efi-1", efiDump, down)
	h.dump("/var/lib/systemd/pstore/1/001/dmesg.txt", efiDump, down.Add(-time.Hour))
	if got := h.collect().Ended.Value; got.How != report.CrashOrPower || !strings.Contains(got.Evidence, "there is a dump, /sys/fs/pstore/dmesg-efi-1, but") {
		t.Errorf("got %+v, want a crash, and the dump", got)
	}
}

// A place for dumps that cannot be looked at may hold one.
func TestDumpsThatCannotBeRead(t *testing.T) {
	h := newHost(t).wtmp("crash")
	dir := h.Root + "/var/lib/systemd"
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, dir); err != nil {
		t.Fatal(err)
	}
	got := h.collect().Ended
	if !strings.Contains(got.Value.Evidence, "whether the kernel left a dump is not known: ") || !strings.Contains(got.Value.Evidence, "too many levels") {
		t.Errorf("got %+v, want that the dumps cannot be looked at", got)
	}
}

func TestHostWithoutProc(t *testing.T) {
	h := &host{t, boot.Source{Root: t.TempDir(), NoHistory: "there is no state directory"}}
	b := h.collect()
	for name, why := range map[string]string{
		"since": b.Since.Unknown, "uptime": b.Uptime.Unknown, "id": b.ID.Unknown, "kernel": b.KernelNow.Unknown,
		"ended": b.Ended.Unknown, "before": b.KernelBefore.Unknown, "cause": b.Cause.Unknown,
	} {
		if why == "" {
			t.Errorf("%s is known", name)
		}
	}
	if b.Zone == "" {
		t.Error("got no time zone")
	}
}

func TestFactsOfThisBoot(t *testing.T) {
	b := newHost(t).collect()
	if !b.Since.Value.Equal(thisBoot) || b.Uptime.Value != 754180*time.Millisecond || b.ID.Value != thisID {
		t.Errorf("got %+v, %+v, %+v", b.Since, b.Uptime, b.ID)
	}
}

const noWord = "it left no word of its end: it ran when the host went down, or was killed before"

const olderID = "0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a"

var never time.Time

func run(task, boot string, start, end time.Time) history.Run {
	return history.Run{Task: task, Site: "/s.star", BootID: boot, PID: os.Getpid(), Start: start, End: end}
}

func TestCause(t *testing.T) {
	begun := down.Add(-20 * time.Minute)
	all := []history.Run{
		run("old", olderID, lastBoot.Add(-time.Hour), never),
		run("morning", lastID, lastBoot, lastBoot.Add(time.Minute)),
		run("early", lastID, begun, down.Add(-10*time.Minute)),
		run("just before", lastID, begun.Add(time.Second), down.Add(-time.Minute)),
		run("on the way", lastID, begun.Add(2*time.Second), down.Add(3*time.Second)),
		run("running", lastID, begun.Add(3*time.Second), never),
		{Task: "killed", BootID: lastID, Start: begun.Add(4 * time.Second), Lost: true},
		run("now", thisID, thisBoot, never),
	}
	for _, tc := range []struct {
		name, journal, wtmp string
		want                []string
	}{
		{"the journal knows", "clean", "clean", []string{"just before: it ended 1 minute before the host went down", "on the way: it ended while the host went down", "running: " + noWord}},
		{"a crash", "crash", "", []string{"just before: it ended after the last entry of the journal", "on the way: it ended after the last entry of the journal", "running: " + noWord}},
		{"only wtmp", "", "clean", []string{"just before: it ended 1 minute before the host went down", "on the way: it ended 4 seconds before the host went down", "running: " + noWord}},
		{"neither", "", "", []string{
			"just before: it ended 1 minute before this boot; when the host went down is not known",
			"on the way: it ended 38 seconds before this boot; when the host went down is not known", "running: " + noWord}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHost(t)
			if tc.journal != "" {
				h.journal(tc.journal)
			}
			if tc.wtmp != "" {
				h.wtmp(tc.wtmp)
			}
			for _, r := range all {
				begin(t, h.Root+"/state", r)
			}
			b := h.collect()
			var got []string
			for _, r := range b.Cause.Value {
				got = append(got, r.Task+": "+r.Note)
			}
			if b.Cause.Unknown != "" || strings.Join(got, "\n") != strings.Join(tc.want, "\n") {
				t.Errorf("got %s\n%s\nwant\n%s", b.Cause.Unknown, strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
			}
		})
	}
}

// begin records a run as it was at its end.
func begin(t *testing.T, dir string, r history.Run) {
	t.Helper()
	rec, err := history.Begin(dir, r)
	if err == nil && !r.End.IsZero() {
		err = rec.End(r.End)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestNobodyIsToBlame(t *testing.T) {
	b := newHost(t).journal("clean").collect()
	if b.Cause.Unknown != "" || len(b.Cause.Value) != 0 || b.History != "/state" {
		t.Errorf("got %+v and %q, want no routine, and where they are recorded", b.Cause, b.History)
	}
}

// A run is not held to be of the boot before only because no later one is known.
func TestRunsOfOlderBoots(t *testing.T) {
	long := thisBoot.Add(-90 * 24 * time.Hour)
	for _, tc := range []struct {
		name, wtmp string
		run        history.Run
		unknown    string // "" = known that no run is to blame
	}{
		{"neither journal nor wtmp, no end", "", run("old", olderID, long, never),
			"which boot was the one before: journal: it is empty; wtmp: there is none; the last routine of an earlier boot that is recorded is old of /s.star, which began at 2026-01-31T"},
		{"neither, and an end", "", run("old", olderID, long, long.Add(time.Hour)), "and ended at 2026-01-31T"},
		{"neither, and a clock that was ahead", "", run("old", olderID, thisBoot.Add(time.Hour), never), "and left no word of its end"},
		{"wtmp, and a run just before that boot", "clean", run("old", olderID, lastBoot.Add(-5*time.Minute), never), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHost(t)
			if tc.wtmp != "" {
				h.wtmp(tc.wtmp)
			}
			begin(t, h.Root+"/state", tc.run)
			got := h.collect().Cause
			if len(got.Value) != 0 || !strings.Contains(got.Unknown, tc.unknown) || (tc.unknown == "") != (got.Unknown == "") {
				t.Errorf("got %+v, want %q", got, tc.unknown)
			}
		})
	}
}

// The journal may know which boot it was, and not when it ended.
func TestCauseWithoutAnyTime(t *testing.T) {
	h := newHost(t)
	if err := os.Remove(h.Root + "/proc/stat"); err != nil {
		t.Fatal(err)
	}
	begin(t, h.Root+"/state", run("old", lastID, lastBoot, down))
	if got := h.collect().Cause; !strings.Contains(got.Unknown, "/proc/stat") {
		t.Errorf("got %+v, want that the beginning of this boot is not known", got)
	}
}
