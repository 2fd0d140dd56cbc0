package s3test

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/crc64nvme"
)

// answer is what a request is answered with.
type answer struct {
	status int
	code   string // of an error
	msg    string
	header map[string]string
	body   []byte
	length int // of a body that is not sent
}

func fail(status int, code string) answer { return answer{status: status, code: code} }

func xmlAnswer(v any) answer {
	data, err := xml.Marshal(v)
	if err != nil {
		return fail(500, "InternalError")
	}
	return answer{status: 200, body: append([]byte(xml.Header), data...), header: map[string]string{"Content-Type": "application/xml"}}
}

// received is the body of a request.
type received struct {
	data []byte // nil when it is discarded
	size int64
	crc  string
	etag string
}

// answer does a request. The body is read before the lock is taken.
func (s *Server) answer(r *http.Request, q Quirks, op, bucket, key string) answer {
	if bucket != s.Bucket {
		return fail(404, "NoSuchBucket")
	}
	if q.Deny != nil && q.Deny(op, key) {
		_, _ = io.Copy(io.Discard, r.Body)
		return fail(403, "AccessDenied")
	}
	in, bad := receive(r, q, op)
	if bad.status != 0 {
		return bad
	}
	if q.NoKeys && r.Header.Get("X-Amz-Server-Side-Encryption") != "" {
		return fail(501, "NotImplemented")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	query := r.URL.Query()
	switch op {
	case "ListObjectsV2":
		return s.listObjects(query)
	case "ListMultipartUploads":
		return s.listUploads(query)
	case "DeleteObjects":
		return s.deleteObjects(q, in)
	case "PutObject":
		return s.putObject(r, q, key, in)
	case "GetObject", "HeadObject":
		return s.getObject(r, q, op, key)
	case "DeleteObject":
		s.delete(key)
		return answer{status: 204}
	case "CopyObject":
		return s.copyObject(r, q, key)
	case "PutObjectRetention":
		return s.putRetention(q, key, in)
	case "GetObjectLockConfiguration":
		return lockConfiguration(q)
	}
	return s.multipart(r, q, op, key, in)
}

func receive(r *http.Request, q Quirks, op string) (received, answer) {
	if q.RefuseChecksums {
		for name := range r.Header {
			if strings.HasPrefix(strings.ToLower(name), "x-amz-checksum") {
				return received{}, fail(400, "InvalidArgument")
			}
		}
	}
	keep := !q.Discard || op != "PutObject" && op != "UploadPart" || r.ContentLength < 1<<20
	var in received
	crc, sum := crc64nvme.New(), md5.New()
	var b bytes.Buffer
	to := []io.Writer{crc}
	if keep {
		b.Grow(int(max(r.ContentLength, 0)))
		to = append(to, &b, sum)
	}
	n, err := io.Copy(io.MultiWriter(to...), r.Body)
	if err != nil || r.ContentLength >= 0 && n != r.ContentLength {
		return in, fail(400, "IncompleteBody")
	}
	in.data, in.size, in.crc = b.Bytes(), n, base64CRC(crc.Sum64())
	in.etag = `"` + hex.EncodeToString(sum.Sum(nil)) + `"`
	if !keep {
		in.etag = fmt.Sprintf("%q", in.crc)
	}
	if want := r.Header.Get("X-Amz-Checksum-Crc64nvme"); op != "CompleteMultipartUpload" && want != "" && want != in.crc && !q.NoChecksums {
		return in, fail(400, "BadDigest")
	}
	if want := r.Header.Get("Content-Md5"); want != "" && keep && want != base64.StdEncoding.EncodeToString(sum.Sum(nil)) {
		return in, fail(400, "BadDigest")
	}
	return in, answer{}
}

func base64CRC(v uint64) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, v))
}

func crcOf(data []byte) string { return base64CRC(crc64nvme.Checksum(data)) }

