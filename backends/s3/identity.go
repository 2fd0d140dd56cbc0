package s3

import (
	"bytes"
	"crypto/rand"
	"errors"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// identity is that of a process, exact enough to know later whether it still runs.
type identity struct {
	Host  string `json:"host"`
	Boot  string `json:"boot_id"`   // proc(5), /proc/sys/kernel/random/boot_id
	Space string `json:"pid_space"` // of process ids: containers of one kernel have their own
	PID   int    `json:"pid"`
	Start string `json:"pid_start"` // when it was started, in ticks after boot
}

func thisProcess() identity {
	host, _ := os.Hostname()
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	space, _ := os.Readlink("/proc/self/ns/pid")
	return identity{host, strings.TrimSpace(string(boot)), space, os.Getpid(), processStart(os.Getpid())}
}

// processStart is field 22 of /proc/PID/stat, or "" when there is no such process.
// The second field, the command, may hold blanks and parentheses.
func processStart(pid int) string {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	const start = 22 - 3 // the first field here is the third
	if len(fields) <= start {
		return ""
	}
	return fields[start]
}

// openState is open.json: who makes the copy. The time at which the store says that
// it was written is the copy's sign of life.
type openState struct {
	Version int `json:"version"`
	identity
	Run     string    `json:"run"` // chance, so that two runs never write the same
	Since   time.Time `json:"since"`
	Beat    int       `json:"beat"`              // counts the signs of life
	Garbage bool      `json:"garbage,omitempty"` // nobody makes it any more; what is there is to be removed
}

func newRun(id identity) openState {
	return openState{Version: 1, identity: id, Run: rand.Text(), Since: time.Now().UTC().Truncate(time.Second)}
}

// Runs knows the copies that a process is making, by the Run of each open.json. The
// zero value is ready to use, by several goroutines.
type Runs struct{ living sync.Map }

// isMaking reports whether the run that wrote o is one of this process, which is me, and
// makes its copy still, whatever the locks and the clocks say.
func (r *Runs) isMaking(o *openState, me identity) bool {
	_, lives := r.living.Load(o.Run)
	return lives && !o.Garbage && o.isOf(me)
}

// isDead reports whether the run that wrote o, which this process does not make, has
// certainly ended. me is this process: what else it has left open it has dropped.
func (o *openState) isDead(me identity) bool {
	if o.Garbage {
		return true
	}
	if o.Boot == "" || o.Boot != me.Boot || o.Space != me.Space {
		return false
	}
	return o.isOf(me) || isGone(o.PID, o.Start)
}

func (o *openState) isOf(me identity) bool {
	return o.Boot == me.Boot && o.Space == me.Space && o.PID == me.PID && o.Start == me.Start
}

// isGone reports whether there is no process of that number that was started then. Of
// one that /proc hides from this user (hidepid, ProtectProc) nobody knows when it was.
func isGone(pid int, start string) bool {
	if errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
		return true
	}
	now := processStart(pid)
	return now != "" && now != start
}
