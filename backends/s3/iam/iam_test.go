package iam_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"palhm/backends"
	"palhm/backends/s3"
	"palhm/backends/s3/iam"
	"palhm/backends/s3/s3test"
	"palhm/runtime/plan"
)

const (
	copy1 = "2022-05-01T06:59:17+00:00"
	copy2 = "2022-05-02T00:00:00+00:00"
	copy3 = "2022-05-03T00:00:00+00:00"
	part  = 5 << 20
)

// store is the one of site, behind an authority.
func store(t *testing.T, a *authority, site *plan.S3) *s3.Store {
	t.Helper()
	setKeys(t)
	return newStore(t, a.URL, site)
}

// setKeys sets keys for the SDK's default chain, so that it finds no real ones.
func setKeys(t *testing.T) {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "palhmtest", "AWS_SECRET_ACCESS_KEY": "palhmsecret", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent", "AWS_PROFILE": "", "AWS_REGION": "us-east-1",
	} {
		t.Setenv(name, value)
	}
}

func newStore(t *testing.T, url string, site *plan.S3) *s3.Store {
	t.Helper()
	s, err := s3.New(s3.Options{
		Bucket: site.Bucket, Root: site.Root, Endpoint: url, PartSize: part, Tags: site.Tags, RotClass: site.RotClass,
		LockMode: site.LockMode, LockDays: site.LockDays, LockDir: t.TempDir(), StateDir: t.TempDir(),
		Backoff: time.Millisecond, Heartbeat: time.Hour, Stall: 10 * time.Second, Attempts: 3,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// save makes a copy of an object of one part and of one of three.
func save(t *testing.T, s *s3.Store, prefix string) error {
	t.Helper()
	c, err := s.Begin(t.Context(), prefix)
	if err != nil {
		return err
	}
	m := &backends.Manifest{Version: backends.ManifestVersion, Host: "web1", Task: "daily", Prefix: prefix}
	for path, content := range map[string]string{"small": "x", "d/large": strings.Repeat("x", 2*part+1)} {
		st, err := backends.Put(t.Context(), c, path, strings.NewReader(content), 0)
		if err != nil {
			return errors.Join(err, c.Abort(t.Context()))
		}
		m.Objects = append(m.Objects, backends.ObjectRecord{Path: path, Size: st.Size, SHA256: st.SHA256, CRC64NVME: st.CRC64NVME})
	}
	return backends.Commit(t.Context(), c, m)
}

// failing makes a copy of a small object, and of one whose pipeline fails after the first
// part.
func failing(t *testing.T, s *s3.Store, prefix string) error {
	t.Helper()
	c, err := s.Begin(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := backends.Put(t.Context(), c, "small", strings.NewReader("x"), 0); err != nil {
		t.Error(err)
	}
	r := io.MultiReader(strings.NewReader(strings.Repeat("x", 2*part)), iotest.ErrReader(errors.New("exit code 1")))
	if _, err := backends.Put(t.Context(), c, "d/large", r, 0); err == nil {
		t.Error("put of a failing stream: got no error")
	}
	return c.Abort(t.Context())
}

func wantCopies(t *testing.T, s *s3.Store, want ...string) {
	t.Helper()
	infos, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, i := range infos {
		got = append(got, i.Prefix)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got copies %q, want %q", got, want)
	}
}

func (a *authority) wantDenied(t *testing.T, only ...string) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range a.denied {
		if !slices.ContainsFunc(only, func(action string) bool { return strings.HasPrefix(d, action+" ") }) {
			t.Errorf("the policy denies %s", d)
		}
	}
	a.denied = nil
}

// wantSmallest complains of rights that nothing has needed.
func (a *authority) wantSmallest(t *testing.T) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, st := range a.policy.Statement {
		if !a.used[st.Sid] {
			t.Errorf("the policy allows %s, which nothing has needed", st.Sid)
		}
	}
}

// TestWriteOnly: with the policy for a host that only writes, copies are made, of
// objects of any size. A failing backup leaves nothing that is listed, and whoever
// has the host's keys can neither remove nor overwrite nor read what it has stored.
func TestWriteOnly(t *testing.T) {
	for name, site := range map[string]*plan.S3{
		"plain":        {Bucket: "bucket", Root: "web1/daily"},
		"whole bucket": {Bucket: "bucket"},
		"tags, lock":   {Bucket: "bucket", Root: "web1", Tags: map[string]string{"a": "b"}, LockMode: "COMPLIANCE", LockDays: 30},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAuthority(t, s3test.Quirks{}, iam.For(site, false))
			s := store(t, a, site)
			if err := save(t, s, copy1); err != nil {
				t.Fatal(err)
			}
			if err := s.Finish(t.Context(), copy1); err != nil {
				t.Error(err)
			}
			wantCopies(t, s, copy1)
			a.wantDenied(t, "s3:GetObject") // it looks at what it has stored by listing it
			if err := failing(t, s, copy2); err == nil {
				t.Error("abort without the right to delete: got no error")
			}
			if err := store(t, a, site).Recover(t.Context()); err != nil {
				t.Errorf("recover: %v", err)
			}
			wantCopies(t, s, copy1)
			if up := a.inner.Uploads(); len(up) > 0 {
				t.Errorf("open uploads are left: %q", up)
			}
			a.wantDenied(t, "s3:GetObject", "s3:DeleteObject")
			a.wantSmallest(t)
			if err := s.Remove(t.Context(), copy1); err == nil {
				t.Error("remove: got no error")
			}
			wantCopies(t, s, copy1)
			key := strings.TrimPrefix(site.Root+"/"+copy1+"/small", "/")
			for _, method := range []string{"PUT", "GET", "DELETE"} {
				if status := ask(t, method, a.URL+"/bucket/"+key); status != 403 {
					t.Errorf("%s of a stored object is answered with %d", method, status)
				}
			}
		})
	}
}

