package s3

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// A copy that has the first of these keys and not the second is not finished.
const (
	finishPath   = stateDir + "finish.json"
	finishedPath = stateDir + "finished.json"
)

// largestCopy is how many bytes one request can copy: 5 GB in the words of S3, which
// are GiB.
const largestCopy = 5 << 30

func (s *Store) finishes() bool { return s.opt.RotClass != "" || s.opt.LockMode != "" }

// Finish changes the storage class of a committed copy's objects and locks them, and
// does the same for earlier copies that were left without.
func (s *Store) Finish(ctx context.Context, prefix string) error {
	if !s.finishes() {
		return nil
	}
	names, err := s.unfinished(ctx, prefix)
	if err != nil {
		return err
	}
	var left []string
	var problems []error
	for _, name := range names {
		err := s.finish(ctx, name)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			left = append(left, name)
			problems = append(problems, err)
		}
	}
	again := slices.ContainsFunc(problems, func(err error) bool { return !isHopeless(err) })
	switch {
	case again:
		return fmt.Errorf("finish %s: the next run tries again: %w", strings.Join(left, ", "), errors.Join(problems...))
	case len(problems) > 0: // which is the same for all
		return fmt.Errorf("finish %s: no run can, until this is changed: %w", strings.Join(left, ", "), problems[0])
	}
	return nil
}

// unfinished lists the committed copies on which something is left to do, sorted.
func (s *Store) unfinished(ctx context.Context, prefix string) (left []string, err error) {
	names, err := s.names(ctx)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	err = s.lookAll(ctx, names, func(name string, st *state) error {
		if (name == prefix || st.finish) && st.committed() && !st.finished {
			mu.Lock()
			defer mu.Unlock()
			left = append(left, name)
		}
		return nil
	})
	slices.Sort(left)
	return left, err
}

func (s *Store) finish(ctx context.Context, name string) error {
	var objects []types.Object
	below := s.key(name + "/")
	err := s.eachObject(ctx, below, func(o types.Object) error {
		objects = append(objects, o)
		return nil
	})
	if err != nil {
		return err
	}
	until := time.Now().AddDate(0, 0, s.opt.LockDays).UTC().Truncate(time.Second)
	for _, o := range objects {
		own := strings.HasPrefix(*o.Key, below+stateDir)
		if s.opt.RotClass != "" && !own && orStandard(string(o.StorageClass)) != s.opt.RotClass {
			if err := s.changeClass(ctx, o); err != nil {
				return err
			}
		}
		if s.opt.LockMode != "" && *o.Key != below+openPath {
			if err := s.retain(ctx, *o.Key, until); err != nil {
				return err
			}
		}
	}
	_, err = s.putObject(ctx, below+finishedPath, []byte("{}\n"), "", condition{absent: true})
	return err
}

// changeClass copies an object onto itself, on the server.
func (s *Store) changeClass(ctx context.Context, o types.Object) error {
	if *o.Size > s.largestCopy {
		return s.changeClassInParts(ctx, o)
	}
	c, err := s.api(ctx)
	if err != nil {
		return err
	}
	_, err = c.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: &c.bucket, Key: o.Key, CopySource: s.copySource(*o.Key), CopySourceIfMatch: o.ETag,
		StorageClass: types.StorageClass(s.opt.RotClass), MetadataDirective: types.MetadataDirectiveCopy,
		ServerSideEncryption: types.ServerSideEncryption(s.opt.SSE), SSEKMSKeyId: optional(s.opt.KMSKey),
	})
	return s.changed(ctx, *o.Key, *o.Size, nil, err)
}

// changed looks whether an object is in its class now, and whether it is still as long
// as it was, and the same if crc is known. The answer to the request for it may be an
// error that was none, or a yes that was none.
func (s *Store) changed(ctx context.Context, key string, size int64, crc *string, answer error) error {
	if ctx.Err() != nil {
		return s.unchanged(ctx, key, context.Cause(ctx))
	}
	st, err := s.head(ctx, key)
	switch {
	case err == nil && st != nil && st.is(size, crc) && st.class == s.opt.RotClass:
		return nil
	case answer != nil:
		return s.unchanged(ctx, key, answer)
	case err != nil:
		return err
	case st == nil || !st.is(size, crc):
		return s.unchanged(ctx, key, errors.New("the store says that it is done, and the object is not there as it was"))
	}
	return s.unchanged(ctx, key, fmt.Errorf("the store says that it is done, and the object is in class %s", st.class))
}

