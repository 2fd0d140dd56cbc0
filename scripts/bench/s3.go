package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// The goals are held against versitygw v1.8.0, minio v0.0.0-20260212201848,
// aws-cli 1.45.11, rclone v1.76.0, s5cmd v2.3.0 and mc v0.0.0-20250313080218. The
// servers are reached without TLS: palhm then hashes what it sends to sign it.
const (
	streamGiB = 2
	smallMany = 1000 // small objects
	smallFew  = 30   // of them are stored one by one, and the rest is extrapolated
	longGiB   = 81   // more than 10,000 parts of 8 MiB hold
)

// s3Bench compares palhm with other clients of S3.
type s3Bench struct {
	palhm   string
	scratch string // what is sent lies here, and what the servers keep
	tools   string // programs are looked for here, then in PATH; "" = only in PATH
	rounds  int
	match   *regexp.Regexp // of the names of cases
}

func (b s3Bench) run() error {
	for _, server := range []string{"versitygw", "minio"} {
		if err := b.compare(server); err != nil {
			return fmt.Errorf("%s: %w", server, err)
		}
	}
	return b.long()
}

// compare runs the cases that need a real server.
func (b s3Bench) compare(name string) error {
	stream := fmt.Sprintf("stream of %d GiB to %s", streamGiB, name)
	small := fmt.Sprintf("%d small objects to %s", smallMany, name)
	if !b.match.MatchString(stream) && !b.match.MatchString(small) {
		return nil
	}
	srv, err := b.serve(name)
	if errors.Is(err, exec.ErrNotFound) {
		fmt.Printf("\n%s is missing and left out\n", name)
		return nil
	}
	if err != nil {
		return err
	}
	defer srv.stop()
	if b.match.MatchString(stream) {
		if err := b.stream(stream, srv); err != nil {
			return err
		}
	}
	if b.match.MatchString(small) {
		return b.small(small, srv)
	}
	return nil
}

// look finds a program; "" = it is not there.
func (b s3Bench) look(name string) string {
	if b.tools != "" {
		if path, err := exec.LookPath(filepath.Join(b.tools, name)); err == nil {
			return path
		}
	}
	path, _ := exec.LookPath(name)
	return path
}

// client is a way to store a stream as an object.
type client struct {
	name  string
	cmd   func() *exec.Cmd
	taken []figures
}

// clients are palhm, which comes first, and those of the others that are there.
func (b s3Bench) clients(srv *server, data string) []*client {
	site := fmt.Sprintf(`backup("t", aws_s3("bucket", "bench", endpoint = %q, nb_copy_limit = 1), objects = [object("stream", exec("cat", %q))])`, srv.url, data)
	list := []*client{{name: "palhm", cmd: func() *exec.Cmd { return b.backup(srv, site) }}}
	for _, argv := range [][]string{
		{"aws", "--endpoint-url", srv.url, "s3", "cp", "-", "s3://bucket/stream"},
		{"rclone", "--config", "/dev/null", "rcat", "server:bucket/stream"},
		{"s5cmd", "--endpoint-url", srv.url, "pipe", "s3://bucket/stream"},
		{"mc", "--config-dir", filepath.Join(b.scratch, "mc"), "--quiet", "pipe", "server/bucket/stream"},
	} {
		path := b.look(argv[0])
		if path == "" {
			fmt.Printf("\n%s is missing and left out\n", argv[0])
			continue
		}
		script := append([]string{"-c", `set -o pipefail; cat "$0" | "$@"`, data, path}, argv[1:]...)
		list = append(list, &client{name: argv[0], cmd: func() *exec.Cmd { return srv.command("bash", script...) }})
	}
	return list
}

// backup is a run of palhm on a site with the task "t".
func (b s3Bench) backup(srv *server, site string) *exec.Cmd {
	file := filepath.Join(b.scratch, "site.star")
	if err := os.WriteFile(file, []byte(site), 0o644); err != nil {
		panic(err) // the scratch directory is ours
	}
	cmd := srv.command(b.palhm, "run", "-q", file, "t")
	cmd.Env = append(cmd.Env, "STATE_DIRECTORY="+filepath.Join(b.scratch, "state"))
	return cmd
}

func (b s3Bench) stream(name string, srv *server) error {
	data := filepath.Join(b.scratch, "data")
	if err := exec.Command("bash", "-c", fmt.Sprintf("head -c %dG /dev/urandom >%s", streamGiB, data)).Run(); err != nil {
		return err
	}
	defer os.Remove(data)
	list := b.clients(srv, data)
	for i := range b.rounds {
		for j := range list { // another one begins each round
			c := list[(i+j)%len(list)]
			f, err := srv.measure(c.cmd(), streamGiB<<30)
			if err != nil {
				return err
			}
			c.taken = append(c.taken, f)
		}
	}
	fmt.Printf("\n%s (at least as fast as the best; at most 2.0 s CPU a GiB, besides what cat takes, which is counted here for all; at most 24 MiB + 3 parts of 8 MiB)\n", name)
	for _, c := range list {
		c.print(list[0], streamGiB)
	}
	if len(list) > 1 {
		fmt.Printf("  palhm's wall by that of the fastest other: %s\n", spread(againstBest(list), "%.2f"))
	}
	return nil
}

