package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// reader reads an object, and asks for the rest of it when a connection breaks.
type reader struct {
	store *Store
	ctx   context.Context // of the Open; it ends the reads
	key   string
	etag  string
	body  io.ReadCloser
	at    int64 // bytes read
	fails int   // since the last byte

	broken error // why reading was given up
}

// open returns a reader of the object at key, or an error that wraps fs.ErrNotExist.
func (s *Store) open(ctx context.Context, key string) (io.ReadCloser, error) {
	r := &reader{store: s, ctx: ctx, key: key}
	if err := r.connect(); err != nil {
		return nil, err
	}
	return r, nil
}

// connect asks for the object from the first byte that is missing.
func (r *reader) connect() error {
	c, err := r.store.api(r.ctx)
	if err != nil {
		return err
	}
	in := &s3.GetObjectInput{Bucket: &c.bucket, Key: &r.key}
	if r.at > 0 {
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", r.at))
		in.IfMatch = optional(r.etag)
	}
	out, err := c.GetObject(r.ctx, in)
	what := "open " + r.store.url(r.key)
	switch {
	case isNotFound(err):
		return fmt.Errorf("%s: %w", what, fs.ErrNotExist)
	case code(err) == "InvalidObjectState":
		return failed(r.ctx, what, &hintError{"it is archived: restore it from its storage class first (aws s3api restore-object)", err})
	case err != nil:
		return failed(r.ctx, what, err)
	}
	if r.at > 0 && !strings.HasPrefix(aws.ToString(out.ContentRange), fmt.Sprintf("bytes %d-", r.at)) {
		out.Body.Close()
		return fmt.Errorf("%s: the store does not send the rest of an object", what)
	}
	r.body, r.etag = out.Body, aws.ToString(out.ETag)
	return nil
}

func (r *reader) Read(p []byte) (int, error) {
	for {
		if r.broken != nil {
			return 0, r.broken
		}
		n, err := r.body.Read(p)
		r.at += int64(n)
		if n > 0 {
			r.fails = 0
		}
		if err == nil || err == io.EOF {
			return n, err
		}
		if n > 0 {
			return n, nil // the next Read finds the error again
		}
		r.again(err)
	}
}

// again connects once more, or sets broken.
func (r *reader) again(err error) {
	r.body.Close()
	r.fails++
	if r.fails >= r.store.opt.Attempts || r.ctx.Err() != nil || r.store.pause(r.ctx, r.fails) != nil {
		r.broken = failed(r.ctx, "read "+r.store.url(r.key), err)
		return
	}
	if err := r.connect(); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("read %s: it was removed meanwhile", r.store.url(r.key))
		}
		r.broken = err
	}
}

// Close ends the reading.
func (r *reader) Close() error { return r.body.Close() }
