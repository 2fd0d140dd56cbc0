package localfs_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"palhm/backends"
	"palhm/backends/localfs"
)

// stream yields n random bytes in pieces of what a pipe holds. They are made once.
type stream struct {
	block []byte
	left  int64
}

func newStream(n int64) *stream {
	b := make([]byte, 256<<10)
	rand.NewChaCha8([32]byte{}).Read(b)
	return &stream{b, n}
}

func (s *stream) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.block[:min(int64(len(s.block)), s.left)])
	s.left -= int64(n)
	return n, nil
}

const benchSize = 256 << 20

// BenchmarkPut compares Put, with its checksums and everything, with writing the
// same stream to a file and one fsync. The runs take turns, since the speed of a
// disk changes by the minute; "ratio" is the median of the ratios of their times.
func BenchmarkPut(b *testing.B) {
	for _, block := range []int64{64 << 10, 256 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("block=%dKiB", block>>10), func(b *testing.B) {
			s, err := localfs.New(localfs.Options{Root: b.TempDir(), BlockSize: block})
			if err != nil {
				b.Fatal(err)
			}
			plain := filepath.Join(b.TempDir(), "plain")
			c := mustBegin(b, s, copy1)
			defer c.Abort(context.Background())
			var ratios []float64
			b.SetBytes(benchSize)
			for i := 0; b.Loop(); i++ {
				start := time.Now()
				if _, err := backends.Put(b.Context(), c, fmt.Sprint(i), newStream(benchSize), 0); err != nil {
					b.Fatal(err)
				}
				took := time.Since(start)
				b.StopTimer()
				staged := filepath.Join(s.Root(), ".palhm/staging", copy1, fmt.Sprint(i))
				if err := os.Remove(staged); err != nil {
					b.Fatal(err)
				}
				ratios = append(ratios, float64(took)/float64(writePlain(b, plain, block)))
				b.StartTimer()
			}
			slices.Sort(ratios)
			b.ReportMetric(ratios[len(ratios)/2], "ratio")
		})
	}
}

func writePlain(b *testing.B, path string, block int64) time.Duration {
	start := time.Now()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{f}, newStream(benchSize), make([]byte, block))
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		b.Fatal(err)
	}
	f.Close()
	took := time.Since(start)
	os.Remove(path)
	return took
}

// BenchmarkTinyObjects makes copies of 10,000 objects of ten bytes.
func BenchmarkTinyObjects(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		tinyObjects(b, filepath.Join(b.TempDir(), "root"), 10_000)
	}
}

func tinyObjects(t testing.TB, root string, n int) *localfs.Store {
	s := newStore(t, root)
	c := mustBegin(t, s, copy1)
	m := manifest(copy1)
	for i := range n {
		o, err := put(t.Context(), c, fmt.Sprintf("d%d/%d", i%100, i), "0123456789")
		if err != nil {
			t.Fatal(err)
		}
		m.Objects = append(m.Objects, o)
	}
	if err := backends.Commit(t.Context(), c, m); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestTenThousandObjects in one copy: made, listed, and removed.
func TestTenThousandObjects(t *testing.T) {
	root := filepath.Join(t.TempDir(), "root")
	s := tinyObjects(t, root, 10_000)
	infos, err := s.List(t.Context())
	if err != nil || len(infos) != 1 || infos[0].Objects != 10_000 || infos[0].Size != 100_000 {
		t.Fatalf("got %+v, %v", infos, err)
	}
	wantSums(t, root, copy1)
	if err := s.Remove(t.Context(), copy1); err != nil {
		t.Error(err)
	}
	wantClean(t, root)
}
