// Package s3test is a small S3 in memory, for tests. It counts requests, and has a
// switch for each way in which stores and networks are known to differ from what the
// protocol promises. It checks no signatures.
package s3test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Quirks are the switches. The zero value is a store like AWS.
type Quirks struct {
	Page       int // keys or uploads in a page; 0 = 1000
	MinPart    int // bytes of all parts but the last; 0 = 5 MiB
	MaxParts   int // of an upload; 0 = 10,000
	EqualParts bool

	IgnoreConditions bool // conditional writes always succeed
	IgnoreIfMatch    bool // those with If-Match do
	RefuseConditions bool // they are answered with 501
	NoChecksums      bool // are ignored and not kept
	RefuseChecksums  bool // the header is answered with 400
	NoMultiDelete    bool // 501
	QuietDelete      bool // a deletion of many keys names none of them in the answer

	RefuseUploadMarkers bool // the second page of open uploads is answered with 400
	ExactUploads        bool // open uploads are listed to who asks for exactly their key
	RepeatedComplete    int  // status of a completion that was made already; 0 = 200

	IgnoreEncoding bool // keys are listed as they are, whatever was asked for
	LaxEncoding    bool // colons and plus signs in them are

	Token  func(last string) string   // what names the page of keys after a key; nil = the key
	Prefix func(prefix string) string // for which prefix keys are listed instead; nil = the same

	OddETags    bool // a listing gives others than the rest of the answers
	KeepDeleted bool // a request that deletes is answered with a yes, and nothing is done
	IgnoreRange bool // all of an object is sent to who asks for its rest
	Overlap     bool // a page of keys begins with the last key of the one before
	StaleLists  int  // so many listings do not show the newest object
	HideLists   int  // so many listings do not show HideKey
	HideKey     string

	// Lag is how far behind a listing shows a key. It is asked anew for each key of each
	// listing, and must be set from the start. Requests for one object never lag.
	Lag func(key string) time.Duration

	Discard   bool // bytes are counted and checked, not kept
	Versioned bool
	NoClasses bool // storage classes are answered with 400
	NoKeys    bool // encryption on the server is answered with 501, as by MinIO without a KMS
	NoLock    bool // the bucket has no object lock

	// Deny answers a request with 403. Fault is asked before a request is looked at.
	// Both get the name of the operation, such as "PutObject", and the key.
	Deny   func(op, key string) bool
	Fault  func(op, key string) Fault
	Refuse func(op, key string) *Refusal // nil = it is done
}

// Refusal is what a request is answered with in the place of doing it.
type Refusal struct {
	Status     int
	Code       string // "" = a page of HTML
	RetryAfter string // a header
}

// Fault is something that happens to a request.
type Fault int

// The faults.
const (
	None           Fault = iota
	Reset                // the connection is reset, nothing is done
	LoseAnswer           // it is done, and the connection is reset
	HalfAnswer           // it is done, and the answer ends in the middle
	InternalError        // 500, nothing is done
	Unavailable          // 503
	SlowDown             // 503 SlowDown
	Stall                // nothing is done, and nothing is answered
	ErrorIn200           // nothing is done; the status is 200 and the body an error
	DoneErrorIn200       // it is done; the status is 200 and the body an error
	FalseYes             // it is answered with a yes, nothing is done
	Conflict             // 409 ConditionalRequestConflict
	Skewed               // 403 RequestTimeTooSkewed
	Moved                // 301, the bucket is in eu-west-1
	Babble               // 503, and one more answer that nobody has asked for
	EmptyList            // a listing, as if nothing were in the bucket
	Page                 // 200 and the page of a proxy, nothing is done
	Blank                // 200 and nothing else, nothing is done
	Missing              // 404 and the page of a proxy, nothing is done
	Cut                  // it is done, and the document in the answer is cut in the middle
	OtherRoot            // it is done, and the document in the answer is another one
	NoFields             // it is done, and there is nothing in the document
)

