package s3

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
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
	names, err := s.names(ctx)
	if err != nil {
		return err
	}
	var left []string
	var problems []error
	for _, name := range names {
		st, err := s.look(ctx, name)
		if err == nil && (name == prefix || st.finish) && st.committed() && !st.finished {
			err = s.finish(ctx, name)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			left = append(left, name)
			problems = append(problems, err)
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("finish %s: the next run tries again: %w", strings.Join(left, ", "), errors.Join(problems...))
	}
	return nil
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
		if s.opt.RotClass != "" && !own && string(o.StorageClass) != s.opt.RotClass {
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

func (s *Store) retain(ctx context.Context, key string, until time.Time) error {
	c, err := s.api(ctx)
	if err != nil {
		return err
	}
	_, err = c.PutObjectRetention(ctx, &s3.PutObjectRetentionInput{
		Bucket: &c.bucket, Key: &key, ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
		Retention: &types.ObjectLockRetention{Mode: types.ObjectLockRetentionMode(s.opt.LockMode), RetainUntilDate: &until},
	})
	return failed(ctx, "lock "+s.url(key), err)
}

// changeClass copies an object onto itself, on the server.
func (s *Store) changeClass(ctx context.Context, o types.Object) error {
	if *o.Size > largestCopy {
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
	if err == nil {
		return nil
	}
	what := fmt.Sprintf("change %s to storage class %s", s.url(*o.Key), s.opt.RotClass)
	if ctx.Err() == nil && s.hasClass(ctx, *o.Key) {
		return nil // an answer was lost
	}
	return failed(ctx, what, err)
}

func (s *Store) copySource(key string) *string {
	return aws.String(s.opt.Bucket + "/" + strings.ReplaceAll(url.PathEscape(key), "%2F", "/"))
}

func (s *Store) hasClass(ctx context.Context, key string) bool {
	st, err := s.head(ctx, key)
	return err == nil && st != nil && st.class == s.opt.RotClass
}

// changeClassInParts does it for an object that one request cannot copy. The object
// is replaced only when the new one is complete, and is as long as the old one.
func (s *Store) changeClassInParts(ctx context.Context, o types.Object) error {
	what := fmt.Sprintf("change %s to storage class %s", s.url(*o.Key), s.opt.RotClass)
	before, err := s.head(ctx, *o.Key)
	if err != nil || before == nil {
		return err
	}
	c, err := s.api(ctx)
	if err != nil {
		return err
	}
	if err := s.journal(*o.Key, uploadBegun); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	in := &s3.CreateMultipartUploadInput{
		Bucket: &c.bucket, Key: o.Key, StorageClass: types.StorageClass(s.opt.RotClass), Tagging: s.tagging(),
		ServerSideEncryption: types.ServerSideEncryption(s.opt.SSE), SSEKMSKeyId: optional(s.opt.KMSKey),
	}
	s.quirks.start(in)
	out, err := c.CreateMultipartUpload(ctx, in)
	if err != nil {
		return failed(ctx, what, err)
	}
	if err := s.copyParts(ctx, c, o, aws.ToString(out.UploadId), before); err != nil {
		clean, cancel := s.cleanUp(ctx, ctx.Done())
		defer cancel()
		return errors.Join(failed(ctx, what, err), s.abortUpload(clean, *o.Key, aws.ToString(out.UploadId)))
	}
	return nil
}

func (s *Store) copyParts(ctx context.Context, c *client, o types.Object, id string, before *stat) error {
	size := ceilDiv(*o.Size, max(1, ceilDiv(*o.Size, s.quirks.largest)))
	var parts []types.CompletedPart
	for from := int64(0); from < *o.Size; from += size {
		number := int32(len(parts) + 1)
		out, err := c.UploadPartCopy(ctx, &s3.UploadPartCopyInput{
			Bucket: &c.bucket, Key: o.Key, UploadId: &id, PartNumber: &number, CopySource: s.copySource(*o.Key), CopySourceIfMatch: &before.etag,
			CopySourceRange: aws.String(fmt.Sprintf("bytes=%d-%d", from, min(from+size, *o.Size)-1)),
		})
		if err != nil {
			return err
		}
		p := types.CompletedPart{PartNumber: &number}
		if r := out.CopyPartResult; r != nil {
			p.ETag, p.ChecksumCRC64NVME = r.ETag, r.ChecksumCRC64NVME
		}
		parts = append(parts, p)
	}
	in := &s3.CompleteMultipartUploadInput{
		Bucket: &c.bucket, Key: o.Key, UploadId: &id, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	}
	if before.crc != nil {
		in.ChecksumCRC64NVME, in.ChecksumType, in.MpuObjectSize = before.crc, types.ChecksumTypeFullObject, o.Size
	}
	_, err := c.CompleteMultipartUpload(ctx, in)
	after, headErr := s.head(ctx, *o.Key)
	if headErr != nil {
		return headErr
	}
	if after != nil && after.etag != before.etag && after.is(before.size, before.crc) && s.hasClass(ctx, *o.Key) {
		return nil
	}
	return orAbsent(err)
}
