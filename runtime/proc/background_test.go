package proc_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"palhm/runtime/proc"
)

func TestServicesLiveOn(t *testing.T) {
	for _, c := range []struct{ name, script string }{
		{"in the background", `sleep 60 >/dev/null 2>&1 & echo started`},
		{"forked twice", `(setsid sh -c 'sleep 60 & :' >/dev/null 2>&1 </dev/null &); echo started`},
		{"in a group of its own", `setsid -f sleep 60 >/dev/null 2>&1; echo started`},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmds := sh(c.script, "cat")
			m := mark(t, cmds)
			out, _, err := run(t, cmds, proc.Options{Grace: 10 * time.Millisecond})
			if out != "started\n" || err != nil {
				t.Fatalf("got %q, %v", out, err)
			}
			time.Sleep(100 * time.Millisecond) // for a signal to do its work
			if len(marked(m)) == 0 {
				t.Error("the service is gone")
			}
		})
	}
}

// What "ssh -o ControlPersist" and many services do: they keep stderr.
func TestServiceThatHoldsStderr(t *testing.T) {
	dir := t.TempDir()
	w := &buffer{}
	cmds := sh(`(while [ ! -e go ]; do sleep 0.02; done; echo late >&2 && touch survived) >/dev/null & echo early >&2; echo out`)
	cmds[0].Dir, cmds[0].Stderr = dir, w
	m := mark(t, cmds)
	begin := time.Now()
	out, results, err := run(t, cmds, proc.Options{})
	if took := time.Since(begin); out != "out\n" || err != nil || took < 900*time.Millisecond || took > soon {
		t.Fatalf("got %q, %v after %s, want success after a second", out, err, took)
	}
	if string(results[0].Stderr) != "early\n" {
		t.Errorf("got stderr %q", results[0].Stderr)
	}
	if len(marked(m)) == 0 {
		t.Fatal("the service is gone")
	}
	if err := os.WriteFile(dir+"/go", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the service survives a word of its own", func() bool {
		_, err := os.Stat(dir + "/survived")
		return err == nil
	})
	if w.String() != "early\n" {
		t.Errorf("got a copy %q, want nothing after the end", w)
	}
}

func TestOutputHeldOpen(t *testing.T) {
	const grace = 300 * time.Millisecond
	cmds := sh("echo a; sleep 60 & exit 0")
	m := mark(t, cmds)
	begin := time.Now()
	_, _, err := run(t, cmds, proc.Options{Grace: grace})
	var failure *proc.Error
	if !errors.Is(err, proc.ErrHeld) || !errors.As(err, &failure) || failure.Cause != nil {
		t.Errorf("got %v, want ErrHeld and no stage to blame", err)
	}
	if took := time.Since(begin); took < grace {
		t.Errorf("it took %s, want at least %s", took, grace)
	}
	mustEndSoon(t, begin)
	mustBeGone(t, m)
}

// What a step of a routine starts may keep its output, silent or not, and is not
// killed by it either.
func TestServiceThatHoldsStdout(t *testing.T) {
	for _, c := range []struct{ name, script, want string }{
		{"silent", `(while [ ! -e go ]; do sleep 0.02; done; echo late && touch survived) & echo out`, "out\n"},
		{"chatty", `(until [ -e go ]; do echo x; sleep 0.02; done; echo late && touch survived) & echo out`, "out\n"},
		{"busy", `(until [ -e go ]; do head -c 100000 /dev/zero; done; echo late && touch survived) & echo out`, "out\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			cmds := sh(c.script)
			cmds[0].Dir = dir
			m := mark(t, cmds)
			begin := time.Now()
			out, results, err := run(t, cmds, proc.Options{Leave: true})
			if took := time.Since(begin); err != nil || results[0].Err != nil || took < 900*time.Millisecond || took > soon {
				t.Fatalf("got %v after %s, want success after a second", err, took)
			}
			if !strings.Contains(out, c.want) {
				t.Errorf("got %.40q, want %q in it", out, c.want)
			}
			if len(marked(m)) == 0 {
				t.Fatal("the service is gone")
			}
			if err := os.WriteFile(dir+"/go", nil, 0o600); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the service survives a word of its own", func() bool {
				_, err := os.Stat(dir + "/survived")
				return err == nil
			})
		})
	}
}

// All that the stages themselves have written comes, however long it takes to read.
func TestServiceThatHoldsMuchStdout(t *testing.T) {
	cmds := sh("head -c 200000 /dev/zero; sleep 60 & exit 0")
	mark(t, cmds)
	p := start(t, cmds, proc.Options{Leave: true})
	total := 0
	for b := make([]byte, 50000); ; time.Sleep(1200 * time.Millisecond) {
		n, err := p.Read(b)
		if total += n; err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if total != 200000 {
		t.Errorf("got %d bytes, want 200000", total)
	}
}

// A failure ends what the stages have left behind, also where the output is only
// shown.
func TestFailureOfWhatIsShown(t *testing.T) {
	err, _ := mustFail(t, sh("sleep 60 & exit 3"), proc.Options{Leave: true})
	if err.Cause == nil || err.Cause.Code != 3 {
		t.Errorf("got %v, want exit code 3", err)
	}
}

// A process left behind that goes on writing delivers the whole stream.
func TestOutputContinuedByAnother(t *testing.T) {
	cmds := sh(`(for i in 1 2 3 4 5 6 7 8 9; do sleep 0.2; echo $i; done) & exit 0`)
	out, _, err := run(t, cmds, proc.Options{Grace: time.Second})
	if want := "1\n2\n3\n4\n5\n6\n7\n8\n9\n"; out != want || err != nil {
		t.Errorf("got %q, %v", out, err)
	}
}

// A consumer that takes its time is not a process that holds the output.
func TestSlowConsumer(t *testing.T) {
	p := start(t, sh("head -c 200000 /dev/zero"), proc.Options{Grace: 20 * time.Millisecond})
	var got []byte
	for b := make([]byte, 50000); ; {
		time.Sleep(100 * time.Millisecond)
		n, err := p.Read(b)
		got = append(got, b[:n]...)
		if err != nil {
			break
		}
	}
	if len(got) != 200000 || !bytes.Equal(got, make([]byte, 200000)) || p.Results()[0].Err != nil {
		t.Errorf("got %d bytes, %+v", len(got), p.Results()[0])
	}
}

// A stage may close its output long before it ends, and fail then.
func TestFailureAfterTheOutput(t *testing.T) {
	err, _ := mustFail(t, sh("echo all; exec >/dev/null; sleep 0.3; exit 5"), proc.Options{})
	if err.Cause == nil || err.Cause.Code != 5 {
		t.Errorf("got %v, want exit code 5", err)
	}
}

func TestCloseAfterTheEndStopsNothing(t *testing.T) {
	cmds := sh("sleep 60 >/dev/null 2>&1 & echo out")
	m := mark(t, cmds)
	p := start(t, cmds, proc.Options{})
	var b strings.Builder
	for buf := make([]byte, 10); ; {
		n, err := p.Read(buf)
		b.Write(buf[:n])
		if err != nil {
			break
		}
	}
	p.Close()
	time.Sleep(50 * time.Millisecond)
	if b.String() != "out\n" || len(marked(m)) == 0 {
		t.Errorf("got %q, service alive: %v", b.String(), len(marked(m)) > 0)
	}
}
