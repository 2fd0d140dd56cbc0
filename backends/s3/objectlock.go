package s3

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

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
