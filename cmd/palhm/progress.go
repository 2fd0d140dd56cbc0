package main

import (
	"fmt"
	"io"
	"time"

	"palhm/runtime/engine"
	"palhm/runtime/words"
)

const (
	redrawEvery = 200 * time.Millisecond
	// showAfter keeps objects that are made in no time from flickering.
	showAfter = 400 * time.Millisecond
)

// showProgress shows the objects that are being made on the terminal until the
// returned function is called.
func (a *app) showProgress(e *engine.Engine) (stop func()) {
	direct := a.stdout
	if isTerminal(direct) {
		// It is most likely the same one: what is printed there goes around the display.
		a.stdout = a.screen.over("stdout", direct)
		e.Stdout = a.stdout
	}
	a.screen.begin()
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(redrawEvery)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case now := <-tick.C:
				a.screen.draw(progressLines(e.Progress(), now, showAfter))
			}
		}
	}()
	return func() {
		close(quit)
		<-done
		a.screen.end(map[string]io.Writer{"stdout": direct})
		a.stdout = direct
	}
}

// printProgress prints the progress once, because somebody asked with SIGUSR1.
func (a *app) printProgress(e *engine.Engine) {
	lines := progressLines(e.Progress(), time.Now(), 0)
	if len(lines) == 0 {
		lines = []string{"no object is being made"}
	}
	for _, l := range lines {
		fmt.Fprintln(a.screen, "palhm: progress: "+l)
	}
}

// progressLines gives a line for each object that has been running for at least
// atLeast: path, bytes, rate, time, and how much of the expected size that is.
func progressLines(list []engine.Progress, now time.Time, atLeast time.Duration) []string {
	var lines []string
	for _, p := range list {
		elapsed := now.Sub(p.Start)
		if elapsed < atLeast {
			continue
		}
		rate := float64(p.Bytes) / max(elapsed.Seconds(), 0.001)
		line := fmt.Sprintf("%s  %s  %s/s  %s", words.Visible(p.Path), words.Bytes(p.Bytes), words.Bytes(int64(rate)), clock(elapsed))
		if p.Hint > 0 {
			// More than was expected is no progress that a percentage could tell.
			line += fmt.Sprintf("  %d%%", min(99, p.Bytes*100/p.Hint))
		}
		lines = append(lines, line)
	}
	return lines
}

// clock gives elapsed time as "1:02:03" or "2:03".
func clock(d time.Duration) string {
	s := int(d.Seconds())
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}
