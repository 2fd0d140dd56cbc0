package proc_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

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

// BenchmarkCPUOfTrue compares the CPU time of 1,000 pipelines of /bin/true, two at a
// time, with that of a shell which does the same. Children are counted.
func BenchmarkCPUOfTrue(b *testing.B) {
	const n = 500 // for each of two
	for _, shell := range []string{"bash", "dash"} {
		b.Run(shell, func(b *testing.B) {
			script := fmt.Sprintf("f() { i=0; while [ $i -lt %d ]; do /bin/true; i=$((i+1)); done; }; f & f & wait", n)
			var ours, theirs time.Duration
			for b.Loop() {
				begin := cpuTime(b)
				var wg sync.WaitGroup
				for range 2 {
					wg.Go(func() {
						for range n {
							discard(b, nil, []string{"/bin/true"})
						}
					})
				}
				wg.Wait()
				middle := cpuTime(b)
				if err := exec.Command(shell, "-c", script).Run(); err != nil {
					b.Skip("needs ", shell, ": ", err)
				}
				ours += middle - begin
				theirs += cpuTime(b) - middle
			}
			b.ReportMetric(float64(ours)/float64(theirs), "ratio")
			b.ReportMetric(float64(ours.Microseconds())/float64(2*n*b.N), "µs-CPU/pipeline")
		})
	}
}

// cpuTime is the user and system time of this process and the children it has
// waited for.
func cpuTime(b *testing.B) time.Duration {
	var sum time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			b.Fatal(err)
		}
		sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return sum
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
