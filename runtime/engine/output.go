package engine

import (
	"bytes"
	"io"
	"strings"
	"sync"

	"palhm/runtime/words"
)

// maxHeld is how much of a task's output is held back with -q: its last part says
// most.
const maxHeld = 64 << 10

// output is where the children of one task print to.
type output struct {
	e     *Engine
	above *output     // gets what release would show; nil = it is shown
	show  *sync.Mutex // for e.Stdout and e.Stderr, which tasks that run at once share
	mu    sync.Mutex
	held  []byte // with Quiet: what release will show
	cut   bool   // held has lost its beginning
}

func (e *Engine) newOutput(above *output) *output {
	if above == nil {
		return &output{e: e, show: new(sync.Mutex)}
	}
	return &output{e: e, above: above, show: above.show}
}

// stdout returns where a step of that level prints to: nothing is kept of what the
// verbosity hides.
func (o *output) stdout(level int) io.Writer {
	switch {
	case o.e.Verbosity < level || o.e.Stdout == nil:
		return io.Discard
	case o.e.Quiet:
		return holder{o}
	}
	return &locked{o: o, w: o.e.Stdout}
}

// stderr returns where a process of that level complains to, or nil. Close it when
// the process has ended.
func (o *output) stderr(level int) io.WriteCloser {
	switch {
	case o.e.Verbosity < level || o.e.Stderr == nil:
		return nil
	case o.e.Quiet:
		return &wholeLines{w: holder{o}}
	}
	return &wholeLines{w: &locked{o: o, w: o.e.Stderr}}
}

// release shows what was held back, or hands it on: whether the failure of a task is
// one of the task above it is for that to say.
func (o *output) release() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.held) == 0 {
		return
	}
	if o.above != nil {
		holder{o.above}.Write(o.held) //nolint:errcheck // it never fails
		o.held = nil
		return
	}
	if o.cut {
		// Begin with a whole line, if there is one.
		if i := bytes.IndexAny(o.held, "\r\n") + 1; i < len(o.held) {
			o.held = o.held[i:]
		}
		io.WriteString(o.e.Stderr, "[...]\n") //nolint:errcheck // there is nobody left to tell
	}
	o.e.Stderr.Write(o.held) //nolint:errcheck
	o.held = nil
}

// holder keeps the last of what is written.
type holder struct{ o *output }

func (h holder) Write(b []byte) (int, error) {
	h.o.mu.Lock()
	defer h.o.mu.Unlock()
	h.o.held = append(h.o.held, b...)
	if extra := len(h.o.held) - maxHeld; extra > 0 {
		h.o.held = append(h.o.held[:0], h.o.held[extra:]...)
		h.o.cut = true
	}
	return len(b), nil
}

// locked lets one process at a time write. That nobody reads palhm's output is no
// reason for a backup to fail, so errors are dropped.
type locked struct {
	o *output
	w io.Writer
}

func (l *locked) Write(b []byte) (int, error) {
	l.o.show.Lock()
	defer l.o.show.Unlock()
	l.w.Write(b) //nolint:errcheck
	return len(b), nil
}

// maxLine is how many bytes of a line are shown; more is cut in its middle.
const maxLine = 8 << 10

// wholeLines passes whole lines on, so that those of two processes do not mix, and of
// a line that is written over its end.
type wholeLines struct {
	mu  sync.Mutex
	w   io.Writer
	buf []byte // the beginning of a line that has not ended
}

func (l *wholeLines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var whole []byte
	for part := range bytes.Lines(b) {
		l.add(part)
		if part[len(part)-1] == '\n' {
			whole = append(whole, l.take()...)
		}
	}
	if len(whole) > 0 {
		l.w.Write(whole) //nolint:errcheck
	}
	return len(b), nil
}

// add keeps of a line only what take may need.
func (l *wholeLines) add(part []byte) {
	l.buf = append(l.buf, part...)
	if over := bytes.LastIndexByte(bytes.TrimRight(l.buf, "\r\n"), '\r'); over >= 0 {
		l.buf = append(l.buf[:0], l.buf[over+1:]...)
	}
	if len(l.buf) > 4*maxLine {
		l.buf = append(l.buf[:maxLine], l.buf[len(l.buf)-maxLine:]...)
	}
}

func (l *wholeLines) take() string {
	line := words.Final(strings.TrimSuffix(string(l.buf), "\n"))
	l.buf = l.buf[:0]
	return words.Shorten(line, maxLine) + "\n"
}

// Close writes what is left as a line.
func (l *wholeLines) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.buf) > 0 {
		io.WriteString(l.w, l.take()) //nolint:errcheck
	}
	return nil
}
