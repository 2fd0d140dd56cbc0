package engine

import (
	"context"
	"io"
	"io/fs"
	"os"
	"syscall"

	"palhm/runtime/plan"
	"palhm/runtime/proc"
	"palhm/runtime/report"
)

// World is what a test puts in the place of the host when it plays a task. Then one
// thing is done at a time, so that a test sees the same order whenever it runs.
type World interface {
	Files

	// Start stands in for proc.Start.
	Start(context.Context, []proc.Command) (Process, error)

	// Secret gives the value of a secret, as secret.Read does.
	Secret(*plan.Secret) ([]byte, error)

	// Step does a step that is a task, a check or a change of the mask: by itself, or by
	// work. What failed in a task whose main work is safe is added to its report.
	Step(ctx context.Context, s plan.Step, r *report.Run, work func() error) error

	// Said gets what a function logs.
	Said(plan.LogLevel, string)
}

// Process is a pipeline that runs, as *proc.Pipeline is one.
type Process interface {
	io.ReadCloser
	Results() []proc.Result
}

// spawn starts processes, or what stands in for them.
func (e *Engine) spawn(ctx context.Context, cmds []proc.Command, o proc.Options) (Process, error) {
	if e.World != nil {
		return e.World.Start(ctx, cmds)
	}
	return proc.Start(ctx, cmds, o)
}

// Files is what functions reach of a file system.
type Files interface {
	Stat(path string) error                               // nil = there is something; symbolic links are followed
	Open(path string) (io.ReadCloser, fs.FileMode, error) // for reading, whatever it is; the caller closes it
	MkdirTemp() (path string, err error)                  // a new directory that only palhm's user can enter
	RemoveAll(path string) error
}

func (e *Engine) files() Files {
	if e.World != nil {
		return e.World
	}
	return hostFiles{}
}

// hostFiles are those of the host.
type hostFiles struct{}

func (hostFiles) Stat(path string) error {
	_, err := os.Stat(path)
	return err
}

// Open opens a file. O_NONBLOCK keeps a named pipe from holding it up.
func (hostFiles) Open(path string) (io.ReadCloser, fs.FileMode, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Mode(), nil
}

// MkdirTemp makes a directory of the mode 0700 (os.MkdirTemp).
func (hostFiles) MkdirTemp() (string, error) { return os.MkdirTemp("", "palhm-") }

func (hostFiles) RemoveAll(path string) error { return os.RemoveAll(path) }
