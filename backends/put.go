package backends

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"

	"github.com/minio/crc64nvme"

	"palhm/runtime/plan"
)

// Stored says what Put stored.
type Stored struct {
	Size      int64 // bytes
	SHA256    string
	CRC64NVME string
}

// Put stores what r yields at path in c, and returns its size and checksums. What
// is hashed is what came out of r, and a backend that stored another number of
// bytes has failed. When r failed, its error is returned as it is. When r is an
// io.Closer it is closed if the backend fails while it waits for more.
func Put(ctx context.Context, c Copy, path string, r io.Reader, sizeHint int64) (Stored, error) {
	if err := plan.CheckPath(path); err != nil {
		return Stored{}, err
	}
	m := &meter{r: r, sha: sha256.New(), crc: crc64nvme.New()}
	n, err := c.Put(ctx, path, m, max(sizeHint, 0))
	if err == nil {
		err = m.check(n)
	}
	if failure := m.failure(); err != nil && failure != nil {
		return Stored{}, failure
	}
	if err != nil {
		return Stored{}, fmt.Errorf("store: %w", err)
	}
	var crc [8]byte
	binary.BigEndian.PutUint64(crc[:], m.crc.Sum64())
	return Stored{
		Size:      n,
		SHA256:    hex.EncodeToString(m.sha.Sum(nil)),
		CRC64NVME: base64.StdEncoding.EncodeToString(crc[:]),
	}, nil
}

// Commit commits c, after checking that the manifest can be read back.
func Commit(ctx context.Context, c Copy, m *Manifest) error {
	if err := m.check(m.Prefix); err != nil {
		return fmt.Errorf("commit %s: %w", m.Prefix, err)
	}
	if err := c.Commit(ctx, m); err != nil {
		return fmt.Errorf("commit %s: %w", m.Prefix, err)
	}
	return nil
}

// Interrupt makes a Read of a stream that is under way in another goroutine return,
// if it can. A backend that fails while it reads calls it: the next bytes of a slow
// stream, and with them the failure, may be hours away.
func Interrupt(r io.Reader) {
	if c, ok := r.(io.Closer); ok {
		c.Close() //nolint:errcheck // there is a failure to tell of already
	}
}

// Failed returns a channel that is closed when a stream has failed, or has ended in
// another way, however much of it is still to be read; nil when the stream cannot tell. A
// backend that waits for something else than the stream watches it, and reads then.
func Failed(r io.Reader) <-chan struct{} {
	if f, ok := r.(interface{ Failed() <-chan struct{} }); ok {
		return f.Failed()
	}
	return nil
}

// meter counts and hashes what passes, and remembers how it ended. Only Close may be
// called by another goroutine than Read, and when Put is over.
type meter struct {
	r   io.Reader
	n   int64
	sha hash.Hash
	crc hash.Hash64

	mu          sync.Mutex
	err         error
	interrupted bool // before it had ended
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.n += int64(n)
	m.sha.Write(p[:n])
	m.crc.Write(p[:n])
	if err != nil {
		m.mu.Lock()
		m.err = err
		m.mu.Unlock()
	}
	return n, err
}

// Failed passes the question on.
func (m *meter) Failed() <-chan struct{} { return Failed(m.r) }

// Close is for a backend that has failed.
func (m *meter) Close() error {
	m.mu.Lock()
	m.interrupted = m.interrupted || m.err == nil
	m.mu.Unlock()
	Interrupt(m.r)
	return nil
}

// failure is why the stream failed by itself, or nil.
func (m *meter) failure() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.interrupted || m.err == io.EOF {
		return nil
	}
	return m.err
}

// check reports a backend that said "stored" of something else than the whole
// stream. It cannot happen with a correct backend; it must not pass with another.
func (m *meter) check(stored int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.err == nil:
		return errors.New("the backend stopped before the end of the stream")
	case m.err != io.EOF:
		return fmt.Errorf("the backend stored a stream that had failed: %w", m.err)
	case stored != m.n:
		return fmt.Errorf("the backend stored %d bytes of %d", stored, m.n)
	}
	return nil
}
