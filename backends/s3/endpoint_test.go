package s3_test

import (
	"errors"
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

// endpoints are the places that can name the store, other than the site.
var endpoints = map[string]func(t *testing.T, url string){
	"environment":    func(t *testing.T, url string) { t.Setenv("AWS_ENDPOINT_URL", url) },
	"environment S3": func(t *testing.T, url string) { t.Setenv("AWS_ENDPOINT_URL_S3", url) },
	"profile": func(t *testing.T, url string) {
		path := filepath.Join(t.TempDir(), "config")
		if err := os.WriteFile(path, []byte("[default]\nendpoint_url = "+url+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("AWS_CONFIG_FILE", path)
	},
}

// TestStoresOfOneBucketName, told apart by the environment or the profile only: what
// was begun in one is nothing that the other may abort.
func TestStoresOfOneBucketName(t *testing.T) {
	for name, set := range endpoints {
		t.Run(name, func(t *testing.T) {
			q := s3test.Quirks{ExactUploads: true}
			a, b := s3test.New(t, q), s3test.New(t, q)
			o := small(t, a)
			o.Endpoint = ""
			set(t, a.URL)
			dead := open(t, o)
			dead.SetHost("a", "boot", 1<<30) // no process has this id
			abandon(t, a, dead, copy1)
			key := a.Uploads()[0]

			set(t, b.URL)
			b.Begin(key)
			if err := open(t, o).Recover(t.Context()); err != nil {
				t.Error(err)
			}
			if len(b.Uploads()) != 1 {
				t.Error("an upload on the other store was aborted")
			}

			set(t, a.URL)
			next := open(t, o)
			next.SetHost("a", "boot", 1<<30+1)
			if err := next.Recover(t.Context()); err != nil {
				t.Error(err)
			}
			wantNothing(t, a, copy1)
		})
	}
}

// TestEndpointWithPath: a store may be below a path.
func TestEndpointWithPath(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	front := httptest.NewServer(http.StripPrefix("/store/s3", srv))
	t.Cleanup(front.Close)
	for _, slash := range []string{"", "/"} {
		o := small(t, srv)
		o.Endpoint = front.URL + "/store/s3" + slash
		if err := wholeLife(t, open(t, o)); err != nil {
			t.Error(err)
		}
	}
}

// TestLockKnowsTheEndpoint: a root has one lock, wherever its endpoint is named.
func TestLockKnowsTheEndpoint(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	o := options(t, srv)
	named := open(t, o)
	release, err := named.Lock(t.Context(), backends.Owner{PID: 1, Host: "a"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	o.Endpoint = ""
	other := open(t, o)
	freeOther, err := other.Lock(t.Context(), backends.Owner{PID: 2, Host: "a"}, 0)
	if err != nil {
		t.Fatalf("the same bucket of AWS: %v", err)
	}
	if err := freeOther(); err != nil {
		t.Error(err)
	}
	t.Setenv("AWS_ENDPOINT_URL", srv.URL)
	if _, err := other.Lock(t.Context(), backends.Owner{PID: 2, Host: "a"}, 0); err == nil {
		t.Error("the same root was locked twice")
	} else if _, locked := errors.AsType[*backends.LockedError](err); !locked {
		t.Errorf("got %v, want a LockedError", err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
}

// TestStoreKnownByTheEnvironment: what is known of a store holds wherever it is named.
func TestStoreKnownByTheEnvironment(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	o := options(t, srv)
	o.Endpoint, o.PartSize = "", 5<<30
	t.Setenv("AWS_ENDPOINT_URL", "https://account.r2.cloudflarestorage.com")
	if _, err := open(t, o).Begin(t.Context(), copy1); err == nil || !strings.Contains(err.Error(), "part_size") {
		t.Errorf("got %v, want an error that names part_size", err)
	}
}

// TestSpellingOfEndpoints: a root has one lock, however its endpoint is spelt, and roots on
// different stores have different ones.
func TestSpellingOfEndpoints(t *testing.T) {
	withKeys(t)
	o := s3.Options{Bucket: "bucket", Root: "r", Endpoint: "http://store.example", LockDir: t.TempDir(), StateDir: t.TempDir()}
	release, err := open(t, o).Lock(t.Context(), backends.Owner{PID: 1, Host: "a"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	for endpoint, same := range map[string]bool{
		"http://store.example/": true, "HTTP://Store.Example:80": true, "http://store.example:80//": true,
		"https://store.example": false, "http://store.example:443": false, "http://store.example/s3": false, "http://store.example:8080": false,
	} {
		o.Endpoint = endpoint
		free, err := open(t, o).Lock(t.Context(), backends.Owner{PID: 2, Host: "a"}, 0)
		if _, locked := errors.AsType[*backends.LockedError](err); locked != same {
			t.Errorf("%s: got %v, want locked %t", endpoint, err, same)
		}
		if err == nil {
			_ = free()
		}
	}
}

// TestOwnRunIsNoGarbage: a copy that this process is making is left alone by another store
// of the process, however old its last sign of life is, until it was given up.
func TestOwnRunIsNoGarbage(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	o := small(t, srv)
	o.Runs = new(s3.Runs)
	c := begin(t, open(t, o), copy1)
	m := manifest(copy1, put(t, c, "a", "x"))
	other := open(t, o)
	for range 2 {
		if err := other.Recover(t.Context()); err != nil {
			t.Error(err)
		}
		srv.Advance(2 * time.Hour)
	}
	if err := backends.Commit(t.Context(), c, m); err != nil {
		t.Error(err)
	}
	wantCopies(t, other, copy1)
	s3.Drop(begin(t, other, copy2))
	if err := other.Recover(t.Context()); err != nil {
		t.Error(err)
	}
	wantNothing(t, srv, copy2)
}
