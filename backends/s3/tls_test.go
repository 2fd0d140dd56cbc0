package s3_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

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

// TestBodiesAreHashedOnce: over TLS a body is sent unsigned, with the checksum that was
// computed for it, in a header and not behind it.
func TestBodiesAreHashedOnce(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	var mu sync.Mutex
	sent := map[string]int{}
	front := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
	front.StartTLS()
	t.Cleanup(front.Close)
	o := small(t, srv)
	o.Endpoint, o.CAFile = front.URL, filepath.Join(t.TempDir(), "ca.pem")
	writePEM(t, o.CAFile, "CERTIFICATE", front.Certificate().Raw)
	if err := wholeLife(t, open(t, o)); err != nil {
		t.Error(err)
	}
	if len(sent) != 1 || sent["UNSIGNED-PAYLOAD"] == 0 {
		t.Errorf("bodies were sent as %v, want UNSIGNED-PAYLOAD for all", sent)
	}
}