// Server is a running store with one bucket.
type Server struct {
	URL    string
	Bucket string

	http *httptest.Server

	mu      sync.Mutex
	quirks  Quirks
	clock   func() time.Time
	objects map[string]*object
	history map[string][]version // of each key, when listings lag
	uploads map[string]*upload
	counts  map[string]int
	serial  int
	done    chan struct{}

	requests int
}

type object struct {
	data     []byte
	size     int64
	crc      string
	etag     string
	modified time.Time
	serial   int
	Attributes
}

// Attributes are what a request asks for besides the content of an object.
type Attributes struct {
	Class  string // of storage
	Tags   string // as a query string
	SSE    string
	KMSKey string

	LockMode string    // of object lock
	Retain   time.Time // zero = not locked
}

// New starts a server that ends with the test.
func New(t testing.TB, q Quirks) *Server {
	t.Helper()
	s := &Server{
		Bucket: "bucket", quirks: q, clock: time.Now, done: make(chan struct{}),
		objects: map[string]*object{}, history: map[string][]version{}, uploads: map[string]*upload{}, counts: map[string]int{},
	}
	s.serve("127.0.0.1:0")
	t.Cleanup(func() {
		close(s.done)
		s.Stop()
	})
	return s
}

func (s *Server) serve(addr string) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		panic(err)
	}
	h := httptest.NewUnstartedServer(s)
	h.Listener.Close()
	h.Listener = l
	h.Config.ErrorLog = log.New(io.Discard, "", 0)
	h.Start()
	s.http, s.URL = h, h.URL
}

// Stop lets the server refuse connections, and cuts those that it has. It forgets
// nothing.
func (s *Server) Stop() {
	s.http.CloseClientConnections()
	s.http.Close()
}

// Resume takes connections again, at the same address.
func (s *Server) Resume() {
	s.serve(strings.TrimPrefix(s.URL, "http://"))
}

// Set changes switches while the server runs.
func (s *Server) Set(change func(q *Quirks)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.quirks)
}

// Advance sets the store's clock forward.
func (s *Server) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	inner := s.clock
	s.clock = func() time.Time { return inner().Add(d) }
}

// Count is how often an operation was asked for; "" counts all.
func (s *Server) Count(op string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if op != "" {
		return s.counts[op]
	}
	for _, c := range s.counts {
		n += c
	}
	return n
}

// ResetCounts starts counting anew.
func (s *Server) ResetCounts() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts = map[string]int{}
}

// Put stores an object behind everybody's back.
func (s *Server) Put(key, content string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store(key, &object{data: []byte(content), size: int64(len(content)), crc: crcOf([]byte(content)), etag: etagOf([]byte(content))})
}

// Get returns the content of an object.
func (s *Server) Get(key string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[key]
	if o == nil {
		return "", false
	}
	return string(o.data), true
}

// Size and Class say what is known of an object, and Keys which there are, sorted.
func (s *Server) Size(key string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.objects[key]; o != nil {
		return o.size
	}
	return -1
}

// Class is the storage class of an object.
func (s *Server) Class(key string) string { return s.Attributes(key).Class }

// Attributes are those of an object; the zero value when there is none.
func (s *Server) Attributes(key string) Attributes {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.objects[key]; o != nil {
		return o.Attributes
	}
	return Attributes{}
}

// Keys lists every object, sorted.
func (s *Server) Keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.objects))
}

// Uploads lists the keys of the open uploads, sorted.
func (s *Server) Uploads() (keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.uploads {
		if !u.done {
			keys = append(keys, u.key)
		}
	}
	slices.Sort(keys)
	return keys
}

// DropUploads forgets the open uploads, as a store does whose answer to an abort, or to a
// completion that is still under way, was lost.
func (s *Server) DropUploads() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.uploads)
}

// Begin opens an upload behind everybody's back.
func (s *Server) Begin(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.create(key, Attributes{})
}

func (s *Server) store(key string, o *object) {
	s.serial++
	o.serial, o.modified = s.serial, s.clock().UTC()
	if o.Class == "" {
		o.Class = "STANDARD"
	}
	s.objects[key] = o
	s.remember(key, o)
}

