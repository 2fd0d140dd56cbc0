package s3_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"palhm/backends"
	"palhm/backends/backendtest"
	"palhm/backends/s3"
	"palhm/backends/s3/s3test"
)

// What the servers prove, and what only the fake one can: both keep the contract, and
// check signatures and the checksums of parts and of whole objects. Storage classes
// are MinIO's alone. The paging of open uploads, an error in a 200 answer, 409 on a
// conditional completion, listings that lag, conditions of policies and equal parts
// are proven on s3test only.

// server is a real one, on the loopback.
type server struct {
	name string
	url  string
	dir  string
	ca   string // file with the certificate that signed the server's; "" = no TLS
	args []string
	env  []string
	cmd  *exec.Cmd
}

// tool finds a program that scripts/test has built.
func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(filepath.Join(os.Getenv("PALHM_TEST_TOOLS"), name))
	if os.Getenv("PALHM_TEST_TOOLS") == "" {
		path, err = exec.LookPath(name)
	}
	if err != nil && name == "rclone" {
		t.Skip("needs rclone, which only scripts/test --full builds")
	}
	if err != nil {
		t.Skip("needs " + name)
	}
	return path
}

// serve starts a server with a bucket called "bucket". It ends with the test.
func serve(t testing.TB, name string) *server { return serveAs(t, name, nil) }

