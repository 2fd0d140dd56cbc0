package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"palhm/runtime/engine"
)

// What is written while a display is on stands above it, in whole lines, and
// nothing of it is lost at the end.
func TestScreenKeepsLinesWhole(t *testing.T) {
	var terminal bytes.Buffer
	s := newScreen(&terminal)
	stdout := s.over("stdout", &terminal)
	s.begin()
	s.draw([]string{"obj 1", "obj 2"})
	io.WriteString(s, "log\n")
	io.WriteString(stdout, "half ")
	s.draw([]string{"obj 1"})
	io.WriteString(stdout, "line\nrest")
	s.draw([]string{"obj 1"})
	s.end(map[string]io.Writer{"stdout": &terminal})
	io.WriteString(s, "after\n")
	want := wrapOff + "obj 1\nobj 2\n" + wrapOn + "\x1b[2A\r" + eraseDown + "log\n" +
		wrapOff + "obj 1\n" + wrapOn + "\x1b[1A\r" + eraseDown + "half line\n" +
		wrapOff + "obj 1\n" + wrapOn + "\x1b[1A\r" + eraseDown + "restafter\n"
	if got := terminal.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestScreenShowsAsManyLinesAsFit(t *testing.T) {
	var terminal bytes.Buffer
	s := newScreen(&terminal)
	s.begin()
	s.draw(strings.Split(strings.Repeat("x\n", 30), "\n"))
	if got := strings.Count(terminal.String(), "\n"); got != s.height() {
		t.Errorf("got %d lines, want %d", got, s.height())
	}
	if !strings.Contains(terminal.String(), "... and 12 more\n") {
		t.Errorf("got %q, want how many are not shown", terminal.String())
	}
}

func TestScreenWithoutDisplayPassesThrough(t *testing.T) {
	var out bytes.Buffer
	s := newScreen(&out)
	io.WriteString(s, "no newline")
	s.draw([]string{"not shown"})
	if got := out.String(); got != "no newline" {
		t.Errorf("got %q, want only what was written", got)
	}
}

func TestProgressLines(t *testing.T) {
	now := time.Now()
	list := []engine.Progress{
		{Path: "root.tar", Bytes: 10 << 20, Start: now.Add(-10 * time.Second)},
		{Path: "db.sql", Bytes: 50 << 20, Hint: 200 << 20, Start: now.Add(-100 * time.Second)},
		{Path: "grown", Bytes: 300, Hint: 100, Start: now.Add(-time.Second)},
		{Path: "new", Start: now},
	}
	got := strings.Join(progressLines(list, now, showAfter), "\n")
	want := "root.tar  10.0 MiB  1.00 MiB/s  0:10\ndb.sql  50.0 MiB  512 KiB/s  1:40  25%\ngrown  300 B  300 B/s  0:01  99%"
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