func (s *Server) delete(key string) {
	if s.objects[key] != nil && !s.quirks.KeepDeleted {
		delete(s.objects, key)
		s.remember(key, nil)
	}
}

// version is what was at a key from some time on; nil = nothing.
type version struct {
	since time.Time
	*object
}

func (s *Server) remember(key string, o *object) {
	if s.quirks.Lag != nil {
		s.history[key] = append(s.history[key], version{s.clock(), o})
	}
}

// listed is what a listing shows.
func (s *Server) listed() map[string]*object {
	if s.quirks.Lag == nil {
		return s.objects
	}
	shown := map[string]*object{}
	for key, versions := range s.history {
		at := s.clock().Add(-s.quirks.Lag(key))
		for _, v := range slices.Backward(versions) {
			if !v.since.After(at) {
				if v.object != nil {
					shown[key] = v.object
				}
				break
			}
		}
	}
	return shown
}

// operation names a request.
func operation(r *http.Request, key string) string {
	q := r.URL.Query()
	has := func(name string) bool { _, ok := q[name]; return ok }
	copies := r.Header.Get("X-Amz-Copy-Source") != ""
	switch {
	case key == "" && r.Method == "GET" && has("uploads"):
		return "ListMultipartUploads"
	case key == "" && r.Method == "GET" && has("object-lock"):
		return "GetObjectLockConfiguration"
	case key == "" && r.Method == "GET":
		return "ListObjectsV2"
	case key == "" && r.Method == "POST" && has("delete"):
		return "DeleteObjects"
	case r.Method == "POST" && has("uploads"):
		return "CreateMultipartUpload"
	case r.Method == "POST" && has("uploadId"):
		return "CompleteMultipartUpload"
	case r.Method == "PUT" && has("uploadId") && copies:
		return "UploadPartCopy"
	case r.Method == "PUT" && has("uploadId"):
		return "UploadPart"
	case r.Method == "PUT" && has("retention"):
		return "PutObjectRetention"
	case r.Method == "PUT" && copies:
		return "CopyObject"
	case r.Method == "DELETE" && has("uploadId"):
		return "AbortMultipartUpload"
	case r.Method == "GET" && has("uploadId"):
		return "ListParts"
	}
	return map[string]string{"PUT": "PutObject", "GET": "GetObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}[r.Method]
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, _ := url.QueryUnescape(r.URL.EscapedPath()) // in AWS, a plus is a blank here too
	bucket, key, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	op := operation(r, key)
	s.mu.Lock()
	s.counts[op]++
	q := s.quirks
	s.requests++
	w.Header().Set("X-Amz-Request-Id", fmt.Sprintf("%016X", s.requests))
	w.Header().Set("Date", s.clock().UTC().Format(http.TimeFormat))
	s.mu.Unlock()
	fault := None
	if q.Fault != nil {
		fault = q.Fault(op, key)
	}
	if s.before(w, r, op, fault) {
		return
	}
	if q.Refuse != nil {
		if no := q.Refuse(op, key); no != nil {
			no.answer(w, r)
			return
		}
	}
	a := s.answer(r, q, op, bucket, key)
	if fault == EmptyList {
		a = (&Server{Bucket: s.Bucket}).listObjects(r.URL.Query())
	}
	s.reply(w, r, a, fault)
}

func (no *Refusal) answer(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	if no.RetryAfter != "" {
		w.Header().Set("Retry-After", no.RetryAfter)
	}
	if no.Code != "" {
		writeError(w, r, no.Status, no.Code, "")
		return
	}
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(no.Status)
	fmt.Fprintf(w, "<html><body><h1>%d</h1></body></html>", no.Status)
}

// before plays the faults that keep a request from being done.
func (s *Server) before(w http.ResponseWriter, r *http.Request, op string, fault Fault) bool {
	refuse := func(status int, code string) bool {
		_, _ = io.Copy(io.Discard, r.Body)
		writeError(w, r, status, code, "")
		return true
	}
	switch fault {
	case Reset:
		reset(w)
		return true
	case Stall:
		select {
		case <-s.done:
		case <-r.Context().Done():
		}
		panic(http.ErrAbortHandler)
	case InternalError:
		return refuse(500, "InternalError")
	case Unavailable:
		return refuse(503, "ServiceUnavailable")
	case SlowDown:
		return refuse(503, "SlowDown")
	case ErrorIn200:
		return refuse(200, "InternalError")
	case FalseYes:
		_, _ = io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, falseYes[op])
		return true
	case Page, Blank, Missing:
		_, _ = io.Copy(io.Discard, r.Body)
		writePage(w, r, fault)
		return true
	case Babble:
		babble(w)
		return true
	case Conflict:
		return refuse(409, "ConditionalRequestConflict")
	case Skewed:
		return refuse(403, "RequestTimeTooSkewed")
	case Moved:
		if !strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/") {
			w.Header().Set("X-Amz-Bucket-Region", "eu-west-1")
			return refuse(301, "PermanentRedirect")
		}
	}
	return false
}

