package s3

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/minio/crc64nvme"

	"palhm/backends"
	"palhm/runtime/fault"
)

// source is a stream that is read once and hashed as it passes.
type source struct {
	r   io.Reader
	crc hash.Hash64
	n   int64
	err error // how it ended
}

func newSource(r io.Reader) *source { return &source{r: r, crc: crc64nvme.New()} }

// fill reads until b is full or the stream has ended. Only a failure of the stream
// is an error, or the end of ctx.
func (s *source) fill(ctx context.Context, b []byte) (n int, err error) {
	for n < len(b) && s.err == nil {
		if ctx.Err() != nil {
			return n, context.Cause(ctx)
		}
		var got int
		got, s.err = s.r.Read(b[n:])
		n += got
	}
	s.crc.Write(b[:n])
	s.n += int64(n)
	switch {
	case s.err == nil || s.err == io.EOF:
		return n, nil
	case ctx.Err() != nil: // it may have been interrupted for that
		return n, context.Cause(ctx)
	}
	return n, s.err
}

func (s *source) ended() bool { return s.err == io.EOF }

// upload is a stream on its way into an object.
type upload struct {
	copy    *Copy
	key     string
	src     *source
	plan    schedule
	buffers *buffers

	id    string // "" = there is no multipart upload
	stray bool   // others of the key may be there, which no later run would find
	asked bool   // for the object
	etag  string // of the object
	slots chan struct{}
	wg    sync.WaitGroup

	mu    sync.Mutex
	parts []types.CompletedPart
}

// run sends what head holds and the stream after it. When it fails there may be an
// upload that has to be aborted.
func (u *upload) run(ctx context.Context, head []byte) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer u.buffers.close()
	defer u.wg.Wait()
	first, err := u.next(ctx, 0, head)
	if err != nil {
		return err
	}
	ahead, err := u.peek(ctx)
	if err != nil {
		u.buffers.put(first)
		return err
	}
	if len(ahead) == 0 {
		defer u.buffers.put(first)
		u.etag, err = u.copy.putWhole(ctx, u.key, first.bytes())
		return err
	}
	if err := u.create(ctx); err != nil {
		u.buffers.put(first)
		return err
	}
	if err := u.sendAll(ctx, cancel, first, ahead); err != nil {
		cancel(err)
		return context.Cause(ctx) // what failed first
	}
	return u.complete(ctx)
}

// sendAll sends the first part, and the rest of the stream, which starts with ahead.
func (u *upload) sendAll(ctx context.Context, cancel context.CancelCauseFunc, b *buffer, ahead []byte) (err error) {
	for i := 0; ; i++ {
		if i == u.plan.parts {
			u.buffers.put(b)
			return u.plan.tooLong()
		}
		if i == u.plan.parts*8/10 && u.plan.equal {
			u.copy.warn(fmt.Sprintf("%s has used 80%% of its %d parts; at %d bytes it fails: set alloc_size of the object to about its size", u.key, u.plan.parts, u.plan.reach()))
		}
		u.send(ctx, cancel, i, b)
		if i > 0 {
			if ahead, err = u.peek(ctx); err != nil {
				return err
			}
		}
		if len(ahead) == 0 {
			break
		}
		if b, err = u.next(ctx, i+1, ahead); err != nil {
			return err
		}
	}
	u.wg.Wait()
	return context.Cause(ctx)
}

// peek waits until the stream goes on, and returns its next byte, or none when it has
// ended. A stream that stalls between two parts holds no memory for the next one.
func (u *upload) peek(ctx context.Context) ([]byte, error) {
	var b [1]byte
	n, err := u.src.fill(ctx, b[:])
	return b[:n], err
}

