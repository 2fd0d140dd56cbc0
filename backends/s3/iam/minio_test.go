package iam_test

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"palhm/backends"
	"palhm/backends/s3"
	"palhm/backends/s3/iam"
	"palhm/runtime/plan"
)

// minio starts the server on the loopback. Its bucket "bucket" has object lock.
func minio(t *testing.T) (url string) {
	t.Helper()
	path := "minio"
	if dir := os.Getenv("PALHM_TEST_TOOLS"); dir != "" {
		path = filepath.Join(dir, path)
	}
	path, err := exec.LookPath(path)
	if err != nil {
		t.Skip("needs minio")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	dir := t.TempDir()
	cmd := exec.Command(path, "server", "--quiet", "--address", addr, dir)
	cmd.Env = append(os.Environ(), "MINIO_ROOT_USER=palhmtest", "MINIO_ROOT_PASSWORD=palhmsecret", "MINIO_UPDATE=off", "HOME="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	url = "http://" + addr
	for range 300 {
		if r, getErr := http.Get(url); getErr == nil {
			r.Body.Close()
			c := awss3.NewFromConfig(asRoot(t), func(o *awss3.Options) { o.BaseEndpoint, o.UsePathStyle = &url, true })
			in := &awss3.CreateBucketInput{Bucket: aws.String("bucket"), ObjectLockEnabledForBucket: aws.Bool(true)}
			if _, err = c.CreateBucket(t.Context(), in); err == nil {
				return url
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("minio does not start: %v", err)
	return ""
}

// asRoot sets the keys of the server's owner.
func asRoot(t *testing.T) aws.Config {
	t.Helper()
	setKeys(t)
	t.Setenv("AWS_SESSION_TOKEN", "")
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// assume sets keys that have the rights of a policy and no others.
func assume(t *testing.T, url string, p iam.Policy) {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	c := sts.NewFromConfig(asRoot(t), func(o *sts.Options) { o.BaseEndpoint = &url })
	out, err := c.AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::123456789012:role/any"), RoleSessionName: aws.String("palhm"), Policy: aws.String(string(text)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", *out.Credentials.AccessKeyId)
	t.Setenv("AWS_SECRET_ACCESS_KEY", *out.Credentials.SecretAccessKey)
	t.Setenv("AWS_SESSION_TOKEN", *out.Credentials.SessionToken)
}

// TestMinIO takes the policies for a store that is not AWS, and keeps to them.
func TestMinIO(t *testing.T) {
	url := minio(t)
	site := &plan.S3{Bucket: "bucket", Root: "web1", Endpoint: url, Tags: map[string]string{"a": "b"}}
	locked := *site
	locked.Root, locked.LockMode, locked.LockDays = "locked", "GOVERNANCE", 1
	as := func(site *plan.S3, rotate bool) *s3.Store {
		assume(t, url, iam.For(site, rotate))
		return newStore(t, url, site)
	}

	s := as(site, false)
	if err := save(t, s, copy1); err != nil {
		t.Fatal(err)
	}
	if err := failing(t, s, copy2); err == nil {
		t.Error("abort without the right to delete: got no error")
	}
	if err := s.Remove(t.Context(), copy1); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("remove: got %v, want that access is denied", err)
	}
	wantCopies(t, s, copy1)
	elsewhere := *site
	elsewhere.Root = "web2"
	if _, err := newStore(t, url, &elsewhere).Begin(t.Context(), copy1); err == nil {
		t.Error("a copy in another root: got no error")
	}

	s = as(site, true)
	if err := s.Recover(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Remove(t.Context(), copy1); err != nil {
		t.Error(err)
	}
	wantCopies(t, s)

	s = as(&locked, true)
	if err := save(t, s, copy1); err != nil {
		t.Fatal(err)
	}
	if err := s.Finish(t.Context(), copy1); err != nil {
		t.Error(err)
	}
	kept, ok := errors.AsType[*backends.RetainedError](s.Remove(t.Context(), copy1))
	if !ok || time.Until(kept.Until) > 25*time.Hour || time.Until(kept.Until) < 23*time.Hour {
		t.Errorf("remove a locked copy: got %v, want that it is kept for a day", kept)
	}
	wantCopies(t, s, copy1)
}