// print compares what c took for so many GiB with what palhm took, round by round.
func (c *client) print(palhm *client, gib float64) {
	ratios := make([]float64, len(c.taken))
	for i := range c.taken {
		ratios[i] = palhm.taken[i].wall.Seconds() / c.taken[i].wall.Seconds()
	}
	fmt.Printf("  %-7s wall %s s   CPU %s s/GiB   peak %s MiB   palhm's wall by this %s\n", c.name,
		spread(each(c.taken, func(f figures) float64 { return f.wall.Seconds() }), "%.2f"),
		spread(each(c.taken, func(f figures) float64 { return f.cpu.Seconds() / gib }), "%.2f"),
		spread(each(c.taken, mebibytes), "%.0f"), spread(ratios, "%.2f"))
}

func mebibytes(f figures) float64 { return float64(f.rss) / (1 << 20) }

// againstBest is palhm's wall time by that of the fastest other, round by round.
func againstBest(list []*client) []float64 {
	out := make([]float64, len(list[0].taken))
	for i := range out {
		walls := make([]float64, len(list))
		for j, c := range list {
			walls[j] = c.taken[i].wall.Seconds()
		}
		out[i] = walls[0] / slices.Min(walls[1:])
	}
	return out
}

// small stores many small objects in one backup, and some of them one by one.
func (b s3Bench) small(name string, srv *server) error {
	aws := b.look("aws")
	if aws == "" {
		fmt.Printf("\n%s: aws is missing\n", name)
		return nil
	}
	file := filepath.Join(b.scratch, "small")
	if err := os.WriteFile(file, []byte(strings.Repeat("palhm\n", 700)), 0o644); err != nil {
		return err
	}
	site := fmt.Sprintf(`backup("t", aws_s3("bucket", "bench", endpoint = %q, nb_copy_limit = 1),
    objects = [object("o%%d" %% i, exec("cat", %q)) for i in range(%d)])`, srv.url, file, smallMany)
	one := fmt.Sprintf(`set -e; for ((i = 0; i < %d; i++)); do "$0" --endpoint-url "$1" s3 cp --quiet "$2" s3://bucket/o$i; done`, smallFew)
	var ours, theirs []figures
	for range b.rounds {
		f, err := srv.measure(b.backup(srv, site), smallMany*4200)
		if err != nil {
			return err
		}
		g, err := srv.measure(srv.command("bash", "-c", one, aws, srv.url, file), smallFew*4200)
		if err != nil {
			return err
		}
		ours, theirs = append(ours, f), append(theirs, g)
	}
	printSmall(name, ours, theirs)
	return nil
}

func printSmall(name string, ours, theirs []figures) {
	fmt.Printf("\n%s (at least 20 times as fast as one aws s3 cp each)\n", name)
	faster, cheaper := make([]float64, len(ours)), make([]float64, len(ours))
	for i := range ours {
		faster[i] = theirs[i].wall.Seconds() * smallMany / smallFew / ours[i].wall.Seconds()
		cheaper[i] = theirs[i].cpu.Seconds() * smallMany / smallFew / ours[i].cpu.Seconds()
	}
	seconds := func(f figures) float64 { return f.wall.Seconds() }
	fmt.Printf("  palhm, %d     wall %s s   peak %s MiB\n", smallMany, spread(each(ours, seconds), "%.2f"), spread(each(ours, mebibytes), "%.0f"))
	fmt.Printf("  aws s3 cp, %d   wall %s s   peak %s MiB\n", smallFew, spread(each(theirs, seconds), "%.2f"), spread(each(theirs, mebibytes), "%.0f"))
	fmt.Printf("  extrapolated to %d: palhm is %s times as fast, with 1/%s of the CPU\n", smallMany, spread(faster, "%.0f"), spread(cheaper, "%.0f"))
}

// long sends once what 10,000 parts of 8 MiB do not hold.
func (b s3Bench) long() error {
	name := fmt.Sprintf("stream of %d GiB that is discarded", longGiB)
	if !b.match.MatchString(name) {
		return nil
	}
	sink, err := newSink()
	if err != nil {
		return err
	}
	defer sink.close()
	site := fmt.Sprintf(`backup("t", aws_s3("bucket", "bench", endpoint = %q, nb_copy_limit = 1), objects = [object("zeros", exec("head", "-c", "%dG", "/dev/zero"))])`, sink.url, longGiB)
	f, err := timed(b.backup(&server{url: sink.url}, site))
	if err != nil {
		return err
	}
	parts, largest, total := sink.seen()
	if total != longGiB<<30 {
		return fmt.Errorf("%s: got %d bytes in the object, want %d", name, total, int64(longGiB<<30))
	}
	fmt.Printf("\n%s (at most 24 MiB + 3 of the largest parts)\n  wall %.0f s, %.0f MiB/s, CPU %.2f s/GiB, peak %.0f MiB, %d parts, the largest of %d MiB\n",
		name, f.wall.Seconds(), (longGiB<<10)/f.wall.Seconds(), f.cpu.Seconds()/longGiB, mebibytes(f), parts, largest>>20)
	return nil
}