// serveAs is serve, with TLS if there is an authority.
func serveAs(t testing.TB, name string, ca *authority) *server {
	t.Helper()
	withKeys(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	s := &server{name: name, url: "http://" + addr, dir: t.TempDir()}
	path := tool(t, name)
	switch name {
	case "versitygw":
		s.args = []string{path, "--quiet", "--keep-alive", "--port", addr, "posix", s.dir}
		s.env = []string{"ROOT_ACCESS_KEY=palhmtest", "ROOT_SECRET_KEY=palhmsecret"}
	case "minio":
		s.args = []string{path, "server", "--quiet", "--address", addr, s.dir}
		s.env = []string{"MINIO_ROOT_USER=palhmtest", "MINIO_ROOT_PASSWORD=palhmsecret", "MINIO_UPDATE=off", "HOME=" + s.dir}
	case "gofakes3":
		s.args = []string{path, "-quiet", "-backend", "memory", "-host", addr}
	case "rclone":
		s.args = []string{path, "serve", "s3", "--addr", addr, "--auth-key", "palhmtest,palhmsecret", "--config", "/nonexistent", s.dir}
	}
	if ca != nil {
		dir := t.TempDir()
		cert, key := ca.issue(t, dir)
		s.url, s.ca = "https://"+addr, ca.file
		s.args = append(s.args[:2:2], append(map[string][]string{"versitygw": {"--cert", cert, "--key", key}, "minio": {"--certs-dir", dir}}[name], s.args[2:]...)...)
	}
	s.start(t)
	t.Cleanup(func() { s.kill() })
	c := s.client(t)
	for range 100 {
		if _, err = c.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: aws.String("bucket")}); err == nil {
			return s
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("%s does not start: %v", name, err)
	return nil
}

func (s *server) start(t testing.TB) {
	t.Helper()
	s.cmd = exec.Command(s.args[0], s.args[1:]...)
	s.cmd.Env = append(os.Environ(), s.env...)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	trusting := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	for range 200 {
		if r, err := trusting.Get(s.url); err == nil {
			r.Body.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s does not answer", s.name)
}

func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// client is the SDK's, to look behind palhm's back.
func (s *server) client(t testing.TB) *awss3.Client {
	t.Helper()
	var load []func(*config.LoadOptions) error
	if s.ca != "" {
		pem, err := os.ReadFile(s.ca)
		if err != nil {
			t.Fatal(err)
		}
		load = append(load, config.WithCustomCABundle(bytes.NewReader(pem)))
	}
	cfg, err := config.LoadDefaultConfig(t.Context(), load...)
	if err != nil {
		t.Fatal(err)
	}
	return awss3.NewFromConfig(cfg, func(o *awss3.Options) { o.BaseEndpoint, o.UsePathStyle = &s.url, true })
}

func (s *server) options(t testing.TB, root string) s3.Options {
	return s3.Options{
		Bucket: "bucket", Root: root, Endpoint: s.url, PartSize: realPart,
		Backoff: 5 * time.Millisecond, Heartbeat: time.Hour, LockDir: t.TempDir(), StateDir: t.TempDir(),
	}
}

// settle is runs that come hours later: what is left is removed, and seen to stay so.
func settle(t testing.TB, s *s3.Store) {
	t.Helper()
	s.SetDeadAfter(-time.Minute)
	defer s.SetDeadAfter(time.Hour)
	for range 3 {
		if err := s.Recover(t.Context()); err != nil {
			t.Errorf("recover: %v", err)
		}
	}
}

// left lists what a bucket holds, open uploads of a key included.
func (s *server) left(t testing.TB, below string, uploads ...string) (keys []string) {
	t.Helper()
	return append(s.keys(t, below), s.uploads(t, append(uploads, below))...)
}

// keys lists the objects.
func (s *server) keys(t testing.TB, below string) (keys []string) {
	t.Helper()
	c := s.client(t)
	pages := awss3.NewListObjectsV2Paginator(c, &awss3.ListObjectsV2Input{Bucket: aws.String("bucket"), Prefix: &below})
	for pages.HasMorePages() {
		out, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range out.Contents {
			keys = append(keys, *o.Key)
		}
	}
	return keys
}

// uploads lists the open uploads below keys.
func (s *server) uploads(t testing.TB, keys []string) (open []string) {
	t.Helper()
	c := s.client(t)
	for _, key := range keys {
		out, err := c.ListMultipartUploads(t.Context(), &awss3.ListMultipartUploadsInput{Bucket: aws.String("bucket"), Prefix: &key})
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range out.Uploads {
			open = append(open, "upload of "+*u.Key)
		}
	}
	return open
}

var servers = []string{"versitygw", "minio"}

func onServers(t *testing.T, f func(t *testing.T, s *server)) {
	for _, name := range servers {
		t.Run(name, func(t *testing.T) { f(t, serve(t, name)) })
	}
}

// TestLifeOnEveryStore: a run, a rotation and a clean-up after a kill, also on stores that
// keep no conditions or list no uploads.
func TestLifeOnEveryStore(t *testing.T) {
	for _, name := range append(servers, "gofakes3", "rclone") {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, name)
			o := srv.options(t, "web1/daily")
			s := open(t, o)
			s.SetHost("a", "boot", 1<<30) // no process has this id
			python := "web1/daily/2021-01-01T00:00:00+00:00/python"
			if _, err := srv.client(t).PutObject(t.Context(), &awss3.PutObjectInput{Bucket: aws.String("bucket"), Key: &python, Body: strings.NewReader("x")}); err != nil {
				t.Fatal(err)
			}
			makeCopy(t, s, copy1)
			c := begin(t, s, copy2)
			big, err := backends.Put(t.Context(), c, "d/big + one", stream(2*part+1, nil), 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := backends.Commit(t.Context(), c, manifest(copy2, put(t, c, "a", "x"), record("d/big + one", big))); err != nil {
				t.Fatal(err)
			}
			t.Logf("warnings: %q", c.(backends.Warner).Warnings())
			if err := s.Remove(t.Context(), copy1); err != nil {
				t.Error(err)
			}
			c = begin(t, s, "2022-05-03T00:00:00+00:00")
			put(t, c, "a", "x")
			if _, err := backends.Put(t.Context(), c, "big", stream(2*part+1, nil), 0); err != nil {
				t.Error(err)
			}
			s3.Drop(c)
			next := open(t, o)
			next.SetHost("a", "boot", 1<<30+1)
			wantCopies(t, next, "2021-01-01T00:00:00+00:00", copy2)
			settle(t, next)
			wantCopies(t, next, "2021-01-01T00:00:00+00:00", copy2)
			r, err := next.Open(t.Context(), copy2, "d/big + one")
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if err := same(r, stream(2*part+1, nil)); err != nil {
				t.Error(err)
			}
			if err := next.Remove(t.Context(), copy2); err != nil {
				t.Error(err)
			}
			settle(t, next)
			for _, key := range srv.keys(t, "web1/") {
				if key != python {
					t.Errorf("%s is left", key)
				}
			}
		})
	}
}

func TestServersKeepContract(t *testing.T) {
	onServers(t, func(t *testing.T, srv *server) {
		n := 0
		opened := map[backends.Store]s3.Options{}
		backendtest.Run(t, backendtest.Config{
			Objects: 100,
			New: func(t testing.TB) backends.Store {
				n++
				o := srv.options(t, fmt.Sprintf("root%d/x", n))
				s := open(t, o)
				s.SetHost("a", "boot", 1<<30) // no process has this id
				opened[s] = o
				return s
			},
			Reopen: func(t testing.TB, s backends.Store) backends.Store {
				again := open(t, opened[s])
				again.SetHost("a", "boot", 1<<30+1)
				opened[again] = opened[s]
				return again
			},
			Plant: func(t testing.TB, s backends.Store, path, content string) {
				key := opened[s].Root + "/" + path
				if _, err := srv.client(t).PutObject(t.Context(), &awss3.PutObjectInput{Bucket: aws.String("bucket"), Key: &key, Body: strings.NewReader(content)}); err != nil {
					t.Fatal(err)
				}
			},
			Peek: func(t testing.TB, s backends.Store, path string) (string, bool) {
				key := opened[s].Root + "/" + path
				out, err := srv.client(t).GetObject(t.Context(), &awss3.GetObjectInput{Bucket: aws.String("bucket"), Key: &key})
				if err != nil {
					return "", false
				}
				defer out.Body.Close()
				data, _ := io.ReadAll(out.Body)
				return string(data), true
			},
		})
	})
}

// TestServersUploads of many lengths, each part and each whole checked by the server.
func TestServersUploads(t *testing.T) {
	onServers(t, func(t *testing.T, srv *server) {
		s := open(t, srv.options(t, "r"))
		c := begin(t, s, copy1)
		m := manifest(copy1)
		lengths := []int64{0, realPart, realPart + 1, 3*realPart + 5}
		for _, n := range lengths {
			st, err := backends.Put(t.Context(), c, fmt.Sprint(n), stream(n, nil), 0)
			if err != nil {
				t.Fatal(err)
			}
			m.Objects = append(m.Objects, record(fmt.Sprint(n), st))
		}
		if err := backends.Commit(t.Context(), c, m); err != nil {
			t.Fatal(err)
		}
		for _, n := range lengths {
			r, err := s.Open(t.Context(), copy1, fmt.Sprint(n))
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			r.Close()
			if err != nil || string(got) != bytesOf(n) {
				t.Errorf("%d bytes: something else was stored: %v", n, err)
			}
		}
		if err := s.Remove(t.Context(), copy1); err != nil {
			t.Error(err)
		}
		settle(t, s)
		if left := srv.left(t, "r/"); len(left) > 0 {
			t.Errorf("left: %q", left)
		}
	})
}

// TestServersFaults between palhm and the server, at every kind of request.
func TestServersFaults(t *testing.T) {
	onServers(t, func(t *testing.T, srv *server) {
		proxy := s3test.NewProxy(t, srv.url)
		n := 0
		for name, fault := range map[string]s3test.Fault{
			"reset": s3test.Reset, "lost answer": s3test.LoseAnswer, "half answer": s3test.HalfAnswer,
			"500": s3test.InternalError, "SlowDown": s3test.SlowDown, "stall": s3test.Stall,
		} {
			for _, op := range operations {
				if fault == s3test.Stall && op != "UploadPart" && op != "CompleteMultipartUpload" {
					continue // each costs a while
				}
				t.Run(op+" "+name, func(t *testing.T) {
					n++
					o := srv.options(t, fmt.Sprintf("f%d", n))
					o.Endpoint = proxy.URL
					if fault == s3test.Stall {
						o.Stall = time.Second
					}
					proxy.Set(times(op, 2, fault))
					s := open(t, o)
					if err := wholeLife(t, s); err != nil {
						t.Error(err)
					}
					if err := s.Recover(t.Context()); err != nil {
						t.Error(err)
					}
					proxy.Set(nil)
					settle(t, s)
					if left := srv.left(t, o.Root+"/", o.Root+"/"+copy1+"/big"); len(left) > 0 {
						t.Errorf("left: %q", left)
					}
				})
			}
		}
	})
}

// TestServerIsKilled in the middle of an upload, and comes back after a moment: the
// upload goes on.
func TestServerIsKilled(t *testing.T) {
	onServers(t, func(t *testing.T, srv *server) {
		o := srv.options(t, "k")
		o.Backoff = 300 * time.Millisecond
		s := open(t, o)
		c := begin(t, s, copy1)
		r := &hook{r: stream(6*realPart, nil), at: 3 * realPart, do: func() {
			srv.kill()
			go func() {
				time.Sleep(time.Second)
				srv.start(t)
			}()
		}}
		st, err := backends.Put(t.Context(), c, "big", r, 0)
		if err != nil {
			t.Fatalf("put: %v", err)
		}
		if err := backends.Commit(t.Context(), c, manifest(copy1, record("big", st))); err != nil {
			t.Fatal(err)
		}
		wantCopies(t, s, copy1)
	})
}

// hook does something once, when a stream has come to a place.
type hook struct {
	r  io.Reader
	n  int64
	at int64
	do func()
	sync.Once
}

func (h *hook) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	if h.n += int64(n); h.n >= h.at {
		h.Do(h.do)
	}
	return n, err
}