// TestRotating: with the policy for a host that also rotates, nothing that palhm does
// is refused, and no right is one too many.
func TestRotating(t *testing.T) {
	for name, site := range map[string]*plan.S3{
		"plain": {Bucket: "bucket", Root: "web1/daily"},
		"all":   {Bucket: "bucket", Root: "web1", Tags: map[string]string{"a": "b"}, RotClass: "GLACIER_IR", LockMode: "GOVERNANCE", LockDays: 1},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAuthority(t, s3test.Quirks{}, iam.For(site, false))
			if err := failing(t, store(t, a, site), copy1); err == nil {
				t.Error("abort without the right to delete: got no error")
			}
			a.become(iam.For(site, true))
			s := store(t, a, site)
			for range 2 { // it is removed, and seen to stay so
				if err := s.Recover(t.Context()); err != nil {
					t.Error(err)
				}
				a.inner.Advance(61 * time.Minute)
			}
			if keys := a.inner.Keys(); len(keys) > 0 {
				t.Errorf("garbage is left: %q", keys)
			}
			for _, prefix := range []string{copy1, copy2} {
				if err := save(t, s, prefix); err != nil {
					t.Fatal(err)
				}
			}
			if err := failing(t, s, copy3); err != nil {
				t.Error(err)
			}
			if err := s.Finish(t.Context(), copy2); err != nil {
				t.Error(err)
			}
			err := s.Remove(t.Context(), copy1)
			if _, kept := errors.AsType[*backends.RetainedError](err); kept != (site.LockMode != "") || err != nil && !kept {
				t.Errorf("remove: got %v", err)
			}
			if site.LockMode == "" {
				wantCopies(t, s, copy2)
				a.wantDenied(t, "s3:GetObject") // it looks at what it has stored by listing it
			}
			a.wantDenied(t)
			a.wantSmallest(t)
		})
	}
}

