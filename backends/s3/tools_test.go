package s3_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"palhm/backends"
	"palhm/backends/s3"
	"palhm/backends/s3/s3test"
)

// Names of copies.
const (
	copy1 = "2022-05-01T06:59:17+00:00"
	copy2 = "2022-05-02T00:00:00+00:00"
)

// keys for the SDK's default chain: no test may find somebody's real ones.
func withKeys(t testing.TB) {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "palhmtest", "AWS_SECRET_ACCESS_KEY": "palhmsecret", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent", "AWS_PROFILE": "", "AWS_REGION": "us-east-1", "AWS_CA_BUNDLE": "",
	} {
		t.Setenv(name, value)
	}
}

// options are those of a fake server, with short pauses.
func options(t testing.TB, srv *s3test.Server) s3.Options {
	t.Helper()
	withKeys(t)
	return s3.Options{
		Bucket: srv.Bucket, Root: "web1/daily", Endpoint: srv.URL,
		Backoff: time.Millisecond, Heartbeat: time.Hour, Stall: 5 * time.Second,
		LockDir: t.TempDir(), StateDir: t.TempDir(),
	}
}

func open(t testing.TB, o s3.Options) *s3.Store {
	t.Helper()
	s, err := s3.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func begin(t testing.TB, s backends.Store, prefix string) backends.Copy {
	t.Helper()
	c, err := s.Begin(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s3.Drop(c) })
	return c
}

func put(t testing.TB, c backends.Copy, path, content string) backends.ObjectRecord {
	t.Helper()
	st, err := backends.Put(t.Context(), c, path, strings.NewReader(content), 0)
	if err != nil {
		t.Fatal(err)
	}
	return record(path, st)
}

func record(path string, st backends.Stored) backends.ObjectRecord {
	return backends.ObjectRecord{Path: path, Size: st.Size, SHA256: st.SHA256, CRC64NVME: st.CRC64NVME}
}

func manifest(prefix string, objects ...backends.ObjectRecord) *backends.Manifest {
	at, _, _ := backends.ParsePrefix(prefix)
	return &backends.Manifest{Version: 1, Palhm: "test", Host: "host", Task: "task", Prefix: prefix, Start: at, End: at, Objects: objects}
}

// makeCopy commits a copy of one small object.
func makeCopy(t testing.TB, s backends.Store, prefix string) {
	t.Helper()
	c := begin(t, s, prefix)
	if err := backends.Commit(t.Context(), c, manifest(prefix, put(t, c, "a", prefix))); err != nil {
		t.Fatal(err)
	}
}

func wantCopies(t testing.TB, s backends.Store, want ...string) {
	t.Helper()
	infos, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, i := range infos {
		got = append(got, i.Prefix)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("got copies %q, want %q", got, want)
	}
}

// wantNothing checks that the bucket holds nothing below a copy but the mark that it was
// removed.
func wantNothing(t testing.TB, srv *s3test.Server, prefix string) {
	t.Helper()
	for _, key := range append(srv.Keys(), srv.Uploads()...) {
		if text, _ := srv.Get(key); strings.Contains(key, prefix) && text != s3.RemovedMark {
			t.Errorf("%s is left", key)
		}
	}
}

// wantGone checks that later runs leave nothing below a copy that was given up, not even
// that mark.
func wantGone(t testing.TB, srv *s3test.Server, s *s3.Store, prefixes ...string) {
	t.Helper()
	for range 3 { // taken over, removed, and seen to stay so
		recoverLater(t, srv, s)
	}
	for _, key := range append(srv.Keys(), srv.Uploads()...) {
		if slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.Contains(key, prefix) }) {
			t.Errorf("%s is left", key)
		}
	}
}

// recoverLater is a run that comes an hour later.
func recoverLater(t testing.TB, srv *s3test.Server, s *s3.Store) {
	t.Helper()
	srv.Advance(61 * time.Minute)
	if err := s.Recover(t.Context()); err != nil {
		t.Error(err)
	}
}
