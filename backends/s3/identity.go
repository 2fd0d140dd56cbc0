package s3

import (
	"crypto/rand"
	"encoding/json"
	"os"
	"strconv"
	"sync"
	"time"

	"palhm/runtime/host"
)

// identity is that of a process, exact enough to know later whether it still runs.
type identity struct {
	Host  string `json:"host"`
	Boot  string `json:"boot_id"`   // proc(5), /proc/sys/kernel/random/boot_id
	Space string `json:"pid_space"` // of process ids: containers of one kernel have their own
	PID   int    `json:"pid"`
	Start string `json:"pid_start"` // when it was started, in ticks after boot
}

// thisProcess identifies this process. name is what the host is called; "" = as the
// kernel says.
func thisProcess(name string) identity {
	if name == "" {
		name, _ = os.Hostname()
	}
	boot, _ := host.BootID("")
	space, _ := os.Readlink("/proc/self/ns/pid")
	start := strconv.FormatUint(host.ProcessStart(os.Getpid()), 10)
	return identity{name, boot, space, os.Getpid(), start}
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
	Silent  bool      `json:"silent,omitempty"`  // garbage for want of signs of life: its run may wake up yet
	Removed bool      `json:"removed,omitempty"` // all that was there was removed
}

// removedMark is the open.json of a copy that was removed. A listing shows it by its
// length, which no other has.
const removedMark = `{"removed":true}` + "\n"

// encode is the content of open.json.
func (o openState) encode() []byte {
	if o.Removed {
		return []byte(removedMark)
	}
	data, _ := json.Marshal(o)
	return append(data, '\n')
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
	start, _ := strconv.ParseUint(o.Start, 10, 64) // 0 = not known
	return o.isOf(me) || host.IsGone(o.PID, start)
}

func (o *openState) isOf(me identity) bool {
	return o.Boot == me.Boot && o.Space == me.Space && o.PID == me.PID && o.Start == me.Start
}
