package proc_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"palhm/runtime/proc"
)

func BenchmarkSpawnTrue(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		discard(b, nil, []string{"/bin/true"})
	}
}

func BenchmarkSpawnTwoStages(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		discard(b, nil, []string{"/bin/true"}, []string{"/bin/cat"})
	}
}

// BenchmarkCat reads a file in memory through a pipeline; io.Discard's side is
// BenchmarkRead.
func BenchmarkCat(b *testing.B) {
	for _, size := range []int{256 << 10, 1 << 20} {
		b.Run(byteSize(size), func(b *testing.B) {
			path := fileInMemory(b)
			buf := make([]byte, size)
			b.SetBytes(benchFile)
			for b.Loop() {
				discard(b, buf, []string{"cat", path})
			}
		})
	}
}

// BenchmarkRead reads the same file without a pipeline.
func BenchmarkRead(b *testing.B) {
	for _, size := range []int{256 << 10, 1 << 20} {
		b.Run(byteSize(size), func(b *testing.B) {
			path := fileInMemory(b)
			buf := make([]byte, size)
			b.SetBytes(benchFile)
			for b.Loop() {
				f, err := os.Open(path)
				if err != nil {
					b.Fatal(err)
				}
				copyAll(b, f, buf)
				f.Close()
			}
		})
	}
}

const benchFile = 256 << 20 // bytes

func byteSize(n int) string {
	return map[int]string{256 << 10: "256KiB", 1 << 20: "1MiB"}[n]
}

func fileInMemory(b *testing.B) string {
	dir, err := os.MkdirTemp("/dev/shm", "proc-bench-")
	if err != nil {
		b.Skip("needs /dev/shm: ", err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "data")
	if err := os.WriteFile(path, make([]byte, benchFile), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

func discard(b *testing.B, buf []byte, argvs ...[]string) {
	p, err := proc.Start(b.Context(), commands(argvs...), proc.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	if buf == nil {
		buf = make([]byte, 4096)
	}
	copyAll(b, p, buf)
}

func copyAll(b *testing.B, r io.Reader, buf []byte) {
	for {
		_, err := r.Read(buf)
		if err == io.EOF {
			return
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