// unchanged describes why an object is not in its class.
func (s *Store) unchanged(ctx context.Context, key string, err error) error {
	if code(err) == "InvalidStorageClass" {
		err = &hintError{"the store has no such class: set rot_storage_class to one that it has, or leave it out (" + reason(err) + ")", err}
	}
	return failed(ctx, fmt.Sprintf("change %s to storage class %s", s.url(key), s.opt.RotClass), err)
}

func (s *Store) copySource(key string) *string {
	return aws.String(s.opt.Bucket + "/" + strings.ReplaceAll(escape(key), "%2F", "/"))
}

// changeClassInParts does it for an object that one request cannot copy. The object
// is replaced only when the new one is complete.
func (s *Store) changeClassInParts(ctx context.Context, o types.Object) error {
	before, err := s.head(ctx, *o.Key)
	if err != nil {
		return err
	}
	if before == nil {
		return s.unchanged(ctx, *o.Key, errors.New("it is there no more"))
	}
	c, err := s.api(ctx)
	if err != nil {
		return err
	}
	if err := s.journal(*o.Key); err != nil {
		return s.unchanged(ctx, *o.Key, err)
	}
	in := &s3.CreateMultipartUploadInput{
		Bucket: &c.bucket, Key: o.Key, StorageClass: types.StorageClass(s.opt.RotClass), Tagging: s.tagging(),
		ServerSideEncryption: types.ServerSideEncryption(s.opt.SSE), SSEKMSKeyId: optional(s.opt.KMSKey),
	}
	s.quirks.start(in)
	out, err := c.CreateMultipartUpload(ctx, in)
	if err != nil {
		return s.unchanged(ctx, *o.Key, err)
	}
	if err := s.copyParts(ctx, c, *o.Key, aws.ToString(out.UploadId), before); err != nil {
		clean, cancel := s.cleanUp(ctx, ctx.Done())
		defer cancel()
		return errors.Join(err, s.abortUpload(clean, *o.Key, aws.ToString(out.UploadId)))
	}
	return nil
}

// copyParts copies an object, as it was before, into an upload of the same key.
func (s *Store) copyParts(ctx context.Context, c *client, key, id string, before *stat) error {
	size := ceilDiv(before.size, ceilDiv(before.size, min(s.quirks.largest, s.largestCopy)))
	var parts []types.CompletedPart
	for from := int64(0); from < before.size; from += size {
		number := int32(len(parts) + 1)
		out, err := c.UploadPartCopy(ctx, &s3.UploadPartCopyInput{
			Bucket: &c.bucket, Key: &key, UploadId: &id, PartNumber: &number, CopySource: s.copySource(key), CopySourceIfMatch: &before.etag,
			CopySourceRange: aws.String(fmt.Sprintf("bytes=%d-%d", from, min(from+size, before.size)-1)),
		})
		if err != nil {
			return s.unchanged(ctx, key, err)
		}
		p := types.CompletedPart{PartNumber: &number}
		if r := out.CopyPartResult; r != nil {
			p.ETag, p.ChecksumCRC64NVME = r.ETag, r.ChecksumCRC64NVME
		}
		parts = append(parts, p)
	}
	in := &s3.CompleteMultipartUploadInput{
		Bucket: &c.bucket, Key: &key, UploadId: &id, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	}
	if before.crc != nil {
		in.ChecksumCRC64NVME, in.ChecksumType, in.MpuObjectSize = before.crc, types.ChecksumTypeFullObject, &before.size
	}
	_, err := c.CompleteMultipartUpload(ctx, in)
	return s.changed(ctx, key, before.size, before.crc, err)
}
