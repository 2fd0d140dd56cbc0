package proc_test

import (
	"context"
	"io"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"palhm/runtime/proc"
)

// clock is time that passes in Sleep, until limit ends it.
type clock struct {
	now, limit time.Time
	end        context.CancelFunc
}

func (c *clock) Now() time.Time { return c.now }

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.now = c.now.Add(d)
	if !c.limit.IsZero() && c.now.After(c.limit) {
		c.now = c.limit
		c.end()
	}
	return ctx.Err()
}

// A played pipeline blames the stage that a real one would.
func TestPlay(t *testing.T) {
	const text = "text"
	broken := proc.Ending{Signal: syscall.SIGPIPE}
	fails := proc.Ending{Code: 3, Stderr: []byte("why\n"), After: time.Second}
	well := proc.Ending{Stdout: []byte(text), After: time.Minute}
	for name, c := range map[string]struct {
		cmds     []proc.Command
		endings  []proc.Ending
		want     string // the error
		stdout   string
		lasts    time.Duration
		statuses string // of the stages, as in status
	}{
		"well":                        {make([]proc.Command, 2), []proc.Ending{well, {}}, "", text, time.Minute, "0 0"},
		"fails":                       {make([]proc.Command, 1), []proc.Ending{fails}, "exit code 3, want 0", "", time.Second, "3"},
		"the first fails":             {make([]proc.Command, 2), []proc.Ending{fails, well}, "stage 1 of 2", "", time.Second, "3 SIGTERM"},
		"the last fails":              {make([]proc.Command, 2), []proc.Ending{well, fails}, "stage 2 of 2", "", time.Second, "SIGTERM 3"},
		"both fail":                   {make([]proc.Command, 2), []proc.Ending{{Code: 2, After: time.Minute}, fails}, "stage 2 of 2", "", time.Second, "SIGTERM 3"},
		"the reader stops early":      {make([]proc.Command, 2), []proc.Ending{broken, {Code: 4, After: time.Millisecond}}, "exit code 4", "", time.Millisecond, "SIGPIPE 4"},
		"the reader stops late":       {make([]proc.Command, 2), []proc.Ending{broken, {Code: 4, After: time.Minute}}, "killed by SIGPIPE", "", time.Second / 2, "SIGPIPE SIGTERM"},
		"the reader is well":          {make([]proc.Command, 2), []proc.Ending{broken, {Stdout: []byte(text)}}, "stage 1 of 2 (a): killed by SIGPIPE: its reader", text, 0, "SIGPIPE 0"},
		"SIGPIPE is good":             {[]proc.Command{{SIGPIPE: true}, {}}, []proc.Ending{broken, {}}, "", "", 0, "SIGPIPE 0"},
		"a time limit":                {[]proc.Command{{Timeout: time.Second}}, []proc.Ending{well}, "timed out after 1s", "", time.Second, "SIGTERM"},
		"a time limit of the reader":  {[]proc.Command{{}, {Timeout: time.Second}}, []proc.Ending{well, {}}, "stage 2 of 2 (a): timed out after 1s", "", time.Second, "SIGTERM SIGTERM"},
		"a time limit that is enough": {[]proc.Command{{Timeout: time.Minute}}, []proc.Ending{well}, "", text, time.Minute, "0"},
	} {
		for i := range c.cmds {
			c.cmds[i].Argv = []string{"a"}
		}
		clock := &clock{}
		p, err := proc.Play(t.Context(), c.cmds, c.endings, clock)
		if err != nil {
			t.Fatal(err)
		}
		out, err := io.ReadAll(p)
		var statuses []string
		for _, r := range p.Results() {
			statuses = append(statuses, status(r))
		}
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
		if got := strings.Join(statuses, " "); string(out) != c.stdout || got != c.statuses || clock.now.Sub(time.Time{}) != c.lasts {
			t.Errorf("%s: got %q, %s, %v, want %q, %s, %v", name, out, got, clock.now.Sub(time.Time{}), c.stdout, c.statuses, c.lasts)
		}
	}
}

// The end of its context ends it when the clock says.
func TestPlayIsStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := &clock{limit: time.Time{}.Add(time.Minute), end: cancel}
	p, err := proc.Play(ctx, []proc.Command{{Argv: []string{"a"}}}, []proc.Ending{{After: time.Hour, Stderr: []byte("why\n")}}, c)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadAll(p)
	r := p.Results()[0]
	if err == nil || !strings.Contains(err.Error(), "stopped: context canceled") || r.Duration != time.Minute || !r.Killed || string(r.Stderr) != "why\n" {
		t.Errorf("got %v, %+v", err, r)
	}
	if _, err := proc.Play(ctx, nil, nil, c); err == nil {
		t.Error("it was played after the end of its context")
	}
}

// status is the exit code of a stage, or the signal that killed it.
func status(r proc.Result) string {
	if r.Signal != 0 {
		return proc.SignalName(r.Signal)
	}
	return strconv.Itoa(r.Code)
}
