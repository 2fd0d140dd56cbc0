package s3_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"palhm/backends/s3/s3test"
)

// TestOneIdentity signs every request of a copy's life: the profile's, wherever its
// file is named and whatever other keys there are, or else the environment's.
func TestOneIdentity(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	var mu sync.Mutex
	seen := map[string]int{}
	credential := regexp.MustCompile(`Credential=([^/]*)/`)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen[strings.Join(credential.FindStringSubmatch(r.Header.Get("Authorization")), " ")]++
		mu.Unlock()
		srv.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	o := small(t, srv)
	o.Endpoint = front.URL
	path := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(path, []byte("[backup]\naws_access_key_id = ofprofile\naws_secret_access_key = x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", path)
	for profile, want := range map[string]string{"backup": "ofprofile", "": "palhmtest"} {
		clear(seen)
		o.Profile = profile
		if err := wholeLife(t, open(t, o)); err != nil {
			t.Error(err)
		}
		if len(seen) != 1 || seen["Credential="+want+"/ "+want] < 10 {
			t.Errorf("profile %q: requests were signed by %v, want %s", profile, seen, want)
		}
	}
}

// TestMissingProfile is an error that names it, before anything is asked.
func TestMissingProfile(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	o := options(t, srv)
	o.Profile = "nobody's"
	_, err := open(t, o).Begin(t.Context(), copy1)
	if err == nil || !strings.Contains(err.Error(), "nobody's") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v, want an error that names the profile", err)
	} else {
		t.Log(err)
	}
	if n := srv.Count(""); n > 0 {
		t.Errorf("got %d requests", n)
	}
}
