package s3

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// body is what a request sends. The transport may go on reading it when the
// request has failed already, and the memory behind it is unmapped or filled
// again: after retire it reads nothing more.
type body struct {
	mu sync.Mutex
	r  *bytes.Reader
}

func newBody(b []byte) *body { return &body{r: bytes.NewReader(b)} }

func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.r == nil {
		return 0, errors.New("the request is over")
	}
	return b.r.Read(p)
}

func (b *body) Seek(offset int64, whence int) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.r == nil {
		return 0, errors.New("the request is over")
	}
	return b.r.Seek(offset, whence)
}

func (b *body) retire() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.r = nil
}

// condition is on what has to be at a key for a write to be made. The zero value
// is none.
type condition struct {
	absent bool   // nothing
	etag   string // the object of this ETag
}

// dropped is the condition as the store can keep it.
func (s *Store) dropped(c condition) condition {
	if s.hasConditions() {
		return c
	}
	return condition{}
}

// putObject stores data at key in one request and returns its ETag. class is a
// storage class or "". The answer can be lost, so after a failure it looks whether
// the object is there.
func (s *Store) putObject(ctx context.Context, key string, data []byte, class string, cond condition) (etag string, err error) {
	c, err := s.api(ctx)
	if err != nil {
		return "", err
	}
	etag, err = s.putOnce(ctx, c, key, data, class, cond)
	what := "put " + s.url(key)
	switch {
	case err == nil:
		return etag, nil
	case ctx.Err() != nil:
		return "", failed(ctx, what, err)
	case isUnknown(err) && s.dropped(cond) != (condition{}):
		// Something else in the request may be what the store does not know.
		if etag, err = s.putObject(ctx, key, data, class, condition{}); err == nil {
			s.loseConditions()
		}
		return etag, err
	}
	if etag, same := s.holds(ctx, key, data); same {
		return etag, nil
	}
	return "", failed(ctx, what, err)
}

// putOnce sends the request and believes the answer.
func (s *Store) putOnce(ctx context.Context, c *client, key string, data []byte, class string, cond condition) (etag string, err error) {
	sum, b := s.quirks.sums(data), newBody(data)
	defer b.retire()
	in := &s3.PutObjectInput{
		Bucket: &c.bucket, Key: &key, Body: b, ContentLength: aws.Int64(int64(len(data))),
		ChecksumCRC64NVME: sum.crc, ContentMD5: sum.md5,
		StorageClass: types.StorageClass(class), Tagging: s.tagging(),
		ServerSideEncryption: types.ServerSideEncryption(s.opt.SSE), SSEKMSKeyId: optional(s.opt.KMSKey),
	}
	if cond = s.dropped(cond); cond.absent {
		in.IfNoneMatch = aws.String("*")
	} else if cond.etag != "" {
		in.IfMatch = &cond.etag
	}
	out, err := c.PutObject(ctx, in)
	if err != nil {
		return "", err
	}
	s.noticeVersions(out.VersionId)
	return aws.ToString(out.ETag), nil
}

// holds reports whether exactly data is at key.
func (s *Store) holds(ctx context.Context, key string, data []byte) (etag string, same bool) {
	st, err := s.head(ctx, key)
	if err != nil || st == nil || st.size != int64(len(data)) {
		return "", false
	}
	if crc := s.quirks.sums(data).crc; crc != nil && st.crc != nil {
		return st.etag, *crc == *st.crc
	}
	if sum := md5.Sum(data); st.etag == `"`+hex.EncodeToString(sum[:])+`"` {
		return st.etag, true
	}
	got, err := s.getAll(ctx, key, int64(len(data)))
	if err != nil || got == nil {
		return "", false
	}
	return got.etag, bytes.Equal(got.data, data)
}

// stat is what a store says of an object.
type stat struct {
	size   int64
	crc    *string // CRC64NVME of all of it; nil when the store keeps none
	etag   string
	class  string
	locked time.Time // until when it cannot be removed
	held   bool      // by a legal hold
}

// head asks for an object; nil = there is none.
func (s *Store) head(ctx context.Context, key string) (*stat, error) {
	out, err := s.askHead(ctx, key)
	switch {
	case isDenied(err):
		return s.headByList(ctx, key)
	case err != nil:
		return nil, failed(ctx, "look at "+s.url(key), err)
	case out == nil:
		return nil, nil
	}
	st := &stat{
		size: aws.ToInt64(out.ContentLength), etag: aws.ToString(out.ETag), class: orStandard(string(out.StorageClass)),
		locked: aws.ToTime(out.ObjectLockRetainUntilDate), held: out.ObjectLockLegalHoldStatus == types.ObjectLockLegalHoldStatusOn,
	}
	if out.ChecksumType != types.ChecksumTypeComposite {
		st.crc = out.ChecksumCRC64NVME
	}
	return st, nil
}