// next fills a buffer with part i, which starts with ahead.
func (u *upload) next(ctx context.Context, i int, ahead []byte) (*buffer, error) {
	b, ahead, err := u.take(ctx, u.plan.size(min(i, u.plan.parts-1)), ahead)
	if err != nil && i == 0 && ctx.Err() == nil && u.src.err == nil { // a hint that asks for too much
		u.plan = u.copy.store.quirks.scheduleFor(0)
		b, err = u.buffers.get(ctx, u.plan.size(0))
	}
	if err != nil {
		return nil, err
	}
	b.n = copy(b.data, ahead)
	n, err := u.src.fill(ctx, b.data[b.n:])
	b.n += n
	if err != nil {
		u.buffers.put(b)
		return nil, err
	}
	return b, nil
}

// errSourceFailed ends the waiting for memory.
var errSourceFailed = errors.New("the stream may have failed")

// take gets a buffer. While it waits for one, nobody reads the stream, so it looks at the
// stream when that says that it has failed; what comes then is appended to ahead.
func (u *upload) take(ctx context.Context, size int64, ahead []byte) (*buffer, []byte, error) {
	waiting, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if failed := backends.Failed(u.src.r); failed != nil {
		go func() {
			select {
			case <-failed:
				cancel(errSourceFailed)
			case <-waiting.Done():
			}
		}()
	}
	b, err := u.buffers.get(waiting, size)
	if !errors.Is(err, errSourceFailed) {
		return b, ahead, err
	}
	more, err := u.peek(ctx)
	if err != nil {
		return nil, nil, err
	}
	b, err = u.buffers.get(ctx, size)
	return b, append(ahead[:len(ahead):len(ahead)], more...), err
}

// create begins the multipart upload. Its key is in the journal before that, since
// the answer, with the upload's id, can be lost.
func (u *upload) create(ctx context.Context) error {
	s := u.copy.store
	c, err := s.api(ctx)
	if err != nil {
		return err
	}
	if err := s.journal(u.key); err != nil {
		u.copy.warn("an upload that is cut short may stay unnoticed: " + err.Error())
	}
	in := &s3.CreateMultipartUploadInput{
		Bucket: &c.bucket, Key: &u.key, StorageClass: types.StorageClass(s.opt.SinkClass), Tagging: s.tagging(),
		ServerSideEncryption: types.ServerSideEncryption(s.opt.SSE), SSEKMSKeyId: optional(s.opt.KMSKey),
	}
	s.quirks.start(in)
	asking, unsure := doubting(ctx)
	out, err := c.CreateMultipartUpload(asking, in)
	u.stray = unsure.Load()
	if err != nil {
		if u.stray {
			u.copy.doubtful()
		}
		return failed(ctx, "begin the upload of "+s.url(u.key), err)
	}
	u.id = aws.ToString(out.UploadId)
	u.stray = u.stray || !s.listsUploads(ctx, u.copy.key(""), u.id)
	return nil
}

// send sends a part as soon as one of the slots is free.
func (u *upload) send(ctx context.Context, cancel context.CancelCauseFunc, i int, b *buffer) {
	select {
	case u.slots <- struct{}{}:
	case <-ctx.Done():
		u.buffers.put(b)
		return
	}
	u.mu.Lock()
	u.parts = append(u.parts, types.CompletedPart{})
	u.mu.Unlock()
	u.wg.Go(func() {
		part, err := u.sendPart(ctx, int32(i+1), b.bytes())
		u.buffers.put(b)
		<-u.slots
		if err != nil {
			cancel(err)
			backends.Interrupt(u.src.r)
			return
		}
		u.mu.Lock()
		u.parts[i] = part
		u.mu.Unlock()
	})
}

func (u *upload) sendPart(ctx context.Context, number int32, data []byte) (part types.CompletedPart, err error) {
	defer fault.Catch(&err)
	s := u.copy.store
	c, err := s.api(ctx)
	if err != nil {
		return part, err
	}
	sum, b := s.quirks.sums(data), newBody(data)
	defer b.retire()
	out, err := c.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: &c.bucket, Key: &u.key, UploadId: &u.id, PartNumber: &number,
		Body: b, ContentLength: aws.Int64(int64(len(data))), ChecksumCRC64NVME: sum.crc, ContentMD5: sum.md5,
	})
	if err != nil {
		return part, failed(ctx, fmt.Sprintf("send part %d of %s", number, s.url(u.key)), err)
	}
	return types.CompletedPart{ETag: out.ETag, PartNumber: &number, ChecksumCRC64NVME: sum.crc}, nil
}

