// Package all opens every kind of backend. The list is explicit: nothing registers
// itself.
package all

import (
	"fmt"
	"sync"

	"palhm/backends"
	"palhm/backends/localfs"
	"palhm/backends/null"
	"palhm/backends/s3"
	"palhm/runtime/plan"
)

// Opener opens stores that share what a process has once: the memory for parts that
// are being uploaded, and the knowledge of the copies that it makes. The zero value is ready to use, by several goroutines.
type Opener struct {
	Host string // what this host is called; "" = as the kernel says

	once   sync.Once
	memory *s3.Budget
	runs   s3.Runs
}

// Open returns the store that a plan names, by itself.
func Open(b plan.Backend) (backends.Store, error) { return new(Opener).Open(b) }

// Open returns the store that a plan names. It touches nothing yet.
func (o *Opener) Open(b plan.Backend) (backends.Store, error) {
	switch {
	case b.Kind == "null":
		return null.Store{}, nil
	case b.Kind == "localfs" && b.LocalFS != nil:
		return openLocalFS(b.LocalFS)
	case b.Kind == "aws_s3" && b.S3 != nil:
		return o.openS3(b.S3)
	}
	return nil, fmt.Errorf("got backend %q, want null, localfs or aws_s3", b.Kind)
}

func openLocalFS(l *plan.LocalFS) (backends.Store, error) {
	s, err := localfs.New(localfs.Options{
		Root:         l.Root,
		DirMode:      l.DirMode,
		FileMode:     l.FileMode,
		BlockSize:    l.BlockSize,
		RequireMount: l.RequireMount,
	})
	if err != nil {
		return nil, err // and not a nil *Store in an interface, which is not nil
	}
	return s, nil
}

func (o *Opener) openS3(p *plan.S3) (backends.Store, error) {
	s, err := s3.New(o.shared(s3Options(p)))
	if err != nil {
		return nil, err
	}
	return s, nil
}

// shared adds what all stores of the process share.
func (o *Opener) shared(opt s3.Options) s3.Options {
	o.once.Do(func() { o.memory = s3.NewBudget(s3.DefaultMemory) })
	opt.Memory, opt.Runs, opt.Host = o.memory, &o.runs, o.Host
	return opt
}

func s3Options(p *plan.S3) s3.Options {
	return s3.Options{
		Bucket: p.Bucket, Root: p.Root,
		Profile: p.Profile, Region: p.Region, Endpoint: p.Endpoint, PathStyle: p.PathStyle, CAFile: p.CAFile,
		SinkClass: p.SinkClass, RotClass: p.RotClass, SSE: p.SSE, KMSKey: p.KMSKey, Tags: p.Tags,
		LockMode: p.LockMode, LockDays: p.LockDays,
		PartSize: p.PartSize, EqualParts: p.EqualParts, MaxParts: p.MaxParts, Concurrency: p.Concurrency,
		Checksum: p.Checksum, Bandwidth: p.Bandwidth,
	}
}
