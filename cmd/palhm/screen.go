package main

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	"golang.org/x/sys/unix"
)

// screen is standard error, shared by logs, processes and the progress display. A
// line that is written appears above the lines of the display, which are then
// drawn again. Without a display everything passes straight through. Its methods
// may be called concurrently.
type screen struct {
	out io.Writer

	mu      sync.Mutex
	live    bool              // a display is on
	drawn   int               // lines of the display that stand on the terminal
	partial map[string][]byte // by writer: the beginning of a line that has not ended
}

func newScreen(out io.Writer) *screen { return &screen{out: out, partial: map[string][]byte{}} }

// Write writes a log record or what a process complains.
func (s *screen) Write(b []byte) (int, error) { return s.write("stderr", s.out, b) }

// over returns a writer for another stream that shows on the same terminal.
func (s *screen) over(name string, w io.Writer) io.Writer { return overlay{s, name, w} }

type overlay struct {
	screen *screen
	name   string
	out    io.Writer
}

func (o overlay) Write(b []byte) (int, error) { return o.screen.write(o.name, o.out, b) }

// maxPartial is how much of an unfinished line is held back.
const maxPartial = 64 << 10

// write holds the beginning of a line back while a display is on, because the
// display would be drawn into it.
func (s *screen) write(name string, out io.Writer, b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.live {
		return out.Write(b)
	}
	whole := append(s.partial[name], b...)
	end := bytes.LastIndexByte(whole, '\n') + 1
	if len(whole)-end > maxPartial {
		end = len(whole)
	}
	s.partial[name] = bytes.Clone(whole[end:])
	if end == 0 {
		return len(b), nil
	}
	s.erase()
	if _, err := out.Write(whole[:end]); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Escape sequences that every terminal since the VT100 knows.
const (
	cursorUp  = "\x1b[%dA"
	eraseDown = "\x1b[J"
	wrapOff   = "\x1b[?7l" // a line that is too long is cut, not folded
	wrapOn    = "\x1b[?7h"
)

// draw replaces the display by lines, as many as fit.
func (s *screen) draw(lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.live {
		return
	}
	if height := s.height(); len(lines) > height {
		hidden := len(lines) - height + 1
		lines = append(lines[:height-1:height-1], fmt.Sprintf("... and %d more", hidden))
	}
	s.erase()
	if len(lines) == 0 {
		return
	}
	var b bytes.Buffer
	b.WriteString(wrapOff)
	for _, l := range lines {
		b.WriteString(l + "\n")
	}
	b.WriteString(wrapOn)
	s.out.Write(b.Bytes()) //nolint:errcheck // there is nobody left to tell
	s.drawn = len(lines)
}

func (s *screen) erase() {
	if s.drawn > 0 {
		fmt.Fprintf(s.out, cursorUp+"\r"+eraseDown, s.drawn)
		s.drawn = 0
	}
}

// height is the number of lines that a display may have.
func (s *screen) height() int {
	const fallback = 20
	f := fileOf(s.out)
	if f == nil {
		return fallback
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Row < 3 {
		return fallback
	}
	return int(size.Row) - 1
}

// begin switches the display on.
func (s *screen) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live = true
}

// end takes the display away, and writes what was held back.
func (s *screen) end(others map[string]io.Writer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
	s.live = false
	for name, held := range s.partial {
		out, ok := others[name]
		if !ok {
			out = s.out
		}
		out.Write(held) //nolint:errcheck // there is nobody left to tell
		delete(s.partial, name)
	}
}

// logFormat chooses the form of the logs: for the journal when standard error is
// the stream that journalStream names as DEVICE:INODE, see systemd.exec(5).
func (s *screen) logFormat(journalStream string) string {
	f := fileOf(s.out)
	if f == nil || journalStream == "" {
		return logText
	}
	var st unix.Stat_t
	if unix.Fstat(int(f.Fd()), &st) == nil && fmt.Sprintf("%d:%d", st.Dev, st.Ino) == journalStream {
		return logJournald
	}
	return logText
}
