package proc_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"palhm/runtime/proc"
)

// showBlocked prints the mask of a process as the kernel has it: bit n-1 is signal n.
// There is no shell in between, because some of them unblock everything.
var showBlocked = []string{"awk", `/SigBlk/ { print $2 > "/dev/stderr" }`, "/proc/self/status"}

var someSignals = []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, 34, 64}

const someMask = "8000000200004002"

func TestEveryStageBeginsWithTheMask(t *testing.T) {
	_, results, err := run(t, commands(showBlocked, showBlocked, showBlocked), proc.Options{Blocked: someSignals})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if got := string(r.Stderr); got != someMask+"\n" {
			t.Errorf("stage %d: got %q, want %s", i+1, got, someMask)
		}
	}
}

// Pipelines that run beside each other keep their own masks, and palhm's threads
// have theirs back, also when a program could not be started.
func TestMasksDoNotSpread(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken")
	if err := os.WriteFile(broken, []byte("#!/nonexistent/interpreter\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	own := ownMask(t)
	for i := range 40 {
		opt, want := proc.Options{}, own
		if i%2 == 0 {
			opt.Blocked, want = someSignals, someMask
		}
		group.Go(func() {
			_, results, err := run(t, commands(showBlocked), opt)
			if err != nil || string(results[0].Stderr) != want+"\n" {
				t.Errorf("got %q, %v, want %s", results[0].Stderr, err, want)
			}
			if p, err := proc.Start(t.Context(), commands([]string{broken}), opt); err == nil {
				p.Close()
				t.Error("the broken program was started")
			}
		})
	}
	group.Wait()
	threads, _ := filepath.Glob("/proc/self/task/*/status")
	for _, file := range threads {
		if status, err := os.ReadFile(file); err == nil && strings.Contains(string(status), someMask) {
			t.Errorf("%s: signals are still blocked", file)
		}
	}
}

// ownMask is the mask that the tests themselves were started with.
func ownMask(t *testing.T) string {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "SigBlk:\t")
	mask, _, _ := strings.Cut(rest, "\n")
	return mask
}

// A stage that has SIGTERM blocked cannot be asked to end: it is killed.
func TestBlockedStageIsKilledAfterTheGrace(t *testing.T) {
	opt := proc.Options{Blocked: []syscall.Signal{syscall.SIGTERM}, Grace: 50 * time.Millisecond}
	_, results := mustFail(t, commands([]string{"sleep", "300"}, []string{"false"}), opt)
	if got := results[0].Signal; got != syscall.SIGKILL {
		t.Errorf("got %v, want SIGKILL", got)
	}
}
