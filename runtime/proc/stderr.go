package proc

import (
	"bytes"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	tailSize = 64 << 10    // bytes of stderr that are kept
	linger   = time.Second // how long stderr is read after its stage has ended
)

// buffers spares a pipeline that says nothing an allocation.
var buffers = sync.Pool{New: func() any { b := make([]byte, 16<<10); return &b }}

// stderr reads what one stage writes to its stderr.
type stderr struct {
	r    *os.File
	w    io.Writer     // nil = none
	eof  chan struct{} // closed when everything has been read
	cut  atomic.Bool   // what still comes is not the stage's
	turn chan struct{} // holds a token while data is dealt with

	mu   sync.Mutex
	tail []byte // shorter than twice tailSize
	lost bool   // tail has lost its beginning
}

// readStderr reads r to its end, whatever becomes of the pipeline: a service that a
// stage has started is not to be killed by SIGPIPE for a word of its own. It copies
// to w until w fails.
func readStderr(r *os.File, w io.Writer) *stderr {
	e := &stderr{r: r, w: w, eof: make(chan struct{}), turn: make(chan struct{}, 1)}
	go e.read()
	return e
}

func (e *stderr) read() {
	buf := buffers.Get().(*[]byte)
	for {
		n, err := e.r.Read(*buf)
		if n > 0 {
			e.take((*buf)[:n])
		}
		if err != nil {
			break
		}
	}
	buffers.Put(buf)
	e.r.Close()
	close(e.eof)
}

func (e *stderr) take(b []byte) {
	e.turn <- struct{}{}
	defer func() { <-e.turn }()
	if e.cut.Load() {
		return
	}
	e.keep(b)
	if e.w != nil {
		if _, err := e.w.Write(b); err != nil {
			e.w = nil
		}
	}
}

func (e *stderr) keep(b []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.tail)+len(b) >= 2*tailSize {
		e.tail = e.tail[:copy(e.tail, e.tail[len(e.tail)-tailSize:])]
		e.lost = true
	}
	e.tail = append(e.tail, b...)
}

// finish waits for the end of stderr, until the deadline when something else than
// the stage holds it. Afterwards nothing is written to w, unless a Write hangs.
func (e *stderr) finish(deadline time.Time) {
	select {
	case <-e.eof:
		return
	case <-time.After(time.Until(deadline)):
	}
	e.cut.Store(true)
	select {
	case e.turn <- struct{}{}:
		<-e.turn
	case <-time.After(linger):
	}
}

// longLine stands for the end of a line of which the beginning is lost.
const longLine = "[a line of more than 64 KiB]\n"

// last returns the last of what was written, in whole lines: half a line may be half
// a password, which nobody would know again. It may be called on nil.
func (e *stderr) last() []byte {
	if e == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.tail) <= tailSize && !e.lost {
		return e.tail
	}
	tail := e.tail[len(e.tail)-tailSize:]
	// A bar of progress ends its lines with a carriage return.
	tail = tail[bytes.IndexAny(tail, "\r\n")+1:]
	if len(tail) == tailSize || len(tail) == 0 {
		return []byte(longLine)
	}
	return tail
}