// askHead is the answer for an object; nil = there is none.
func (s *Store) askHead(ctx context.Context, key string) (*s3.HeadObjectOutput, error) {
	c, err := s.api(ctx)
	if err != nil {
		return nil, err
	}
	in := &s3.HeadObjectInput{Bucket: &c.bucket, Key: &key}
	if s.quirks.checksum == checksumCRC64NVME {
		in.ChecksumMode = types.ChecksumModeEnabled
	}
	for try := 1; ; try++ {
		out, err := c.HeadObject(ctx, in)
		if !isNotFound(err) {
			return out, err
		}
		absent, err := s.isAbsent(ctx, c, key, err)
		if absent || err != nil {
			return nil, err
		}
		if try >= s.opt.Attempts {
			return nil, errors.New("the store says that it is not there, and that it is")
		}
		if err := s.pause(ctx, try); err != nil {
			return nil, err
		}
	}
}

// isAbsent reports whether a 404 to a HEAD is the store's. It has no body to tell it from
// a proxy's; where no request id does, a GET has to say the same.
func (s *Store) isAbsent(ctx context.Context, c *client, key string, err error) (bool, error) {
	if r, ok := errors.AsType[*awshttp.ResponseError](err); ok && r.ServiceRequestID() != "" {
		return true, nil
	}
	out, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: &c.bucket, Key: &key, Range: aws.String("bytes=0-0")})
	if isNotFound(err) || code(err) == "InvalidRange" { // an empty object has no first byte
		return isNotFound(err), nil
	}
	if err != nil {
		return false, err
	}
	return false, out.Body.Close()
}

// orStandard names the class that a store leaves out of its answer.
func orStandard(class string) string {
	if class == "" {
		return string(types.StorageClassStandard)
	}
	return class
}

// headByList is what the listing says of an object. It is for who may write objects
// and not read them: the request for one object alone counts as reading it.
func (s *Store) headByList(ctx context.Context, key string) (st *stat, err error) {
	err = s.eachObject(ctx, key, func(o types.Object) error {
		if *o.Key != key { // the key itself comes first of all that begin with it
			return errStop
		}
		st = &stat{size: *o.Size, etag: aws.ToString(o.ETag), class: string(o.StorageClass)}
		return errStop
	})
	if err == errStop {
		err = nil
	}
	return st, err
}

// errStop ends a listing early.
var errStop = errors.New("stop")

// content is an object with what the same answer said of it.
type content struct {
	data []byte
	etag string
	age  time.Duration // since it was written, by the store's clock; 0 = not known
}

// getAll returns an object of at most limit bytes; nil = there is none.
func (s *Store) getAll(ctx context.Context, key string, limit int64) (*content, error) {
	what := "read " + s.url(key)
	for try := 1; ; try++ {
		c, err := s.api(ctx)
		if err != nil {
			return nil, err
		}
		out, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: &c.bucket, Key: &key})
		if isNotFound(err) {
			return nil, nil
		}
		if err != nil {
			return nil, failed(ctx, what, err)
		}
		data, err := io.ReadAll(io.LimitReader(out.Body, limit+1))
		out.Body.Close()
		if err == nil && int64(len(data)) > limit {
			return nil, failed(ctx, what, errors.New("it is longer than it can be"))
		}
		if err == nil {
			return &content{data, aws.ToString(out.ETag), ageOf(out)}, nil
		}
		if try >= s.opt.Attempts || s.pause(ctx, try) != nil {
			return nil, failed(ctx, what, err)
		}
	}
}

func ageOf(out *s3.GetObjectOutput) time.Duration {
	now, ok := awsmiddleware.GetServerTime(out.ResultMetadata)
	if !ok || out.LastModified == nil {
		return 0
	}
	return now.Sub(*out.LastModified)
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// tagging is the tags of every object, as a query string.
func (s *Store) tagging() *string {
	if len(s.opt.Tags) == 0 {
		return nil
	}
	var pairs []string
	for name, value := range s.opt.Tags {
		pairs = append(pairs, escape(name)+"="+escape(value))
	}
	slices.Sort(pairs)
	return aws.String(strings.Join(pairs, "&"))
}

// hasConditions reports whether the store keeps If-Match and If-None-Match, as far
// as is known.
func (s *Store) hasConditions() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.unconditional
}

// triedConditions reports whether that is known for certain.
func (s *Store) triedConditions() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tried
}

func (s *Store) keepConditions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tried = true
}

func (s *Store) loseConditions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tried = true
	if !s.unconditional {
		s.unconditional = true
		s.notices = append(s.notices, s.Root()+": the store ignores conditions on writes, so only one host may use this root")
	}
}

// noticeVersions says once what a versioned bucket means. One with object lock always
// is.
func (s *Store) noticeVersions(id *string) {
	if id == nil || *id == "" || *id == "null" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.versioned {
		return
	}
	s.versioned = true
	what := "what palhm removes"
	if s.opt.LockMode != "" {
		what += ", once its lock has ended,"
	}
	s.notices = append(s.notices, "bucket "+s.opt.Bucket+" keeps old versions: "+what+" goes on taking space until a lifecycle rule (NoncurrentVersionExpiration) expires it")
}
