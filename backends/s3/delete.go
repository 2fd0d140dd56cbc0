package s3

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// deleteBatch is how many keys a request may delete.
const deleteBatch = 1000

// deleteObject deletes one key. One that is not there is no error.
func (s *Store) deleteObject(ctx context.Context, key string) error {
	c, err := s.api(ctx)
	if err != nil {
		return err
	}
	_, err = c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &c.bucket, Key: &key})
	if isNotFound(err) {
		return nil
	}
	return failed(ctx, "delete "+s.url(key), err)
}

// deleteKeys deletes at most deleteBatch keys and looks at the answer for every one
// of them: a request that succeeds as a whole can have failed for some.
func (s *Store) deleteKeys(ctx context.Context, keys []string) error {
	c, err := s.api(ctx)
	if err != nil {
		return err
	}
	if s.singly() {
		return s.deleteSingly(ctx, keys)
	}
	if odd := slices.IndexFunc(keys, func(key string) bool { return !fitsXML(key) }); odd >= 0 {
		if err := s.deleteObject(ctx, keys[odd]); err != nil {
			return err
		}
		keys = slices.Concat(keys[:odd], keys[odd+1:])
		if len(keys) == 0 {
			return nil
		}
		return s.deleteKeys(ctx, keys)
	}
	for try := 1; ; try++ {
		in := &s3.DeleteObjectsInput{Bucket: &c.bucket, Delete: &types.Delete{}} // whose answer names every key
		for i := range keys {
			in.Delete.Objects = append(in.Delete.Objects, types.ObjectIdentifier{Key: &keys[i]})
		}
		out, err := c.DeleteObjects(ctx, in, s3.WithAPIOptions(s.withContentMD5))
		if isUnknown(err) {
			s.deleteOneByOne()
		}
		if isUnknown(err) || isUnnamed(err) {
			return s.deleteSingly(ctx, keys)
		}
		if err != nil {
			return failed(ctx, fmt.Sprintf("delete %d objects, the first being %s", len(keys), s.url(keys[0])), err)
		}
		again, err := s.refused(out.Errors)
		if err != nil || len(again) == 0 {
			return err
		}
		if try >= s.opt.Attempts {
			e := out.Errors[0]
			return fmt.Errorf("delete %s and %d more: gave up after %d attempts: %s", s.url(aws.ToString(e.Key)), len(again)-1, try, aws.ToString(e.Code))
		}
		keys = again
		if err := s.pause(ctx, try); err != nil {
			return err
		}
	}
}

// isUnnamed: the answer does not say of every key whether it was deleted.
func isUnnamed(err error) bool {
	a, ok := errors.AsType[*answerError](err)
	return ok && a.what == unnamed
}

// refused returns the keys to try again, or what is wrong with the others.
func (s *Store) refused(errs []types.Error) (again []string, err error) {
	bad := slices.DeleteFunc(slices.Clone(errs), func(e types.Error) bool {
		return passing[aws.ToString(e.Code)] || aws.ToString(e.Code) == "NoSuchKey"
	})
	if len(bad) > 0 {
		e := bad[0]
		return nil, &deleteError{key: s.url(aws.ToString(e.Key)), code: aws.ToString(e.Code), msg: aws.ToString(e.Message), more: len(bad) - 1}
	}
	for _, e := range errs {
		if aws.ToString(e.Code) != "NoSuchKey" {
			again = append(again, aws.ToString(e.Key))
		}
	}
	return again, nil
}

// deleteError is the answer for keys that stay.
type deleteError struct {
	key, code, msg string
	more           int
}

func (e *deleteError) Error() string {
	text := fmt.Sprintf("delete %s: %s", e.key, e.code)
	if e.msg != "" && e.msg != e.code {
		text += ": " + e.msg
	}
	if e.more > 0 {
		text += fmt.Sprintf(", and %d more", e.more)
	}
	return text
}

func (s *Store) deleteSingly(ctx context.Context, keys []string) error {
	for _, key := range keys {
		if err := s.deleteObject(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) singly() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.oneByOne
}

func (s *Store) deleteOneByOne() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.oneByOne = true
}

// withContentMD5 adds the header that S3 has always wanted with this request and
// that the SDK no longer sends; many stores know nothing else. The SDK's own
// checksum is taken away where the store refuses such headers.
func (s *Store) withContentMD5(stack *middleware.Stack) error {
	return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("ContentMD5", func(
		ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
	) (middleware.FinalizeOutput, middleware.Metadata, error) {
		if r, ok := in.Request.(*smithyhttp.Request); ok {
			if err := addContentMD5(r); err != nil {
				return middleware.FinalizeOutput{}, middleware.Metadata{}, err
			}
			if s.quirks.checksum != checksumCRC64NVME {
				r.Header.Del("X-Amz-Checksum-Crc32")
				r.Header.Del("X-Amz-Sdk-Checksum-Algorithm")
			}
		}
		return next.HandleFinalize(ctx, in)
	}), "Signing", middleware.Before)
}

func addContentMD5(r *smithyhttp.Request) error {
	var b bytes.Buffer
	if _, err := io.Copy(&b, r.GetStream()); err != nil {
		return err
	}
	if err := r.RewindStream(); err != nil {
		return err
	}
	sum := md5.Sum(b.Bytes())
	r.Header.Set("Content-Md5", base64.StdEncoding.EncodeToString(sum[:]))
	return nil
}
