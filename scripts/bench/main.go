// Command bench measures palhm against the bare shell, as ratios taken in one run:
//
//	go run ./scripts/bench [-pairs N] [-only REGEXP] [-data DIR] [-dir DIR]
//
// and against other clients of S3, on servers that it starts on the loopback:
//
//	go run ./scripts/bench -s3 [-pairs N] [-only REGEXP] [-tools DIR] [-dir /dev/shm]
//
// Each case runs palhm and the others in turn and prints the median of each figure,
// with its spread, and the median of the ratios turn by turn. CPU is user and
// system time of the whole process tree.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	pairs := flag.Int("pairs", 9, "interleaved pairs of each case")
	only := flag.String("only", "", "run the cases whose name matches this regular expression")
	data := flag.String("data", "/usr/lib", "directory that the tar case reads; at least 2 GB")
	dir := flag.String("dir", ".", "make the scratch directory here; its disk is measured")
	s3 := flag.Bool("s3", false, "measure aws_s3 against other clients, those that are there")
	tools := flag.String("tools", "", "with -s3, look for the servers and clients here, then in PATH")
	flag.Parse()
	if err := run(*pairs, *only, *data, *dir, *s3, *tools); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(pairs int, only, data, dir string, s3 bool, tools string) error {
	match, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(dir, "palhm-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	palhm := filepath.Join(scratch, "palhm")
	build := exec.Command("go", "build", "-trimpath", "-o", palhm, "./cmd/palhm")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build palhm: %w", err)
	}
	fmt.Printf("%d CPUs, %s, %d pairs\n", runtime.NumCPU(), runtime.Version(), pairs)
	if s3 {
		return s3Bench{palhm, scratch, tools, pairs, match}.run()
	}
	for _, c := range cases(scratch, data) {
		if match.MatchString(c.name) {
			if err := c.run(palhm, scratch, pairs); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	return nil
}

// bench is one comparison.
type bench struct {
	name  string
	goal  string
	site  string   // text of the site file
	args  []string // of palhm, before the site and the task "t"; nil = run
	shell string   // a script for bash; "" = nothing to compare with
	pairs int      // at most this many; 0 = as many as asked
	setup func() error
}

func cases(scratch, data string) []bench {
	out := filepath.Join(scratch, "out")
	local := fmt.Sprintf("localfs(%q, nb_copy_limit = 1)", filepath.Join(scratch, "root"))
	tarArgs := []string{"-C", filepath.Dir(data), "-cf", "-", filepath.Base(data)}
	zero := filepath.Join(scratch, "4g")
	return []bench{
		{
			name:  "one trivial null object",
			goal:  "wall at most 2 times the shell's plus 10 ms; at most 30 MB",
			site:  `backup("t", null(), objects = [object("a", exec("true"))])`,
			shell: `exec sh -c 'true | cat >/dev/null'`,
			pairs: 101,
		},
		{
			name: "10,000 null objects",
			goal: "CPU at most 1.2 times the shell's; at most 100 MB",
			site: `settings(nb_workers = 2)
backup("t", null(), objects = [object("o%d" % i, exec("/bin/true")) for i in range(10000)])`,
			shell: `f() { for ((i = 0; i < 5000; i++)); do /bin/true; done; }; f & f & wait`,
			pairs: 5,
		},
		{
			name: "load a site of 10,000 objects",
			goal: "at most 0.5 s CPU",
			site: longSite(),
			args: []string{"check"},
		},
		{
			name: "tar | zstd -T0 to localfs",
			goal: "wall at most 1.03, CPU at most 1.08",
			site: fmt.Sprintf(`backup("t", %s, objects = [object("a", exec("tar", %s, ec = "<2") | exec("zstd", "-qT0"))])`,
				local, quoted(tarArgs)),
			shell: fmt.Sprintf("set -o pipefail; tar %s | zstd -qT0 >%s; sync %s", strings.Join(tarArgs, " "), out, out),
		},
		{
			name:  "cat of 4 GiB to localfs",
			goal:  "stated only",
			site:  fmt.Sprintf(`backup("t", %s, objects = [object("a", exec("cat", %q))])`, local, zero),
			shell: fmt.Sprintf("cat %s >%s; sync %s", zero, out, out),
			pairs: 5,
			setup: func() error {
				return exec.Command("bash", "-c", "head -c 4G /dev/urandom >"+zero).Run()
			},
		},
	}
}

// longSite declares 10,000 objects on a line each, as a generated site would.
func longSite() string {
	var b strings.Builder
	b.WriteString("backup(\"t\", null(), objects = [\n")
	for i := range 10000 {
		fmt.Fprintf(&b, "    object(\"dir%d/object-%d\", exec(\"/bin/cat\", \"/etc/file-%d\")),\n", i%100, i, i)
	}
	b.WriteString("])\n")
	return b.String()
}

func quoted(args []string) string {
	q := make([]string, len(args))
	for i, a := range args {
		q[i] = fmt.Sprintf("%q", a)
	}
	return strings.Join(q, ", ")
}

func (c bench) run(palhm, scratch string, pairs int) error {
	if c.pairs > 0 && (pairs > c.pairs || c.pairs > 9) {
		pairs = c.pairs
	}
	site := filepath.Join(scratch, "site.star")
	if err := os.WriteFile(site, []byte(c.site), 0o644); err != nil {
		return err
	}
	if c.setup != nil {
		if err := c.setup(); err != nil {
			return err
		}
	}
	ours := append([]string{palhm}, "run", "-q", site, "t")
	if c.args != nil {
		ours = append(append([]string{palhm}, c.args...), site)
	}
	var a, b []figures
	for i := -1; i < pairs; i++ { // the first pair warms caches up
		fa, err := measure(scratch, ours)
		if err != nil {
			return err
		}
		var fb figures
		if c.shell != "" {
			if fb, err = measure(scratch, []string{"bash", "-c", c.shell}); err != nil {
				return err
			}
		}
		if i >= 0 {
			a, b = append(a, fa), append(b, fb)
		}
	}
	c.print(a, b)
	return nil
}

// figures are what one run of a command took.
type figures struct {
	wall, cpu time.Duration
	rss       int64 // bytes, of the largest process
}

func measure(scratch string, argv []string) (figures, error) {
	defer func() {
		os.RemoveAll(filepath.Join(scratch, "root"))
		os.Remove(filepath.Join(scratch, "out"))
		syscall.Sync()
	}()
	return timed(exec.Command(argv[0], argv[1:]...))
}

// timed runs a command that must succeed.
func timed(cmd *exec.Cmd) (figures, error) {
	cmd.Stderr = os.Stderr
	begin := time.Now()
	err := cmd.Run()
	wall := time.Since(begin)
	if err != nil {
		return figures{}, fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return figures{wall, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), usage.Maxrss << 10}, nil
}

func (c bench) print(a, b []figures) {
	fmt.Printf("\n%s (%s)\n", c.name, c.goal)
	for _, f := range []struct {
		name string
		of   func(figures) float64
		unit string
	}{
		{"wall", func(f figures) float64 { return f.wall.Seconds() * 1000 }, "ms"},
		{"CPU", func(f figures) float64 { return f.cpu.Seconds() * 1000 }, "ms"},
		{"peak", func(f figures) float64 { return float64(f.rss) / 1e6 }, "MB"},
	} {
		x := each(a, f.of)
		fmt.Printf("  %-5s palhm %s %s", f.name, spread(x, "%.1f"), f.unit)
		if c.shell != "" {
			y := each(b, f.of)
			ratios := make([]float64, len(x))
			for i := range x {
				ratios[i] = x[i] / y[i]
			}
			fmt.Printf("   shell %s %s   ratio %s", spread(y, "%.1f"), f.unit, spread(ratios, "%.3f"))
		}
		fmt.Println()
	}
}

func each(list []figures, of func(figures) float64) []float64 {
	out := make([]float64, len(list))
	for i, f := range list {
		out[i] = of(f)
	}
	return out
}

// spread gives the median, and the least and the greatest value.
func spread(x []float64, format string) string {
	s := slices.Sorted(slices.Values(x))
	median := (s[(len(s)-1)/2] + s[len(s)/2]) / 2
	return fmt.Sprintf(format+" ("+format+"-"+format+")", median, s[0], s[len(s)-1])
}
