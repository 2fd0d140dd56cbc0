package s3

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// abortUpload aborts an upload until the store no longer knows it: a part that was
// under way when the first request came may have been kept.
func (s *Store) abortUpload(ctx context.Context, key, id string) error {
	c, err := s.api(ctx)
	if err != nil {
		return err
	}
	what := "abort the upload of " + s.url(key)
	for try := 1; ; try++ {
		_, err := c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &c.bucket, Key: &key, UploadId: &id})
		if isNoUpload(err) {
			return nil
		}
		if err != nil {
			return failed(ctx, what, err)
		}
		_, err = c.ListParts(ctx, &s3.ListPartsInput{Bucket: &c.bucket, Key: &key, UploadId: &id, MaxParts: aws.Int32(1)})
		if isNoUpload(err) || isDenied(err) {
			return nil
		}
		if try >= s.opt.Attempts {
			return failed(ctx, what, orStays(err))
		}
		if err := s.pause(ctx, try); err != nil {
			return err
		}
	}
}

// listsUploads reports whether the store lists the open upload of this id among all below
// a key, so that a later run finds what this one does not know of. MinIO lists an upload
// only to a client that asks for its key. The store is asked once.
func (s *Store) listsUploads(ctx context.Context, below, id string) bool {
	s.mu.Lock()
	known := s.uploadsListed
	s.mu.Unlock()
	if known != nil {
		return *known
	}
	listed := false
	err := s.abortUploads(ctx, below, func(up types.MultipartUpload) bool {
		listed = listed || aws.ToString(up.UploadId) == id
		return false
	})
	if err == nil {
		s.mu.Lock()
		s.uploadsListed = &listed
		s.mu.Unlock()
	}
	return listed
}

func orStays(err error) error {
	if err == nil {
		return errors.New("the store says that it is done, and lists it still")
	}
	return err
}

// errNoMarker says that the store shows one page of uploads only, and none on it is mine.
var errNoMarker = errors.New("the store refuses to show a second page")

// abortUploads aborts the open uploads below a key that are mine. Some stores refuse
// the marker with which the next page is asked for: then it starts over, since what
// was on this page is gone.
func (s *Store) abortUploads(ctx context.Context, below string, mine func(types.MultipartUpload) bool) error {
	c, err := s.api(ctx)
	if err != nil {
		return err
	}
	what := "list the open uploads in " + s.url(below)
	in := &s3.ListMultipartUploadsInput{Bucket: &c.bucket, Prefix: &below, EncodingType: types.EncodingTypeUrl}
	gone := 0 // since the listing was begun
	asked := map[string]bool{}
	for {
		out, err := c.ListMultipartUploads(ctx, in)
		if in.KeyMarker != nil && status(err)/100 == 4 {
			if gone == 0 {
				return fmt.Errorf("%s: %w (%s)", what, errNoMarker, reason(err))
			}
			in.KeyMarker, in.UploadIdMarker, gone = nil, nil, 0
			clear(asked)
			continue
		}
		if isUnknown(err) || isNotFound(err) || status(err) == 405 {
			return nil // a store that has no such list, or has none at all while it is empty
		}
		if err != nil {
			return failed(ctx, what, err)
		}
		for _, up := range out.Uploads {
			if !strings.HasPrefix(aws.ToString(up.Key), below) || !mine(up) { // some stores list others too
				continue
			}
			if err := s.abortUpload(ctx, aws.ToString(up.Key), aws.ToString(up.UploadId)); err != nil {
				return err
			}
			gone++
		}
		if !aws.ToBool(out.IsTruncated) {
			return nil
		}
		in.KeyMarker, in.UploadIdMarker = out.NextKeyMarker, out.NextUploadIdMarker
		page := aws.ToString(in.KeyMarker) + "\x00" + aws.ToString(in.UploadIdMarker)
		if asked[page] {
			return fmt.Errorf("%s: %w", what, errCircle)
		}
		asked[page] = true
	}
}
