package s3test

import (
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

type upload struct {
	id, key string
	asked   Attributes // of the object
	began   time.Time
	parts   map[int]received
	done    bool   // completed; kept to answer repetitions
	etag    string // of the object, when it is done
}

func (s *Server) create(key string, asked Attributes) *upload {
	s.serial++
	u := &upload{id: fmt.Sprintf("upload-%06d", s.serial), key: key, asked: asked, began: s.clock().UTC(), parts: map[int]received{}}
	s.uploads[u.id] = u
	return u
}

func (s *Server) multipart(r *http.Request, q Quirks, op, key string, in received) answer {
	if op == "CreateMultipartUpload" {
		return s.createUpload(r, q, key)
	}
	u := s.uploads[r.URL.Query().Get("uploadId")]
	if u == nil || u.key != key || u.done && op != "CompleteMultipartUpload" {
		return fail(404, "NoSuchUpload")
	}
	number, _ := strconv.Atoi(r.URL.Query().Get("partNumber"))
	switch op {
	case "UploadPart":
		if number < 1 || number > q.maxParts() {
			return fail(400, "InvalidArgument")
		}
		u.parts[number] = in
		return answer{status: 200, header: map[string]string{"ETag": in.etag}}
	case "UploadPartCopy":
		return s.copyPart(r, u, number)
	case "ListParts":
		return xmlAnswer(struct {
			XMLName               xml.Name `xml:"ListPartsResult"`
			Bucket, Key, UploadId string
			IsTruncated           bool
		}{Bucket: s.Bucket, Key: key, UploadId: u.id})
	case "AbortMultipartUpload":
		delete(s.uploads, u.id)
		return answer{status: 204}
	}
	return s.complete(r, q, u, in)
}

func (q Quirks) maxParts() int {
	if q.MaxParts > 0 {
		return q.MaxParts
	}
	return 10_000
}

func (q Quirks) minPart() int64 {
	if q.MinPart > 0 {
		return int64(q.MinPart)
	}
	return 5 << 20
}

func (s *Server) createUpload(r *http.Request, q Quirks, key string) answer {
	asked := requested(r)
	if q.NoClasses && asked.Class != "" {
		return fail(400, "InvalidStorageClass")
	}
	u := s.create(key, asked)
	return xmlAnswer(struct {
		XMLName               xml.Name `xml:"InitiateMultipartUploadResult"`
		Bucket, Key, UploadId string
	}{Bucket: s.Bucket, Key: key, UploadId: u.id})
}

func (s *Server) copyPart(r *http.Request, u *upload, number int) answer {
	o := s.objects[s.copySource(r)]
	if match := r.Header.Get("X-Amz-Copy-Source-If-Match"); o != nil && match != "" && match != o.etag {
		return fail(412, "PreconditionFailed")
	}
	var from, to int64
	if n, _ := fmt.Sscanf(r.Header.Get("X-Amz-Copy-Source-Range"), "bytes=%d-%d", &from, &to); o == nil || n != 2 || to >= o.size {
		return fail(400, "InvalidArgument")
	}
	p := received{size: to - from + 1, etag: fmt.Sprintf("\"copy-%d\"", number)}
	if int64(len(o.data)) == o.size {
		p.data = o.data[from : to+1]
		p.crc = crcOf(p.data)
	}
	u.parts[number] = p
	return xmlAnswer(copyResult{XMLName: xml.Name{Local: "CopyPartResult"}, ETag: p.etag, LastModified: stamp(o.modified), ChecksumCRC64NVME: p.crc})
}

func (s *Server) complete(r *http.Request, q Quirks, u *upload, in received) answer {
	if u.done {
		if q.RepeatedComplete >= 400 {
			return fail(q.RepeatedComplete, map[int]string{404: "NoSuchUpload", 412: "PreconditionFailed"}[q.RepeatedComplete])
		}
		return s.completed(u)
	}
	if a := s.unmet(r, q, u.key); a.status != 0 {
		return a
	}
	var v struct {
		Part []struct {
			PartNumber int
			ETag       string
		}
	}
	if xml.Unmarshal(in.data, &v) != nil || len(v.Part) != len(u.parts) {
		return fail(400, "InvalidPart")
	}
	o := &object{Attributes: u.asked}
	for i, number := range slices.Sorted(maps.Keys(u.parts)) {
		p := u.parts[number]
		last := i == len(v.Part)-1
		switch {
		case v.Part[i].PartNumber != number || v.Part[i].ETag != p.etag:
			return fail(400, "InvalidPart")
		case !last && p.size < q.minPart():
			return fail(400, "EntityTooSmall")
		case q.EqualParts && (!last && p.size != u.parts[1].size || p.size > u.parts[1].size):
			return fail(400, "InvalidPart")
		}
		o.size += p.size
		o.data = append(o.data, p.data...)
	}
	o.etag = fmt.Sprintf("\"%s-%d\"", strings.Trim(etagOf(in.data), `"`), len(v.Part))
	o.crc = r.Header.Get("X-Amz-Checksum-Crc64nvme")
	if o.crc != "" && !q.Discard && !q.NoChecksums && o.crc != crcOf(o.data) {
		return fail(400, "BadDigest")
	}
	if want := r.Header.Get("X-Amz-Mp-Object-Size"); want != "" && want != fmt.Sprint(o.size) {
		return fail(400, "InvalidRequest")
	}
	s.store(u.key, o)
	u.done, u.parts, u.etag = true, nil, o.etag
	return s.completed(u)
}

func (s *Server) completed(u *upload) answer {
	return xmlAnswer(struct {
		XMLName           xml.Name `xml:"CompleteMultipartUploadResult"`
		Bucket, Key, ETag string
	}{Bucket: s.Bucket, Key: u.key, ETag: u.etag})
}
