package report_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"palhm/runtime/plan"
	"palhm/runtime/report"
)

func aRun() *report.Run {
	start := time.Date(2026, 5, 1, 1, 0, 0, 0, time.UTC)
	return &report.Run{Task: "backup", Start: start, End: start.Add(62*time.Minute + 3*time.Second), Copies: []report.Copy{
		{Task: "backup", Root: "/media/backup/web1", Prefix: "2026-05-01T01:00:00+00:00", Objects: 3, Bytes: 1 << 30, Duration: 2100 * time.Millisecond,
			Removed: []report.Removed{{Prefix: "2026-04-24T01:00:00+00:00", Bytes: 12, Reason: "more than 7 copies"}}},
		{Task: "other", Objects: 1},
	}}
}

func failed() *report.Notice {
	r := aRun()
	r.Copies = nil
	return &report.Notice{
		Host: "web1", Site: "/etc/palhm/site.star", Run: r, Exit: 1,
		Error: "task backup: object all.sql: stage 1 of 2 (pg_dump shop): exit code 1, want 0\n  in nightly(), called at site.star:3:1",
		Pos:   "site.star:12:5", Note: "the partial copy was removed",
		Stages: []report.Stage{
			{Error: "stage 1 of 2 (pg_dump shop): exit code 1, want 0", Stderr: []string{"  pg_dump: error: no\tconnection", "", "detail: # is the server up?", `\x1b[31mred`, strings.Repeat("x", 1000) + " why"}},
			{Error: "stage 2 of 2 (zstd): stopped by palhm (SIGTERM)"},
		},
		Also: []string{"task backup: object etc.tar: it failed: too"},
	}
}

func TestNotice(t *testing.T) {
	unwell := &report.Notice{Host: "web1", Site: "/s.star", Run: aRun(), Exit: 4}
	unwell.Run.After = []string{"backup: remove 2026-04-24T01:00:00+00:00: permission denied"}
	for name, n := range map[string]*report.Notice{
		"failed": failed(),
		"well":   {Host: "web1", Site: "/etc/palhm/site.star", Run: aRun()},
		"unwell": unwell,
	} {
		t.Run(name, func(t *testing.T) {
			got := "Subject: " + n.Subject("") + "\n\n" + n.Body()
			file := "testdata/notice-" + name + ".txt"
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil || got != string(want) {
				t.Errorf("got\n%swant\n%s(%v)", got, want, err)
			}
			parseNotice(t, n.Body())
		})
	}
}

func parseNotice(t *testing.T, body string) map[string]any {
	t.Helper()
	var doc map[string]map[string]any
	if err := yaml.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	if len(doc) != 1 || doc["palhm-run"] == nil {
		t.Fatalf("got %v, want palhm-run alone", doc)
	}
	return doc["palhm-run"]
}

func TestNoticeMeansWhatItSays(t *testing.T) {
	got := parseNotice(t, failed().Body())
	if got["exit-code"] != 1 || got["outcome"] != "failed" || got["duration"] != "1h2m3s" || got["declared-at"] != "site.star:12:5" {
		t.Errorf("got %v", got)
	}
	stage := got["failed"].([]any)[0].(map[string]any)
	if text, _ := stage["stderr"].(string); !strings.HasPrefix(text, "  pg_dump: error: no    connection\n\ndetail: # is the server up?\n") {
		t.Errorf("got stderr %q", text)
	}
}

func TestNoticeOutcomes(t *testing.T) {
	for exit, want := range map[int]string{
		0: "web1: backup is well", 1: "web1: backup failed", 4: "web1: backup is safe, but not all is well",
		5: "web1: backup did not run: another run holds the lock", 143: "web1: backup was ended by SIGTERM", 129: "web1: backup was ended by SIGHUP",
	} {
		n := &report.Notice{Host: "web1", Run: aRun(), Exit: exit}
		if got := n.Subject(""); got != want {
			t.Errorf("exit code %d: got %q, want %q", exit, got, want)
		}
	}
}

// Only two names in braces are replaced, and not in what was put in their place.
func TestNoticeSubject(t *testing.T) {
	n := &report.Notice{Host: "{task}", Run: aRun()}
	const template = "{hostname} {task} {x} {hostname.__class__} {0} { } {{task}}"
	if got, want := n.Subject(template), "{task} backup {x} {hostname.__class__} {0} { } {backup}"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestHostileNotice(t *testing.T) {
	for _, s := range append(hostile, long()...) {
		n := failed()
		n.Host, n.Site, n.Error, n.Pos, n.Note, n.Also = s, s, s+"\n"+s, s, s, []string{s, s}
		n.Run.Task, n.Run.After, n.Run.Copies = s, []string{s}, []report.Copy{{Task: s, Root: s, Prefix: s, Removed: []report.Removed{{Prefix: s, Reason: s}}}}
		n.Stages = []report.Stage{{Error: s, Stderr: []string{s, "x", s}}, {Error: s, Stderr: []string{s}}}
		checkLines(t, n.Body())
		got := parseNotice(t, n.Body())
		if got["exit-code"] != 1 || len(got["failed"].([]any)) != 2 || len(got["copies"].([]any)) != 1 {
			t.Errorf("%q: got %v", s, got)
		}
	}
}

// Bad news must arrive, whatever a host is called.
func TestSubjectOfAnyHost(t *testing.T) {
	for host, want := range map[string]string{"web1": "web1", "we\xffb": "we\ufffdb", "a\nBcc: b\x1b[2J": "a\ufffdBcc: b\ufffd[2J", " ": " "} {
		n := failed()
		n.Host = host
		got := []string{
			n.Subject(""), n.Subject("{hostname}: x"), report.BootSubject(&report.Boot{Host: host}, &plan.BootReport{Subject: "Boot of {hostname}"}),
		}
		for i, tail := range []string{": backup failed", ": x", ""} {
			if plan.CheckLine(got[i]) != nil || !strings.HasSuffix(got[i], want+tail) {
				t.Errorf("host %q: got subject %q (%v), want %q at its end", host, got[i], plan.CheckLine(got[i]), want+tail)
			}
		}
		if body := parseNotice(t, n.Body()); body["outcome"] != "failed" {
			t.Errorf("host %q: got %v", host, body)
		}
	}
	blank := report.BootSubject(&report.Boot{Host: " "}, &plan.BootReport{Subject: "{hostname}"})
	if err := plan.CheckLine(blank); err != nil {
		t.Error(err)
	}
}
