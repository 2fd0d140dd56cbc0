package s3_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"palhm/backends/s3"
	"palhm/backends/s3/s3test"
)

// authority signs the certificates of servers on the loopback.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // its certificate
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{cert: certificate("palhm test authority"), key: newKey(t), file: filepath.Join(t.TempDir(), "ca.pem")}
	a.cert.IsCA, a.cert.BasicConstraintsValid, a.cert.KeyUsage = true, true, x509.KeyUsageCertSign
	der := a.sign(t, a.cert, a.key)
	writePEM(t, a.file, "CERTIFICATE", der)
	return a
}

func certificate(name string) *x509.Certificate {
	return &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a *authority) sign(t testing.TB, c *x509.Certificate, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func writePEM(t testing.TB, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// issue writes the certificate and the key of a server, under the names that MinIO
// looks for.
func (a *authority) issue(t testing.TB, dir string) (cert, key string) {
	t.Helper()
	c, k := certificate("127.0.0.1"), newKey(t)
	c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	cert, key = filepath.Join(dir, "public.crt"), filepath.Join(dir, "private.key")
	writePEM(t, cert, "CERTIFICATE", a.sign(t, c, k))
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, key, "PRIVATE KEY", der)
	return cert, key
}

// TestServersTLS: a server whose certificate a private authority has signed is used
// with that authority, and with no other.
func TestServersTLS(t *testing.T) {
	for _, name := range servers {
		t.Run(name, func(t *testing.T) {
			ca := newAuthority(t)
			srv := serveAs(t, name, ca)
			o := srv.options(t, "tls")
			o.CAFile = ca.file
			if err := wholeLife(t, open(t, o)); err != nil {
				t.Error(err)
			}
			for name, file := range map[string]string{"another": newAuthority(t).file, "none": ""} {
				o.CAFile = file
				start := time.Now()
				_, err := open(t, o).Begin(t.Context(), copy2)
				if err == nil || !strings.Contains(err.Error(), "ca_file") || strings.Contains(err.Error(), "\n") || len(err.Error()) > 300 {
					t.Errorf("%s: got %v, want one sentence that names ca_file", name, err)
				} else {
					t.Log(err)
				}
				if d := time.Since(start); d > 10*time.Second {
					t.Errorf("%s: it took %s", name, d)
				}
			}
		})
	}
}

// serveTLS serves over TLS, offers HTTP/2 as most servers do, and refuses requests that are
// made with it, for which palhm's connections are not made. It ends with the test.
func serveTLS(t testing.TB, h http.Handler) (url, caFile string) {
	t.Helper()
	front := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 1 {
			t.Errorf("got a request in %s", r.Proto)
		}
		h.ServeHTTP(w, r)
	}))
	front.EnableHTTP2 = true
	front.Config.ErrorLog = log.New(io.Discard, "", 0)
	front.StartTLS()
	t.Cleanup(front.Close)
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	writePEM(t, caFile, "CERTIFICATE", front.Certificate().Raw)
	return front.URL, caFile
}