// TestServersClasses: MinIO knows storage classes, versitygw knows none, and there the
// failure loses nothing.
func TestServersClasses(t *testing.T) {
	onServers(t, func(t *testing.T, srv *server) {
		o := srv.options(t, "c")
		o.RotClass = "REDUCED_REDUNDANCY"
		s := open(t, o)
		makeCopy(t, s, copy1)
		err := s.Finish(t.Context(), copy1)
		if srv.name == "minio" {
			if err != nil {
				t.Error(err)
			}
			out, err := srv.client(t).HeadObject(t.Context(), &awss3.HeadObjectInput{Bucket: aws.String("bucket"), Key: aws.String("c/" + copy1 + "/a")})
			if err != nil || out.StorageClass != "REDUCED_REDUNDANCY" {
				t.Errorf("got class %v, %v", out.StorageClass, err)
			}
		} else if err == nil {
			t.Errorf("%s knows classes now", srv.name)
		}
		wantCopies(t, s, copy1)
	})
}

// TestServersWithoutObjectLock: what a bucket cannot do is found before a copy is begun.
func TestServersWithoutObjectLock(t *testing.T) {
	onServers(t, func(t *testing.T, srv *server) {
		o := srv.options(t, "r")
		o.LockMode, o.LockDays = "GOVERNANCE", 1
		_, err := open(t, o).Begin(t.Context(), copy1)
		wantSentence(t, err, "object_lock_mode")
		t.Log(err)
		if left := srv.left(t, "r/"); len(left) > 0 {
			t.Errorf("left: %q", left)
		}
	})
}

