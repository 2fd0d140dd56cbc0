package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/minio/crc64nvme"
)

// sink is a store in this process that keeps objects of one request, checks the
// CRC64NVME of parts and forgets their bytes. It costs as little as it can, and does
// of the protocol only what palhm needs for a backup. It looks at no signature.
type sink struct {
	url      string
	listener net.Listener

	mu      sync.Mutex
	serial  int
	objects map[string]kept
	parts   map[string]int64 // sizes, by number; of the one upload
}

type kept struct {
	data []byte
	size int64
	etag string
	crc  string
}

func newSink() (*sink, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &sink{url: "http://" + l.Addr().String(), listener: l, objects: map[string]kept{}, parts: map[string]int64{}}
	go func() { _ = http.Serve(l, s) }() // ends when the listener is closed
	return s, nil
}

func (s *sink) close() { s.listener.Close() }

// seen is how many parts there were, the largest, and what they sum up to.
func (s *sink) seen() (parts int, largest, total int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.parts {
		largest, total = max(largest, n), total+n
	}
	return len(s.parts), largest, total
}

// ServeHTTP answers a request.
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	q := r.URL.Query()
	if r.Method == "PUT" && q.Has("partNumber") {
		s.part(w, r, q.Get("partNumber"))
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case key == "" && r.Method == "GET":
		s.list(w, q.Get("prefix"), q.Get("delimiter"), q.Has("uploads"))
	case r.Method == "GET" || r.Method == "HEAD":
		s.get(w, r, key)
	case r.Method == "POST" && q.Has("uploads"):
		fmt.Fprintf(w, "<InitiateMultipartUploadResult><Key>%s</Key><UploadId>one</UploadId></InitiateMultipartUploadResult>", key)
	case r.Method == "DELETE":
		delete(s.objects, key)
		w.WriteHeader(http.StatusNoContent)
	default: // PutObject or CompleteMultipartUpload
		s.put(w, r, key, body)
	}
}

// part takes a part of an upload.
func (s *sink) part(w http.ResponseWriter, r *http.Request, number string) {
	crc := crc64nvme.New()
	n, err := io.CopyBuffer(struct{ io.Writer }{crc}, r.Body, make([]byte, 256<<10))
	sum := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, crc.Sum64()))
	if err != nil || n != r.ContentLength || sum != r.Header.Get("X-Amz-Checksum-Crc64nvme") {
		refuse(w, http.StatusBadRequest, "BadDigest")
		return
	}
	s.mu.Lock()
	s.parts[number] = n
	s.mu.Unlock()
	w.Header().Set("ETag", `"`+sum+`"`)
}

func (s *sink) put(w http.ResponseWriter, r *http.Request, key string, body []byte) {
	old, there := s.objects[key]
	match := r.Header.Get("If-Match")
	if there && r.Header.Get("If-None-Match") == "*" || match != "" && match != old.etag {
		refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
		return
	}
	s.serial++
	o := kept{data: body, size: int64(len(body)), etag: fmt.Sprintf(`"%d"`, s.serial), crc: r.Header.Get("X-Amz-Checksum-Crc64nvme")}
	if r.Method == "POST" {
		o.size = 0
		for _, n := range s.parts {
			o.size += n
		}
		defer fmt.Fprintf(w, "<CompleteMultipartUploadResult><Key>%s</Key></CompleteMultipartUploadResult>", key)
	}
	w.Header().Set("ETag", o.etag)
	s.objects[key] = o
}

func (s *sink) get(w http.ResponseWriter, r *http.Request, key string) {
	o, ok := s.objects[key]
	if !ok {
		refuse(w, http.StatusNotFound, "NoSuchKey")
		return
	}
	w.Header().Set("ETag", o.etag)
	w.Header().Set("X-Amz-Checksum-Crc64nvme", o.crc)
	w.Header().Set("X-Amz-Checksum-Type", "FULL_OBJECT")
	w.Header().Set("Content-Length", fmt.Sprint(o.size))
	if r.Method == "GET" {
		_, _ = io.Copy(w, bytes.NewReader(o.data))
	}
}

// list answers in one page, and of open uploads that there is none.
func (s *sink) list(w http.ResponseWriter, prefix, delimiter string, uploads bool) {
	type object struct {
		Key, ETag, LastModified string
		Size                    int64
	}
	var res struct {
		XMLName        xml.Name `xml:"ListBucketResult"`
		Contents       []object
		CommonPrefixes []struct{ Prefix string }
	}
	seen := map[string]bool{}
	for key, o := range s.objects {
		rest, ok := strings.CutPrefix(key, prefix)
		if !ok || uploads {
			continue
		}
		dir, _, below := strings.Cut(rest, delimiter)
		switch {
		case delimiter == "" || !below:
			res.Contents = append(res.Contents, object{key, o.etag, time.Now().UTC().Format(time.RFC3339), o.size})
		case !seen[dir]:
			seen[dir] = true
			res.CommonPrefixes = append(res.CommonPrefixes, struct{ Prefix string }{prefix + dir + delimiter})
		}
	}
	_ = xml.NewEncoder(w).Encode(res)
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code></Error>", code)
}