// TestServerOffersHTTP2, whoever says what certificates to trust.
func TestServerOffersHTTP2(t *testing.T) {
	for name, trust := range map[string]func(t *testing.T, o *s3.Options, caFile string){
		"ca_file":       func(_ *testing.T, o *s3.Options, caFile string) { o.CAFile = caFile },
		"AWS_CA_BUNDLE": func(t *testing.T, _ *s3.Options, caFile string) { t.Setenv("AWS_CA_BUNDLE", caFile) },
	} {
		t.Run(name, func(t *testing.T) {
			srv := s3test.New(t, s3test.Quirks{})
			o := small(t, srv)
			url, caFile := serveTLS(t, srv)
			o.Endpoint = url
			trust(t, &o, caFile)
			if err := wholeLife(t, open(t, o)); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSystemTrust is the same with the system's certificates, which a process reads once.
func TestSystemTrust(t *testing.T) {
	if endpoint := os.Getenv("PALHM_TEST_TLS_ENDPOINT"); endpoint != "" { // in the child
		withKeys(t)
		o := s3.Options{Bucket: "bucket", Endpoint: endpoint, PartSize: part, MinPart: part, LockDir: t.TempDir(), StateDir: t.TempDir()}
		if err := wholeLife(t, open(t, o)); err != nil {
			t.Error(err)
		}
		return
	}
	url, caFile := serveTLS(t, s3test.New(t, s3test.Quirks{MinPart: part}))
	child := exec.Command(os.Args[0], "-test.run", "^TestSystemTrust$")
	child.Env = append(os.Environ(), "PALHM_TEST_TLS_ENDPOINT="+url, "SSL_CERT_FILE="+caFile, "SSL_CERT_DIR=/nonexistent")
	if out, err := child.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// nginxConf is that of a proxy before a store, with the usual "ssl http2".
const nginxConf = `
daemon off;
master_process off;
pid nginx.pid;
error_log stderr crit;
events {}
http {
	access_log off;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	server {
		listen unix:%s ssl http2;
		ssl_certificate %s;
		ssl_certificate_key %s;
		client_max_body_size 0;
		location / {
			proxy_pass %s;
			proxy_set_header Host $http_host;
		}
	}
}
`

// TestNginxWithHTTP2 before a store.
func TestNginxWithHTTP2(t *testing.T) {
	nginx, err := exec.LookPath("/usr/sbin/nginx")
	if err != nil {
		t.Skip("needs /usr/sbin/nginx, of Debian's nginx-light")
	}
	srv, ca, dir := s3test.New(t, s3test.Quirks{}), newAuthority(t), t.TempDir()
	cert, key := ca.issue(t, dir)
	socket := filepath.Join(dir, "socket")
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), fmt.Appendf(nil, nginxConf, socket, cert, key, srv.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(nginx, "-p", dir, "-c", "nginx.conf", "-e", "stderr")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	o := small(t, srv)
	o.Endpoint, o.CAFile = "https://"+forwardTo(t, socket), ca.file
	if err := wholeLife(t, open(t, o)); err != nil {
		t.Error(err)
	}
}

// forwardTo returns the address of a TCP port, which nobody else can have taken, that
// leads to a socket as soon as it is there.
func forwardTo(t testing.TB, socket string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go forward(in, socket)
		}
	}()
	return l.Addr().String()
}

func forward(in net.Conn, socket string) {
	defer in.Close()
	var out net.Conn
	for out == nil {
		var err error
		if out, err = net.Dial("unix", socket); err != nil {
			time.Sleep(10 * time.Millisecond)
		}
	}
	defer out.Close()
	go func() {
		_, _ = io.Copy(out, in)
		_ = out.(*net.UnixConn).CloseWrite()
	}()
	_, _ = io.Copy(in, out)
}

// TestBodiesAreHashedOnce: over TLS a body is sent unsigned, with the checksum that was
// computed for it, in a header and not behind it.
func TestBodiesAreHashedOnce(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	var mu sync.Mutex
	sent := map[string]int{}
	front, caFile := serveTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "PUT" {
			mu.Lock()
			sent[r.Header.Get("X-Amz-Content-Sha256")]++
			if r.Header.Get("X-Amz-Checksum-Crc64nvme") == "" || r.Header.Get("X-Amz-Trailer") != "" || r.Header.Get("Content-Encoding") != "" {
				sent["without a checksum, or with one behind it"]++
			}
			mu.Unlock()
		}
		srv.ServeHTTP(w, r)
	}))
	o := small(t, srv)
	o.Endpoint, o.CAFile = front, caFile
	if err := wholeLife(t, open(t, o)); err != nil {
		t.Error(err)
	}
	if len(sent) != 1 || sent["UNSIGNED-PAYLOAD"] == 0 {
		t.Errorf("bodies were sent as %v, want UNSIGNED-PAYLOAD for all", sent)
	}
}