// killing is when a child is killed: at the n-th request that is meant. That request is
// not done, or it is done and the child does not learn it, or it is under way.
type killing struct {
	name string
	n    int
	is   func(op, key string) bool
	how  string // "before", "done", "during"
}

// killings are the moments that matter most, and then chance.
func killings(trials int) (all []killing) {
	op := func(want string) func(string, string) bool { return func(op, _ string) bool { return op == want } }
	ends := func(want string) func(string, string) bool {
		return func(op, key string) bool { return op == "PutObject" && strings.HasSuffix(key, want) }
	}
	for _, how := range []string{"before", "done"} {
		all = append(all, killing{"uploading", 3, op("UploadPart"), how}, killing{"completing", 1, op("CompleteMultipartUpload"), how},
			killing{"committing", 1, ends("/manifest.json"), how}, killing{"after a commit", 1 + childParts, op("UploadPart"), how})
	}
	for len(all) < trials {
		any := func(string, string) bool { return true }
		all = append(all, killing{"any", 1 + rand.IntN(2*childParts+30), any, []string{"before", "done", "during"}[rand.IntN(3)]})
	}
	return all
}

// fault kills a child when its moment has come.
func (k killing) fault(kill func()) func(op, key string) s3test.Fault {
	var mu sync.Mutex
	seen := 0
	return func(op, key string) s3test.Fault {
		mu.Lock()
		defer mu.Unlock()
		if seen < k.n && k.is(op, key) {
			seen++
		} else if seen < k.n || k.how == "during" {
			return s3test.None
		} else {
			kill()
			return s3test.Reset
		}
		switch {
		case seen < k.n:
			return s3test.None
		case k.how == "done":
			return s3test.LoseAnswer // and it is killed at its next request
		case k.how == "during":
			time.AfterFunc(rand.N(20*time.Millisecond), kill)
			return s3test.None
		}
		kill()
		return s3test.Reset
	}
}

