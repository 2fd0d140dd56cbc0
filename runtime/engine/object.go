package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"palhm/backends"
	"palhm/runtime/fault"
	"palhm/runtime/plan"
	"palhm/runtime/proc"
)

// maker makes the objects of one copy.
type maker struct {
	*run
	copy *openCopy
	task *plan.Task
	at   *level

	mu    sync.Mutex
	calls []*call // of functions, whose directories objects may read from
}

// made is the result of a job: an object, or what a function gave.
type made struct {
	object  *plan.Object // nil = objects were asked for
	group   int
	record  backends.ObjectRecord
	objects []*plan.Object
	err     *Error
}

// do does a job. It runs in a goroutine of its own.
func (m *maker) do(ctx context.Context, j job) (res made) {
	var caught error
	defer func() {
		if caught != nil {
			e := &Error{Task: m.task.Name, Pos: m.task.Pos, Err: caught}
			if j.object != nil {
				e.Object, e.Pos = j.object.Path, j.object.Pos
			}
			res = made{object: j.object, group: j.group, err: e}
		}
	}()
	defer fault.Catch(&caught)
	if j.object != nil {
		return m.make(ctx, j.object, j.group)
	}
	return m.list(ctx, j.group)
}

// The pause before a repeated attempt doubles from the first to the longest.
const (
	firstPause   = time.Second
	longestPause = time.Minute
)

// make makes an object, with as many attempts as it may have.
func (m *maker) make(ctx context.Context, o *plan.Object, group int) made {
	pause := firstPause
	for left := o.Retry; ; left-- {
		record, err := m.attempt(ctx, o)
		if err == nil {
			done := "object is stored"
			if m.task.Backup.Backends[0].Kind == "null" {
				done = "object is made"
			}
			m.Log.Info(done, "task", m.task.Name, "object", o.Path, "bytes", record.Size,
				"duration", time.Duration(record.Seconds*float64(time.Second)).Round(time.Millisecond))
			return made{object: o, group: group, record: record}
		}
		failed := func() made {
			return made{object: o, group: group, err: &Error{Task: m.task.Name, Object: o.Path, Pos: o.Pos, Err: because(ctx, err)}}
		}
		if left == 0 || ctx.Err() != nil {
			return failed()
		}
		m.Log.Warn("object failed, trying again", "task", m.task.Name, "object", o.Path, "error", err, "attempts_left", left, "after", pause)
		if m.sleep(ctx, pause) != nil {
			return failed()
		}
		pause = min(2*pause, longestPause)
	}
}

// attempt runs the pipeline of an object once, into the copy.
func (m *maker) attempt(ctx context.Context, o *plan.Object) (backends.ObjectRecord, error) {
	ctx, cancel := m.withTimeout(ctx, o.Timeout, "object "+o.Path)
	defer cancel()
	start := m.now()
	item := m.progress.begin(m.task.Name, o, start)
	defer m.progress.end(item)
	p, err := m.start(ctx, o.Pipeline, m.at.out, toKeep)
	if err != nil {
		return backends.ObjectRecord{}, err
	}
	defer p.Close()
	stored, err := backends.Put(ctx, m.copy.Copy, o.Path, &watched{r: p.Process, item: item, min: o.LeastSize(m.task.Backup.Backends[0])}, o.AllocSize)
	if err != nil {
		p.Close()
		return backends.ObjectRecord{}, stopped(ctx, err, p.Results())
	}
	p.Close()
	return backends.ObjectRecord{
		Path:      o.Path,
		Size:      stored.Size,
		SHA256:    stored.SHA256,
		CRC64NVME: stored.CRC64NVME,
		Start:     start.UTC(),
		Seconds:   m.now().Sub(start).Seconds(),
		Stages:    stageRecords(o.Pipeline, p.Results()),
		Inverse:   inverseRecords(o.Pipeline),
	}, nil
}

// stopped says the same of an object that was stopped, whoever noticed it first: the
// pipeline, or the backend, to which it looks like a failure to store. When its time
// was up it says which stages still ran: one of them is why.
func stopped(ctx context.Context, err error, stages []proc.Result) error {
	var noticed *proc.Error
	cause := context.Cause(ctx)
	if cause == nil || !errors.Is(err, cause) || errors.As(err, &noticed) {
		return err
	}
	err = fmt.Errorf("stopped: %w", cause)
	if !isTimeout(cause) {
		return err
	}
	late := &proc.Error{Reason: err}
	for _, s := range stages {
		if failed, ok := errors.AsType[*proc.StageError](s.Err); ok {
			late.Others = append(late.Others, failed)
		}
	}
	return late
}

// watched counts what a pipeline yields, and turns the end of a stream that is too
// short into a failure, so that it is never stored.
type watched struct {
	r    Process
	item *item
	min  int64
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.r.Read(b)
	total := w.item.bytes.Add(int64(n))
	if err == io.EOF && total < w.min {
		err = &SmallError{total, w.min, w.r.Results()}
	}
	return n, err
}

// Failed passes the question on to the pipeline.
func (w *watched) Failed() <-chan struct{} { return backends.Failed(w.r) }

// Close ends the pipeline of an object that cannot be stored.
func (w *watched) Close() error { return w.r.Close() }

// pipeline is a running pipeline and what is released with it.
type pipeline struct {
	Process
	release func()
	log     *slog.Logger
}

// Close ends the pipeline. It may be called more than once. Processes that nothing
// can end keep no run from going on.
func (p *pipeline) Close() {
	err := p.Process.Close()
	if p.release == nil {
		return
	}
	p.release()
	p.release = nil
	if err != nil {
		p.log.Error(err.Error())
	}
}

// use is what the output of a pipeline is for.
type use bool

const (
	toKeep use = false // it has to be whole
	toShow use = true  // a service that a stage has started may hold it open
)

// start starts the stages of a pipeline. Their stderr goes to out.
func (r *run) start(ctx context.Context, stages plan.Pipeline, out *output, u use) (*pipeline, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	cmds, release, err := r.commands(ctx, stages, out)
	if err != nil {
		return nil, err
	}
	p, err := r.spawn(ctx, cmds, proc.Options{Grace: r.Grace, Hurry: r.Hurry, Blocked: r.blockedSignals(), Leave: u == toShow})
	if err != nil {
		release()
		return nil, err
	}
	return &pipeline{p, release, r.Log}, nil
}
