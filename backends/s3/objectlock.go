package s3

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// checkObjectLock finds out before a copy is begun that the bucket cannot lock it:
// that is decided when a bucket is made. Where these credentials may not ask, or the
// store does not know the question, Finish will tell.
func (s *Store) checkObjectLock(ctx context.Context) error {
	if s.opt.LockMode == "" {
		return nil
	}
	c, err := s.api(ctx)
	if err != nil {
		return err
	}
	what := "ask for the object lock of bucket " + s.opt.Bucket
	out, err := c.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: &c.bucket})
	switch {
	case isNotFound(err):
		return &requestError{what, &hintError{noObjectLock + " (" + reason(err) + ")", err}}
	case isDenied(err) || isUnknown(err):
		return nil
	case err != nil:
		return failed(ctx, what, err)
	case out.ObjectLockConfiguration == nil || out.ObjectLockConfiguration.ObjectLockEnabled != types.ObjectLockEnabledEnabled:
		return &requestError{what, errors.New(noObjectLock)}
	}
	return nil
}

const noObjectLock = "the bucket has none: make one that has it, or leave object_lock_mode out"

func (s *Store) retain(ctx context.Context, key string, until time.Time) error {
	c, err := s.api(ctx)
	if err != nil {
		return err
	}
	_, err = c.PutObjectRetention(ctx, &s3.PutObjectRetentionInput{
		Bucket: &c.bucket, Key: &key, ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
		Retention: &types.ObjectLockRetention{Mode: types.ObjectLockRetentionMode(s.opt.LockMode), RetainUntilDate: &until},
	})
	if isHopeless(err) {
		err = &hintError{"the bucket has no object lock, as it seems: make one that has it, or leave object_lock_mode out (" + reason(err) + ")", err}
	}
	return failed(ctx, "lock "+s.url(key), err)
}

// Kept returns a *backends.RetainedError for a copy that Remove would leave where it is.
func (s *Store) Kept(ctx context.Context, prefix string) error {
	if err := checkCopyName(ctx, prefix); err != nil {
		return err
	}
	_, err := s.checkRetained(ctx, prefix)
	return err
}
