package report_test

import (
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"palhm/runtime/plan"
	"palhm/runtime/report"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var everything = plan.BootReport{
	Subject: "Boot report of {hostname}", Header: "{hostname} has booted.\n\nCall the office.",
	UptimeSince: true, Uptime: true, BootID: true, BootWait: "systemd", LastBoot: true, Kernel: true, FailedUnits: true, Cause: true,
}

// web1 is a host that a routine has restarted.
func web1() *report.Boot {
	at := func(h, m, s int) time.Time { return time.Date(2026, 5, 1, h, m, s, 0, time.FixedZone("CEST", 2*3600)) }
	return &report.Boot{
		Host: "web1", History: "/var/lib/palhm", Zone: "Europe/Berlin (CEST, +02:00)",
		Since:        report.Known(at(3, 30, 12)),
		Uptime:       report.Known(27*time.Hour + 62*time.Second),
		ID:           report.Known("0f3c7a52-4b1e-4d0b-9d0e-6f8f3a1c2b4d"),
		System:       report.Known("degraded"),
		Ended:        report.Known(report.Ending{How: report.CleanShutdown, At: at(3, 29, 40), Evidence: "the journal was stopped in order, for a reboot"}),
		KernelBefore: report.Known("6.1.0-30-amd64"),
		KernelNow:    report.Known("6.1.0-31-amd64"),
		Failed:       report.Known([]string{"nginx.service", `dev-disk-by\x2duuid.swap`}),
		Cause: report.Known([]report.RoutineAtEnd{
			{Task: "default", Site: "/etc/palhm/site.star", Start: at(3, 0, 0), End: at(3, 29, 30), Note: "it ended 10 seconds before the host went down"},
			{Task: "other", Site: "/srv/x: #y.star", Start: at(3, 0, 0), Signal: "SIGTERM", Note: "it left no word of its end: it ran when the host went down, or was killed before"},
		}),
	}
}

func crashed() *report.Boot {
	b := web1()
	b.Ended = report.Known(report.Ending{How: report.KernelPanic, Evidence: "pstore has a dump", Messages: []string{"Kernel panic - not syncing: Fatal exception", "---[ end ]---", "- x: y"}})
	b.Failed, b.Cause = report.Known[[]string](nil), report.Known[[]report.RoutineAtEnd](nil)
	return b
}

func blind() *report.Boot {
	return &report.Boot{
		Host: "web1", Zone: "UTC",
		Since:        report.Unknown[time.Time]("open /proc/stat: permission denied"),
		Uptime:       report.Unknown[time.Duration]("open /proc/uptime: permission denied"),
		ID:           report.Unknown[string]("open /proc/sys/kernel/random/boot_id: permission denied"),
		System:       report.Unknown[string]("systemd does not run here"),
		Ended:        report.Unknown[report.Ending]("there is no journal, and no wtmp"),
		KernelBefore: report.Unknown[string]("there is no journal, and no wtmp"),
		KernelNow:    report.Unknown[string]("x"),
		Failed:       report.Unknown[[]string]("systemd does not run here"),
		Cause:        report.Unknown[[]report.RoutineAtEnd]("open /var/lib/palhm: permission denied"),
	}
}

func TestBootBody(t *testing.T) {
	nothing := plan.BootReport{}
	for name, tc := range map[string]struct {
		boot    *report.Boot
		options *plan.BootReport
	}{"everything": {web1(), &everything}, "crashed": {crashed(), &everything}, "blind": {blind(), &everything}, "nothing": {web1(), &nothing}} {
		t.Run(name, func(t *testing.T) {
			got := report.BootBody(tc.boot, tc.options)
			file := "testdata/boot-" + name + ".yaml"
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil || got != string(want) {
				t.Errorf("got\n%swant\n%s(%v)", got, want, err)
			}
			parse(t, got)
		})
	}
}

// parse reads a body as the user's YAML parser does.
func parse(t *testing.T, body string) map[string]any {
	t.Helper()
	var doc map[string]map[string]any
	if err := yaml.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	if len(doc) != 1 || doc["boot-report"] == nil {
		t.Fatalf("got %v, want boot-report alone", doc)
	}
	return doc["boot-report"]
}

func TestBootBodyMeansWhatItSays(t *testing.T) {
	got := parse(t, report.BootBody(web1(), &everything))
	if since, ok := got["uptime-since"].(time.Time); !ok || !since.Equal(web1().Since.Value) {
		t.Errorf("got %v, want a time", got["uptime-since"])
	}
	if got["uptime"] != "1 day, 3 hours, 1 minute" || got["boot-id"] != web1().ID.Value {
		t.Errorf("got %v, %v", got["uptime"], got["boot-id"])
	}
	if units := got["failed-units"]; !reflect.DeepEqual(units, []any{"nginx.service", `dev-disk-by\x2duuid.swap`}) {
		t.Errorf("got %q", units)
	}
	cause := got["cause"].([]any)[1].(map[string]any)
	if cause["site"] != "/srv/x: #y.star" || cause["signal"] != "SIGTERM" {
		t.Errorf("got %v", cause)
	}
}

func TestOnlyHostnameIsReplaced(t *testing.T) {
	o := plan.BootReport{Subject: "{hostname} {x} {hostname.__class__} { {{hostname}}", Header: "{0} } {hostname}"}
	if got, want := report.BootSubject(web1(), &o), "web1 {x} {hostname.__class__} { {web1}"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := report.BootBody(web1(), &o); !strings.HasPrefix(got, "# {0} } web1\nboot-report:\n") {
		t.Errorf("got %q", got)
	}
}

// hostile are texts that a careless writer lets out of their place.
var hostile = []string{
	"", " ", "true", "No", "null", "~", "1", "1e5", "0x1f", "12:30", "2026-05-01", ".inf", "- x", "a: b", "a #b", "#", "*a", "&a", "!x", "|", ">", "%Y", "@", "`",
	"{}", "[]", "'", `"`, `\`, "---", "...", "a\nb: c", "\r\nboot-report: gone", "a\u2028b", "a\u0085b", "\x00\x1b[31m", "\xff\xfe", "\ufeff", "\U0001f600", "?", "? a", "a,b", "<<", "=",
}

// long are texts that fit on no line, with what must not be broken at any place.
func long() (list []string) {
	for i := range 3 {
		a := strings.Repeat("a", i)
		for _, unit := range []string{"é", "\x1b", "\u2028", "\U000e0001", "\U0001f600", `\`, `"`, " ", "# ", "word ", "x"} {
			list = append(list, a+strings.Repeat(unit, 900))
		}
	}
	return list
}