// ask sends a request that palhm would not, and returns the status of the answer.
func ask(t *testing.T, method, url string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// TestNames: what a policy says of a root that is not just a bucket of AWS.
func TestNames(t *testing.T) {
	for name, c := range map[string]struct {
		site plan.S3
		want []string
		not  []string
	}{
		"China":        {plan.S3{Bucket: "b", Root: "r", Region: "cn-north-1"}, []string{`"arn:aws-cn:s3:::b/r/*"`}, []string{"arn:aws:"}},
		"government":   {plan.S3{Bucket: "b", Region: "us-gov-east-1"}, []string{`"arn:aws-us-gov:s3:::b/*"`}, []string{"arn:aws:"}},
		"access point": {plan.S3{Bucket: "arn:aws:s3:eu-west-1:1:accesspoint/ap", Root: "r"}, []string{`"arn:aws:s3:eu-west-1:1:accesspoint/ap"`, `"arn:aws:s3:eu-west-1:1:accesspoint/ap/object/r/*"`}, nil},
		"whole bucket": {plan.S3{Bucket: "b"}, []string{`"arn:aws:s3:::b/*/.palhm/*"`}, []string{"s3:prefix"}},
		"other store":  {plan.S3{Bucket: "b", Root: "r", Endpoint: "http://minio:9000"}, []string{`"s3:prefix":"r/*"`}, []string{"none-match", "IfExists", "ObjectCreation"}},
		"AWS by URL":   {plan.S3{Bucket: "b", Root: "r", Endpoint: "https://s3.eu-west-1.amazonaws.com"}, []string{"s3:if-none-match"}, nil},
		"key id":       {plan.S3{Bucket: "b", KMSKey: "1234"}, []string{`"arn:aws:kms:*:*:key/1234"`, "kms:ViaService"}, nil},
		"key ARN":      {plan.S3{Bucket: "b", KMSKey: "arn:aws:kms:eu-west-1:1:key/1234"}, []string{`"arn:aws:kms:eu-west-1:1:key/1234"`}, nil},
		"key alias":    {plan.S3{Bucket: "b", KMSKey: "alias/backup"}, []string{`"arn:aws:kms:*:*:key/*"`, `"ForAnyValue:StringEquals":{"kms:ResourceAliases":"alias/backup"}`}, nil},
		"alias ARN":    {plan.S3{Bucket: "b", KMSKey: "arn:aws:kms:eu-west-1:1:alias/x"}, []string{`"arn:aws:kms:eu-west-1:1:key/*"`, `"kms:ResourceAliases":"alias/x"`}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := json.Marshal(iam.For(&c.site, false))
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range c.want {
				if !strings.Contains(string(data), w) {
					t.Errorf("got %s\nwant %s in it", data, w)
				}
			}
			for _, n := range c.not {
				if strings.Contains(string(data), n) {
					t.Errorf("got %s\nwant no %s in it", data, n)
				}
			}
		})
	}
}

// TestJoin: two roots of one bucket are in one policy, every name is there once, and
// what is the same for both too.
func TestJoin(t *testing.T) {
	a := iam.For(&plan.S3{Bucket: "b", Root: "a", KMSKey: "k"}, false)
	b := iam.For(&plan.S3{Bucket: "b", Root: "b", KMSKey: "k"}, true)
	got := iam.Join(a, b)
	if want := len(a.Statement) + len(b.Statement) - 1; len(got.Statement) != want {
		t.Errorf("got %d statements, want %d", len(got.Statement), want)
	}
	names := map[string]bool{}
	for _, st := range got.Statement {
		if names[st.Sid] || strings.Trim(st.Sid, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			t.Errorf("got the name %q, want each once, of letters and digits", st.Sid)
		}
		names[st.Sid] = true
	}
	if again := iam.Join(a, a); !reflect.DeepEqual(again, a) {
		t.Errorf("the same twice: got %v", again)
	}
}
