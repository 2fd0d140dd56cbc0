package s3_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"palhm/backends"
	"palhm/backends/s3"
	"palhm/backends/s3/s3test"
)

// wantSentence checks that an error is one short line with some words in it.
func wantSentence(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil || strings.Contains(err.Error(), "\n") || len(err.Error()) > 300 {
		t.Errorf("got %v, want one sentence", err)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("got %v, want %q in it", err, w)
		}
	}
}

// TestUnknownUserIsNoMissingBucket: a store may answer with 404 for other reasons, and
// says which.
func TestUnknownUserIsNoMissingBucket(t *testing.T) {
	for code, want := range map[string]string{"XAdminUserNotFound": "the credentials are not accepted", "NoSuchTenant": "NoSuchTenant"} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(404)
			_, _ = w.Write([]byte("<Error><Code>" + code + "</Code><Message>No such.</Message></Error>"))
		}))
		t.Cleanup(srv.Close)
		withKeys(t)
		s := open(t, s3.Options{Bucket: "bucket", Endpoint: srv.URL, StateDir: t.TempDir()})
		_, err := s.Begin(t.Context(), copy1)
		wantSentence(t, err, want, code)
		if err != nil && strings.Contains(err.Error(), "no such bucket") {
			t.Errorf("got %v, which blames the bucket", err)
		}
	}
}

// TestServersWrongKeys are blamed, and not the bucket.
func TestServersWrongKeys(t *testing.T) {
	onServers(t, func(t *testing.T, srv *server) {
		t.Setenv("AWS_ACCESS_KEY_ID", "nobodys")
		o := srv.options(t, "r")
		o.Backoff = time.Second // MinIO takes a moment until it knows its users
		_, err := open(t, o).Begin(t.Context(), copy1)
		wantSentence(t, err, "the credentials are not accepted")
	})
}

// TestServersWithoutTLS: an endpoint that says https where the store speaks http is told
// at once.
func TestServersWithoutTLS(t *testing.T) {
	onServers(t, func(t *testing.T, srv *server) {
		o := srv.options(t, "r")
		o.Backoff = time.Minute // nothing has to be waited for
		o.Endpoint = strings.Replace(srv.url, "http://", "https://", 1)
		start := time.Now()
		_, err := open(t, o).Begin(t.Context(), copy1)
		wantSentence(t, err, "begin the endpoint with http://")
		if d := time.Since(start); d > 20*time.Second {
			t.Errorf("it took %s", d)
		}
	})
}

// TestCAFileWithoutCertificates is named, and nothing is said of a lock.
func TestCAFileWithoutCertificates(t *testing.T) {
	o := options(t, s3test.New(t, s3test.Quirks{}))
	o.CAFile = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(o.CAFile, []byte("not PEM\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := open(t, o).Lock(t.Context(), backends.Owner{PID: 1, Host: "a"}, 0)
	wantSentence(t, err, o.CAFile, "no certificate")
	if err != nil && strings.Contains(err.Error(), "lock") {
		t.Errorf("got %v", err)
	}
}

// TestTakenBeforeCommit: a run that was taken for dead is told so, at once, and not
// that its objects are missing.
func TestTakenBeforeCommit(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	o := small(t, srv)
	o.Backoff = 20 * time.Second // nothing has to be waited for
	a, b := open(t, o), host(t, srv, "b", 1)
	a.SetHost("a", "boot-a", 1)
	c := begin(t, a, copy1)
	m := manifest(copy1, put(t, c, "a", "x"))
	srv.Advance(2 * time.Hour)
	if err := b.Recover(t.Context()); err != nil {
		t.Error(err)
	}
	start := time.Now()
	wantSentence(t, backends.Commit(t.Context(), c, m), "another host has taken this copy")
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("it took %s", d)
	}
}
