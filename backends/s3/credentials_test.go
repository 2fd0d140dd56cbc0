package s3_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"palhm/backends"
	"palhm/backends/s3/s3test"
)

// withFile writes credentials to the shared file, and lets nothing else name any.
func withFile(t *testing.T, path, key string) {
	t.Helper()
	text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = s\naws_session_token = token-of-%s\n", key, key)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestCredentialsAreReadAgain when the store no longer takes those of the beginning, and
// whoever renews them has written others to the shared file.
func TestCredentialsAreReadAgain(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	var expired atomic.Bool
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if expired.Load() && strings.Contains(r.Header.Get("Authorization"), "Credential=OLD/") {
			w.WriteHeader(400)
			if r.Method != "HEAD" {
				_, _ = w.Write([]byte("<Error><Code>ExpiredToken</Code><Message>The token has expired.</Message></Error>"))
			}
			return
		}
		srv.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	o := small(t, srv)
	o.Endpoint = front.URL
	path := filepath.Join(t.TempDir(), "credentials")
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", path)
	withFile(t, path, "OLD")
	s := open(t, o)
	c := begin(t, s, copy1)
	m := manifest(copy1, put(t, c, "a", "x"))
	expired.Store(true)
	_, err := s.List(t.Context())
	wantSentence(t, err, "ExpiredToken")
	withFile(t, path, "NEW")
	st, err := backends.Put(t.Context(), c, "big", stream(2*part, nil), 0)
	if err != nil {
		t.Fatal(err)
	}
	m.Objects = append(m.Objects, record("big", st))
	if err := backends.Commit(t.Context(), c, m); err != nil {
		t.Fatal(err)
	}
	wantCopies(t, s, copy1)
}

// TestRefusedByTheTokenService is not "there are no credentials".
func TestRefusedByTheTokenService(t *testing.T) {
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(403)
		_, _ = w.Write([]byte(`<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not authorized to perform sts:AssumeRole</Message></Error></ErrorResponse>`))
	}))
	t.Cleanup(sts.Close)
	o := small(t, s3test.New(t, s3test.Quirks{}))
	path := filepath.Join(t.TempDir(), "config")
	text := "[profile backup]\nrole_arn = arn:aws:iam::123456789012:role/backup\nsource_profile = base\n[profile base]\naws_access_key_id = a\naws_secret_access_key = b\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CONFIG_FILE", path)
	t.Setenv("AWS_ENDPOINT_URL_STS", sts.URL)
	o.Profile = "backup"
	_, err := open(t, o).Begin(t.Context(), copy1)
	wantSentence(t, err, "not authorized to perform sts:AssumeRole")
	if err != nil && strings.Contains(err.Error(), "there are no credentials") {
		t.Errorf("got %v", err)
	}
	t.Log(err)
}

// TestWordsAboutRefusals: the probe for conditions is a sentence too, and text about a
// checksum names the keyword.
func TestWordsAboutRefusals(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	puts := 0
	srv.Set(func(q *s3test.Quirks) {
		q.Refuse = func(op, key string) *s3test.Refusal {
			if op != "PutObject" || key != openKey {
				return nil
			}
			if puts++; puts == 1 {
				return nil
			}
			return &s3test.Refusal{Status: 400, Code: "InvalidArgument"}
		}
	})
	c := begin(t, open(t, small(t, srv)), copy1)
	err := backends.Commit(t.Context(), c, manifest(copy1))
	wantSentence(t, err, "try whether a write", "InvalidArgument (status 400)")
	if err != nil && strings.Contains(err.Error(), "operation error") {
		t.Errorf("got %v", err)
	}

	o := small(t, srv)
	o.Attempts = 2
	srv.Set(func(q *s3test.Quirks) { q.Refuse = refusing(-1, s3test.Refusal{Status: 400, Code: "BadDigest"}) })
	_, err = open(t, o).Begin(t.Context(), copy2)
	wantSentence(t, err, "checksum =")
}