// TestKilledAtAnyMoment: another process makes copies until it is killed. Then every
// copy is whole or absent, and one more run leaves neither upload nor object.
func TestKilledAtAnyMoment(t *testing.T) {
	trials := 10
	if n, err := strconv.Atoi(os.Getenv("PALHM_TEST_KILLS")); err == nil {
		trials = max(trials, n/5) // a kill here takes seconds
	}
	onServers(t, func(t *testing.T, srv *server) {
		proxy := s3test.NewProxy(t, srv.url)
		o := srv.options(t, "kill")
		o.Endpoint = proxy.URL
		for i, k := range killings(trials) {
			output := runChild(t, proxy, o, i, k)
			s := open(t, o)
			if err := s.Recover(t.Context()); err != nil {
				t.Errorf("recover: %v", err)
			}
			infos, err := s.List(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			committed := k.name == "after a commit" || k.name == "committing" && k.how == "done"
			if k.name != "any" && len(infos) != map[bool]int{true: 1}[committed] {
				t.Errorf("killed %s (%s): got %d copies", k.name, k.how, len(infos))
			}
			for _, info := range infos {
				checkWhole(t, s, info)
				if err := s.Remove(t.Context(), info.Prefix); err != nil {
					t.Error(err)
				}
			}
			settle(t, s)
			if left := srv.left(t, "kill/", childKeys(i)...); len(left) > 0 {
				t.Errorf("killed %s (%s, request %d): left: %q\n%s", k.name, k.how, k.n, left, output)
			}
		}
	})
}

// runChild runs a child until it is killed.
func runChild(t *testing.T, proxy *s3test.Proxy, o s3.Options, trial int, k killing) (output string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestChild$")
	cmd.Env = append(os.Environ(), "PALHM_TEST_CHILD="+proxy.URL, "PALHM_TEST_STATE="+o.StateDir, fmt.Sprintf("PALHM_TEST_NUMBER=%d", trial))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	started, dead := make(chan struct{}), make(chan struct{})
	killed := sync.OnceFunc(func() {
		<-started
		_ = cmd.Process.Kill()
		<-dead
	})
	proxy.Set(k.fault(killed))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	close(started)
	stuck := time.AfterFunc(2*time.Minute, killed)
	err := cmd.Wait()
	close(dead)
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || !exit.Sys().(syscall.WaitStatus).Signaled() || !stuck.Stop() {
		t.Fatalf("the child was not killed %s (%s, request %d): %v\n%s", k.name, k.how, k.n, err, &out)
	}
	if k.how == "during" {
		time.Sleep(200 * time.Millisecond) // until what had arrived is done
	}
	proxy.Set(nil)
	return out.String()
}

// childParts is how many parts a child's large object has, and childSize its length.
const (
	childParts = 5
	childSize  = (childParts-1)*realPart + 1
)

// childCopies are those that the child of a trial makes, one after the other.
func childCopies(trial int) (names []string) {
	for i := range 50 {
		at := time.Date(2022, 5, 1, trial/60, trial%60, i, 0, time.UTC)
		names = append(names, backends.FormatPrefix(at, "iso"))
	}
	return names
}

func childKeys(trial int) (keys []string) {
	for _, name := range childCopies(trial) {
		keys = append(keys, "kill/"+name+"/big")
	}
	return keys
}

// TestChild makes copies until it is killed.
func TestChild(t *testing.T) {
	endpoint := os.Getenv("PALHM_TEST_CHILD")
	if endpoint == "" {
		return // only TestKilledAtAnyMoment needs it
	}
	trial := 0
	fmt.Sscan(os.Getenv("PALHM_TEST_NUMBER"), &trial)
	s := open(t, s3.Options{Bucket: "bucket", Root: "kill", Endpoint: endpoint, PartSize: realPart, StateDir: os.Getenv("PALHM_TEST_STATE"), LockDir: t.TempDir()})
	for _, name := range childCopies(trial) {
		c := begin(t, s, name)
		m := manifest(name, put(t, c, "a/small", "x"))
		st, err := backends.Put(t.Context(), c, "big", stream(childSize, nil), 0)
		if err != nil {
			t.Fatal(err)
		}
		m.Objects = append(m.Objects, record("big", st))
		if err := backends.Commit(context.Background(), c, m); err != nil {
			t.Fatal(err)
		}
	}
}

// checkWhole reads all of a copy.
func checkWhole(t *testing.T, s *s3.Store, info backends.Info) {
	t.Helper()
	for path, want := range map[string]string{"a/small": "x", "big": bytesOf(childSize)} {
		r, err := s.Open(t.Context(), info.Prefix, path)
		if err != nil {
			t.Errorf("%s: %v", info.Prefix, err)
			continue
		}
		got, err := io.ReadAll(r)
		r.Close()
		if err != nil || string(got) != want {
			t.Errorf("%s: %s is not whole: %v", info.Prefix, path, err)
		}
	}
	if info.Damage != nil || info.Objects != 2 {
		t.Errorf("got %+v", info)
	}
}
