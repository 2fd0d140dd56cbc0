package engine

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"palhm/runtime/plan"
)

// Progress is an object that is being made.
type Progress struct {
	Task  string
	Path  string
	Bytes int64 // that the pipeline has yielded so far
	Hint  int64 // expected size in bytes, or 0
	Start time.Time
}

// Progress returns the objects that are being made now, in the order in which they
// were started. It may be called at any time from any goroutine.
func (e *Engine) Progress() []Progress {
	e.progress.mu.Lock()
	defer e.progress.mu.Unlock()
	list := make([]Progress, len(e.progress.items))
	for i, it := range e.progress.items {
		list[i] = it.fixed
		list[i].Bytes = it.bytes.Load()
	}
	return list
}

type progress struct {
	mu    sync.Mutex
	items []*item
}

type item struct {
	fixed Progress
	bytes atomic.Int64
}

func (p *progress) begin(task string, o *plan.Object, start time.Time) *item {
	it := &item{fixed: Progress{Task: task, Path: o.Path, Hint: o.AllocSize, Start: start}}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.items = append(p.items, it)
	return it
}

func (p *progress) end(it *item) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.items, it); i >= 0 {
		p.items = slices.Delete(p.items, i, i+1)
	}
}