func TestHostileTextStaysText(t *testing.T) {
	for _, s := range append(hostile, long()...) {
		checkText(t, s)
	}
}

// A mailer breaks longer lines, wherever that is.
func checkLines(t *testing.T, body string) {
	t.Helper()
	for line := range strings.Lines(body) {
		if len(line) > 900 {
			t.Errorf("got a line of %d bytes: %.80q", len(line), line)
		}
	}
}

// What a reader of YAML 1.1 takes for something else than a text.
func TestWordsOfOldYAMLAreQuoted(t *testing.T) {
	for _, word := range []string{"y", "n", "yes", "no", "on", "off", "true", "false", "null", "Y", "No", "ON", "True"} {
		b := web1()
		b.Host = word
		if got, want := report.BootBody(b, &plan.BootReport{}), "\n  hostname: \""+word+"\"\n"; !strings.Contains("\n"+got, want) {
			t.Errorf("got %q, want %q in it", got, want)
		}
	}
}

func TestLongHeaderIsBrokenAtBlanks(t *testing.T) {
	o := plan.BootReport{Header: strings.Repeat("Runbook: see the wiki. ", 60)}
	var words []string
	for line := range strings.Lines(report.BootBody(web1(), &o)) {
		if comment, ok := strings.CutPrefix(line, "#"); ok {
			words = append(words, strings.Fields(comment)...)
		}
	}
	if got := strings.Join(words, " ") + " "; got != o.Header {
		t.Errorf("got %q", got)
	}
}

func FuzzBootBody(f *testing.F) {
	for _, s := range append(hostile, long()...) {
		f.Add(s)
	}
	f.Fuzz(checkText)
}

func checkText(t *testing.T, s string) {
	b := web1()
	b.Host, b.Failed = s, report.Known([]string{s, s})
	b.Cause = report.Known([]report.RoutineAtEnd{{Task: s, Site: s, Note: s}})
	o := everything
	o.Header = s
	body := report.BootBody(b, &o)
	checkLines(t, body)
	got := parse(t, body)
	if !utf8.ValidString(s) {
		return // such a text cannot be kept as it is; that it did no harm is enough
	}
	cause := got["cause"].([]any)[0].(map[string]any)
	for place, v := range map[string]any{"hostname": got["hostname"], "failed-units": got["failed-units"].([]any)[1], "cause": cause["note"]} {
		if v != s {
			t.Errorf("%s: got %#v, want %q", place, v, s)
		}
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 seconds", time.Second: "1 second", 59999 * time.Millisecond: "59 seconds", time.Minute: "1 minute",
		time.Hour: "1 hour", 25*time.Hour + 5*time.Minute: "1 day, 1 hour, 5 minutes", 48 * time.Hour: "2 days",
	} {
		if got := report.Span(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}