func etagOf(data []byte) string {
	sum := md5.Sum(data)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

// unmet says what a condition of a write is answered with; status 0 = it is met.
func (s *Server) unmet(r *http.Request, q Quirks, key string) answer {
	none, match := r.Header.Get("If-None-Match"), r.Header.Get("If-Match")
	switch {
	case none == "" && (match == "" || q.IgnoreIfMatch) || q.IgnoreConditions:
		return answer{}
	case q.RefuseConditions:
		return fail(501, "NotImplemented")
	case none == "*" && s.objects[key] != nil:
		return fail(412, "PreconditionFailed")
	case match != "" && s.objects[key] == nil:
		return fail(404, "NoSuchKey")
	case match != "" && s.objects[key].etag != match:
		return fail(412, "PreconditionFailed")
	}
	return answer{}
}

func (s *Server) putObject(r *http.Request, q Quirks, key string, in received) answer {
	if a := s.unmet(r, q, key); a.status != 0 {
		return a
	}
	asked := requested(r)
	if q.NoClasses && asked.Class != "" {
		return fail(400, "InvalidStorageClass")
	}
	o := &object{data: in.data, size: in.size, crc: in.crc, etag: in.etag, Attributes: asked}
	s.store(key, o)
	return answer{status: 200, header: s.versioned(q, map[string]string{"ETag": o.etag})}
}

// requested are the attributes that a request asks for.
func requested(r *http.Request) Attributes {
	h := r.Header
	return Attributes{
		Class: h.Get("X-Amz-Storage-Class"), Tags: h.Get("X-Amz-Tagging"),
		SSE: h.Get("X-Amz-Server-Side-Encryption"), KMSKey: h.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"),
	}
}

func (s *Server) versioned(q Quirks, h map[string]string) map[string]string {
	if q.Versioned {
		h["X-Amz-Version-Id"] = fmt.Sprint(s.serial)
	}
	return h
}

func (s *Server) getObject(r *http.Request, q Quirks, op, key string) answer {
	o := s.objects[key]
	if o == nil {
		return fail(404, "NoSuchKey")
	}
	if m := r.Header.Get("If-Match"); m != "" && m != o.etag {
		return fail(412, "PreconditionFailed")
	}
	h := map[string]string{"ETag": o.etag, "Last-Modified": o.modified.Format(http.TimeFormat)}
	if o.Class != "STANDARD" {
		h["X-Amz-Storage-Class"] = o.Class
	}
	if !o.Retain.IsZero() {
		h["X-Amz-Object-Lock-Retain-Until-Date"] = o.Retain.Format(time.RFC3339)
		h["X-Amz-Object-Lock-Mode"] = o.LockMode
	}
	if r.Header.Get("X-Amz-Checksum-Mode") == "ENABLED" && !q.NoChecksums && o.crc != "" {
		h["X-Amz-Checksum-Crc64nvme"], h["X-Amz-Checksum-Type"] = o.crc, "FULL_OBJECT"
	}
	if op == "HeadObject" {
		return answer{status: 200, header: h, length: int(o.size)}
	}
	data, status := o.data, 200
	var from int
	if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); n == 1 && from <= len(data) && !q.IgnoreRange {
		h["Content-Range"] = fmt.Sprintf("bytes %d-%d/%d", from, len(data)-1, len(data))
		data, status = data[from:], 206
	}
	return answer{status: status, header: h, body: data}
}

func (s *Server) copyObject(r *http.Request, q Quirks, key string) answer {
	from := s.objects[s.copySource(r)]
	match := r.Header.Get("X-Amz-Copy-Source-If-Match")
	switch {
	case from == nil:
		return fail(404, "NoSuchKey")
	case match != "" && match != from.etag:
		return fail(412, "PreconditionFailed")
	case q.NoClasses:
		return fail(400, "InvalidStorageClass")
	case from.size > 5<<30:
		return fail(400, "InvalidRequest")
	}
	o := *from
	o.Attributes = requested(r)
	o.Tags = from.Tags // they are copied, as metadata is
	s.store(key, &o)
	return xmlAnswer(copyResult{XMLName: xml.Name{Local: "CopyObjectResult"}, ETag: o.etag, LastModified: stamp(o.modified)})
}

// copySource is the key that a copy is made of. As in AWS, a plus in the header is a
// blank.
func (s *Server) copySource(r *http.Request) string {
	source, _ := url.QueryUnescape(r.Header.Get("X-Amz-Copy-Source"))
	return strings.TrimPrefix(source, s.Bucket+"/")
}

type copyResult struct {
	XMLName           xml.Name
	ETag              string
	LastModified      string
	ChecksumCRC64NVME string `xml:",omitempty"`
}

func (s *Server) putRetention(q Quirks, key string, in received) answer {
	var v struct {
		Mode            string
		RetainUntilDate time.Time
	}
	if q.NoLock || s.objects[key] == nil || xml.Unmarshal(in.data, &v) != nil {
		return fail(400, "InvalidRequest")
	}
	o := s.objects[key]
	o.LockMode, o.Retain = v.Mode, v.RetainUntilDate
	return answer{status: 200}
}

func lockConfiguration(q Quirks) answer {
	if q.NoLock {
		return fail(404, "ObjectLockConfigurationNotFoundError")
	}
	return xmlAnswer(struct {
		XMLName           xml.Name `xml:"ObjectLockConfiguration"`
		ObjectLockEnabled string
	}{ObjectLockEnabled: "Enabled"})
}

func (s *Server) deleteObjects(q Quirks, in received) answer {
	var v struct {
		Quiet  bool
		Object []struct{ Key string }
	}
	if q.NoMultiDelete {
		return fail(501, "NotImplemented")
	}
	if xml.Unmarshal(in.data, &v) != nil || len(v.Object) > 1000 || len(v.Object) == 0 {
		return fail(400, "MalformedXML")
	}
	type keyError struct{ Key, Code, Message string }
	type result struct {
		XMLName xml.Name `xml:"DeleteResult"`
		Deleted []struct{ Key string }
		Error   []keyError
	}
	var res result
	for _, o := range v.Object {
		if q.Deny != nil && q.Deny("DeleteObject", o.Key) {
			res.Error = append(res.Error, keyError{o.Key, "AccessDenied", "Access Denied"})
			continue
		}
		s.delete(o.Key)
		if !v.Quiet && !q.QuietDelete {
			res.Deleted = append(res.Deleted, o)
		}
	}
	return xmlAnswer(res)
}

func stamp(t time.Time) string { return t.Format("2006-01-02T15:04:05.000Z") }
