package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"palhm/runtime/plan"
	"palhm/runtime/words"
)

// The forms of the logs.
const (
	logText     = "text"     // for people; with the time when it is no terminal
	logJSON     = "json"     // a JSON object a line
	logJournald = "journald" // each line begins with its priority, see sd-daemon(3)
)

const (
	defaultVerbosity = plan.DefaultVerbosity
	quietVerbosity   = 1 // errors only
)

// levelCritical is above slog's own levels.
const levelCritical = slog.LevelError + 4

// slogLevel is the least level that a verbosity of PALHM's scale shows: 0
// critical, 1 error, 2 warning, 3 info, 4 and above debug.
func slogLevel(vl int) slog.Level {
	switch {
	case vl <= 0:
		return levelCritical
	case vl == 1:
		return slog.LevelError
	case vl == 2:
		return slog.LevelWarn
	case vl == 3:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

// libraries takes what libraries write to the standard logger, such as net/http about
// a server that sends more than an answer. It is nobody's error: what matters is in
// the errors that they return.
type libraries struct{ *app }

func (l libraries) Write(p []byte) (int, error) {
	l.log.Debug(strings.TrimSpace(string(p)))
	return len(p), nil
}

// handler returns the handler for a form.
func (a *app) handler(format string) slog.Handler {
	if format == logJSON {
		return slog.NewJSONHandler(a.screen, &slog.HandlerOptions{Level: a.level})
	}
	h := &lineHandler{out: a.screen, level: a.level, mu: new(sync.Mutex)}
	if format == logJournald {
		h.priority = true
	} else {
		h.time = !isTerminal(a.screen.out)
	}
	return h
}

// detailed is an attribute that takes lines of its own in a log for people.
type detailed interface {
	details() []string
}

// lineHandler writes logs for people: "palhm: error: MESSAGE KEY=VALUE".
type lineHandler struct {
	out      io.Writer
	level    slog.Leveler
	mu       *sync.Mutex
	time     bool   // begin with the time
	priority bool   // begin with the priority, for the journal
	attrs    string // of WithAttrs, formatted
	group    string // of WithGroup, "a.b."
}

func (h *lineHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

func (h *lineHandler) Handle(_ context.Context, r slog.Record) error {
	var line strings.Builder
	if h.time {
		line.WriteString(r.Time.Format(time.RFC3339) + " ")
	}
	line.WriteString("palhm: " + levelWord(r.Level))
	message := strings.Split(strings.TrimRight(r.Message, "\n"), "\n")
	line.WriteString(words.Visible(message[0]) + h.attrs)
	rest := message[1:]
	r.Attrs(func(at slog.Attr) bool {
		if d, ok := at.Value.Any().(detailed); ok {
			rest = append(rest, d.details()...)
		} else {
			writeAttr(&line, h.group, at)
		}
		return true
	})
	var b bytes.Buffer
	for _, l := range append([]string{line.String()}, rest...) {
		if h.priority {
			b.WriteString(priority(r.Level))
		}
		b.WriteString(words.Visible(l) + "\n")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := h.out.Write(b.Bytes())
	return err
}

func (h *lineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	for _, at := range attrs {
		writeAttr(&b, h.group, at)
	}
	c := *h
	c.attrs += b.String()
	return &c
}

func (h *lineHandler) WithGroup(name string) slog.Handler {
	c := *h
	if name != "" {
		c.group += name + "."
	}
	return &c
}

func writeAttr(b *strings.Builder, group string, at slog.Attr) {
	value := at.Value.Resolve()
	if value.Kind() == slog.KindGroup {
		if at.Key != "" {
			group += at.Key + "."
		}
		for _, sub := range value.Group() {
			writeAttr(b, group, sub)
		}
		return
	}
	if at.Equal(slog.Attr{}) {
		return
	}
	text := value.String()
	if text == "" || strings.ContainsAny(text, " \t\n\"=") {
		text = strconv.Quote(text)
	}
	b.WriteString(" " + group + at.Key + "=" + text)
}

func levelWord(l slog.Level) string {
	switch {
	case l >= levelCritical:
		return "critical: "
	case l >= slog.LevelError:
		return "error: "
	case l >= slog.LevelWarn:
		return "warning: "
	case l >= slog.LevelInfo:
		return ""
	}
	return "debug: "
}

// priority is the prefix that the journal reads, see sd-daemon(3).
func priority(l slog.Level) string {
	switch {
	case l >= levelCritical:
		return "<2>"
	case l >= slog.LevelError:
		return "<3>"
	case l >= slog.LevelWarn:
		return "<4>"
	case l >= slog.LevelInfo:
		return "<6>"
	}
	return "<7>"
}