// falseYes are the answers of requests that have made something.
var falseYes = map[string]string{
	"CompleteMultipartUpload": `<CompleteMultipartUploadResult><ETag>"x"</ETag></CompleteMultipartUploadResult>`,
	"CopyObject":              `<CopyObjectResult><ETag>"x"</ETag></CopyObjectResult>`,
	"UploadPartCopy":          `<CopyPartResult><ETag>"x"</ETag></CopyPartResult>`,
}

// writePage answers in the place of a store: a login page, an empty page, or a proxy that
// does not know the store.
func writePage(w http.ResponseWriter, r *http.Request, fault Fault) {
	page := map[Fault]string{Page: "<!DOCTYPE html>\n<html><head><title>Log in</title></head><body><br></body></html>\n", Missing: "404 page not found\n"}[fault]
	if page != "" {
		w.Header().Set("Content-Type", "text/html")
	}
	if r.Method != "HEAD" {
		w.Header().Set("Content-Length", fmt.Sprint(len(page)))
	}
	w.WriteHeader(map[Fault]int{Page: 200, Blank: 200, Missing: 404}[fault])
	_, _ = io.WriteString(w, page)
}

// babble goes on talking once the answer has been read.
func babble(w http.ResponseWriter) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer c.Close()
	fmt.Fprint(c, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
	time.Sleep(50 * time.Millisecond)
	fmt.Fprint(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
}

func reset(w http.ResponseWriter) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := c.(interface{ SetLinger(int) error }); ok {
		_ = tcp.SetLinger(0)
	}
	c.Close()
}

func (s *Server) reply(w http.ResponseWriter, r *http.Request, a answer, fault Fault) {
	switch fault {
	case LoseAnswer:
		reset(w)
		return
	case DoneErrorIn200:
		writeError(w, r, 200, "InternalError", "")
		return
	}
	if a.status >= 400 {
		writeError(w, r, a.status, a.code, a.msg)
		return
	}
	a.body = spoil(a, fault)
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	if a.length > 0 && a.body == nil {
		w.Header().Set("Content-Length", fmt.Sprint(a.length))
	} else {
		w.Header().Set("Content-Length", fmt.Sprint(len(a.body)))
	}
	w.WriteHeader(a.status)
	if fault == HalfAnswer {
		_, _ = w.Write(a.body[:len(a.body)/2])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(a.body)
}

// spoil returns the body of an answer as a fault leaves it, if it is a document.
func spoil(a answer, fault Fault) []byte {
	doc, isXML := bytes.CutPrefix(a.body, []byte(xml.Header))
	if !isXML {
		return a.body
	}
	switch fault {
	case Cut:
		return a.body[:len(a.body)-len(doc)/2]
	case OtherRoot:
		return []byte(xml.Header + "<ListAllMyBucketsResult><Owner></Owner></ListAllMyBucketsResult>")
	case NoFields:
		name, _, _ := bytes.Cut(doc[1:], []byte(">"))
		return fmt.Appendf(nil, "%s<%s></%s>", xml.Header, name, name)
	}
	return a.body
}

func writeError(w http.ResponseWriter, r *http.Request, status int, code, msg string) {
	if r.Method == "HEAD" {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message></Error>", code, msg)
}
