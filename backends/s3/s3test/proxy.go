package s3test

import (
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// Proxy stands between a client and a real server, and plays faults.
type Proxy struct {
	URL string

	mu     sync.Mutex
	fault  func(op, key string) Fault
	counts map[string]int
	done   chan struct{}
	server *httputil.ReverseProxy
}

// NewProxy starts a proxy before the server at target. It ends with the test.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	quiet := log.New(io.Discard, "", 0)
	p := &Proxy{done: make(chan struct{}), counts: map[string]int{}, server: &httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(u); r.Out.Host = r.In.Host }, // which is signed
		ErrorLog: quiet,
	}}
	p.server.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { reset(w) }
	h := httptest.NewUnstartedServer(p)
	h.Config.ErrorLog = quiet
	h.Start()
	p.URL = h.URL
	t.Cleanup(func() {
		close(p.done)
		h.CloseClientConnections()
		h.Close()
	})
	return p
}

// Set sets what happens to requests; nil = nothing.
func (p *Proxy) Set(fault func(op, key string) Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = fault
}

// Count is how often an operation was asked for.
func (p *Proxy) Count(op string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts[op]
}

// ServeHTTP passes a request on.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	op := operation(r, key)
	p.mu.Lock()
	p.counts[op]++
	fault := None
	if p.fault != nil {
		fault = p.fault(op, key)
	}
	p.mu.Unlock()
	s := Server{done: p.done}
	switch {
	case s.before(w, r, op, fault):
	case fault == LoseAnswer:
		p.server.ServeHTTP(httptest.NewRecorder(), r)
		reset(w)
	case fault == HalfAnswer:
		rec := httptest.NewRecorder()
		p.server.ServeHTTP(rec, r)
		maps.Copy(w.Header(), rec.Header())
		w.WriteHeader(rec.Code)
		if rec.Body.Len() == 0 {
			return // the half of it
		}
		_, _ = w.Write(rec.Body.Bytes()[:rec.Body.Len()/2])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	default:
		p.server.ServeHTTP(w, r)
	}
}
