package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"palhm/runtime/fault"
)

// Await returns what do returns, or the cause of ctx as soon as that ends. A system call
// on a file system that is silent cannot be stopped: do then goes on by itself, and late,
// if it is not nil, gets the result of a success to let go of it.
func Await[T any](ctx context.Context, do func() (T, error), late func(T)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() { done <- r }()
		defer fault.Catch(&r.err)
		r.value, r.err = do()
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
	}
	select {
	case r := <-done: // both at once: nothing was left
		return r.value, r.err
	default:
	}
	if late != nil {
		go func() {
			if r := <-done; r.err == nil {
				late(r.value)
			}
		}()
	}
	var none T
	return none, fmt.Errorf("stopped: %w", context.Cause(ctx))
}

// Do is Await for what gives nothing but an error.
func Do(ctx context.Context, do func() error) error {
	_, err := Await(ctx, func() (struct{}, error) { return struct{}{}, do() }, nil)
	return err
}

// Open opens a file for reading, whatever it is. Opening a named pipe waits until
// somebody writes to it, and opening a file of a server until that answers: the error
// wraps the cause of ctx when ctx ends before that.
func Open(ctx context.Context, path string) (*os.File, error) {
	f, err := Await(ctx, func() (*os.File, error) { return os.Open(path) }, func(f *os.File) { f.Close() })
	return f, about(ctx, path, err)
}

// ReadFile reads a file whole, whatever it is, as Open opens it. One that is larger than
// limit bytes is an error.
func ReadFile(ctx context.Context, path string, limit int64) ([]byte, error) {
	return read(ctx, path, limit, os.O_RDONLY)
}

// ReadPlainFile is ReadFile for a regular file: one that can be read again.
func ReadPlainFile(ctx context.Context, path string, limit int64) ([]byte, error) {
	return read(ctx, path, limit, os.O_RDONLY|syscall.O_NONBLOCK) // a named pipe is opened at once
}

func read(ctx context.Context, path string, limit int64, flags int) ([]byte, error) {
	data, err := Await(ctx, func() ([]byte, error) {
		f, err := os.OpenFile(path, flags, 0)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return nil, err
		}
		if info.IsDir() {
			return nil, &fs.PathError{Op: "read", Path: path, Err: syscall.EISDIR}
		}
		if flags&syscall.O_NONBLOCK != 0 && !info.Mode().IsRegular() {
			return nil, fmt.Errorf("read %s: %w", path, ErrNotPlain)
		}
		data, err := io.ReadAll(io.LimitReader(f, limit+1))
		if err == nil && int64(len(data)) > limit {
			err = fmt.Errorf("%s is larger than %d bytes; is it the right file?", path, limit)
		}
		return data, err
	}, nil)
	return data, about(ctx, path, err)
}

// ErrNotPlain is the failure of ReadPlainFile for a named pipe, a device or a socket.
var ErrNotPlain = errors.New("it is not a regular file")

// about names the file that somebody has stopped waiting for.
func about(ctx context.Context, path string, err error) error {
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, cause) {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return err
}