// complete makes the object. Whatever is answered, the object is looked at: an
// answer can be lost, a repeated request is refused, and an error can come after
// the object has been made.
func (u *upload) complete(ctx context.Context) error {
	s := u.copy.store
	what := "complete " + s.url(u.key)
	crc := u.crc()
	u.asked = true
	var last error
	for try := 1; ; try++ {
		err := u.askComplete(ctx, crc)
		if ctx.Err() != nil {
			return failed(ctx, what, err)
		}
		if err != nil {
			last = err
		}
		st, headErr := s.head(ctx, u.key)
		switch {
		case headErr != nil:
			return headErr
		case st != nil && st.is(u.src.n, crc):
			u.id, u.etag = "", st.etag
			return nil
		case st != nil:
			return fmt.Errorf("%s: the object there has %d bytes, want %d; if it is only the checksum that differs, the store computes another one: set checksum = \"md5\" or \"none\"", what, st.size, u.src.n)
		case err != nil && !retryable(err) && !isTaken(err) && !isNoUpload(err) && !s.credentials.renew(ctx, err), try >= s.opt.Attempts:
			return failed(ctx, what, orAbsent(last))
		}
		if err := s.pauseAfter(ctx, try, err); err != nil {
			return err
		}
	}
}

// orAbsent is the failure of a request that was answered with a yes and has made
// nothing.
func orAbsent(err error) error {
	if err == nil {
		return errors.New("the store says that it is done, but there is no object")
	}
	return err
}

// askComplete sends the request once.
func (u *upload) askComplete(ctx context.Context, crc *string) error {
	s := u.copy.store
	c, err := s.api(ctx)
	if err != nil {
		return err
	}
	in := &s3.CompleteMultipartUploadInput{
		Bucket: &c.bucket, Key: &u.key, UploadId: &u.id,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts},
	}
	if s.hasConditions() {
		in.IfNoneMatch = aws.String("*")
	}
	if crc != nil {
		in.ChecksumCRC64NVME, in.ChecksumType, in.MpuObjectSize = crc, types.ChecksumTypeFullObject, &u.src.n
	}
	once := func(o *s3.Options) { o.Retryer = aws.NopRetryer{} }
	_, err = c.CompleteMultipartUpload(ctx, in, once)
	if isUnknown(err) && in.IfNoneMatch != nil {
		in.IfNoneMatch = nil
		if _, err = c.CompleteMultipartUpload(ctx, in, once); err == nil {
			s.loseConditions()
		}
	}
	return err
}

// crc is the checksum of the whole object, when the store is asked to keep it.
func (u *upload) crc() *string {
	if u.copy.store.quirks.checksum != checksumCRC64NVME {
		return nil
	}
	return base64CRC(u.src.crc)
}

func (st *stat) is(size int64, crc *string) bool {
	return st.size == size && (crc == nil || st.crc == nil || *crc == *st.crc)
}

// discard removes what an upload has left: its parts and the object that may have been
// made after all when it has failed, and other uploads of the key: the request for one can
// be sent twice on its way, and its answer be lost.
func (u *upload) discard(ctx context.Context) error {
	s := u.copy.store
	ctx, cancel := s.cleanUp(ctx, u.copy.stopped)
	defer cancel()
	var left error
	if u.id != "" {
		left = s.abortUpload(ctx, u.key, u.id)
	}
	if u.asked && u.id != "" {
		left = errors.Join(left, u.copy.deleteOwn(ctx, u.key))
	}
	if !u.stray {
		return left
	}
	return errors.Join(left, s.abortUploads(ctx, u.key, func(up types.MultipartUpload) bool { return aws.ToString(up.Key) == u.key }))
}
