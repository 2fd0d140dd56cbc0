package localfs_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"palhm/backends"
	"palhm/backends/localfs"
	"palhm/runtime/plan"
)

// child is the test binary as another process.
func child(name string, args []string) {
	run := map[string]func(args []string) error{
		"readonly":  childReadOnly,
		"lock":      childLock,
		"trace":     childTrace,
		"loop":      childLoop,
		"automount": childAutomount,
	}[name]
	if err := run(args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// childReadOnly removes copies with directories that their owner may not write to.
func childReadOnly(args []string) error {
	if os.Geteuid() == 0 {
		if err := errors.Join(unix.Setresgid(65534, 65534, 65534), unix.Setresuid(65534, 65534, 65534)); err != nil {
			return err
		}
	}
	s, err := localfs.New(localfs.Options{Root: args[0]})
	if err != nil {
		return err
	}
	ctx := context.Background()
	if err := makeCopy(ctx, s, copy1, "d/e/a", "x", "f/b", "x"); err != nil {
		return err
	}
	dir := filepath.Join(args[0], copy1)
	for _, d := range []struct {
		path string
		mode os.FileMode
	}{{"/d/e", 0o555}, {"/d", 0o500}, {"/f", 0}, {"", 0o555}} {
		if err := os.Chmod(dir+d.path, d.mode); err != nil {
			return err
		}
	}
	if err := s.Remove(ctx, copy1); err != nil {
		return err
	}
	left, err := os.ReadDir(args[0] + "/.palhm/trash")
	if len(left) > 0 {
		err = errors.New("something is left in the trash")
	}
	return err
}

// childLock holds the lock of a root until its stdin ends.
func childLock(args []string) error {
	s, err := localfs.New(localfs.Options{Root: args[0]})
	if err != nil {
		return err
	}
	_, err = s.Lock(context.Background(), backends.Owner{PID: os.Getpid(), Host: "host", Task: "child", Since: time.Unix(1, 0).UTC()}, 0)
	if err != nil {
		return err
	}
	fmt.Println("locked")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// childTrace makes one copy under strace, with an object of many blocks, and removes it.
func childTrace(args []string) error {
	s, err := localfs.New(localfs.Options{Root: args[0], BlockSize: 4096})
	if err != nil {
		return err
	}
	err = makeCopy(context.Background(), s, copy1, "one", "1", "d/two", strings.Repeat("2", 100_000), "d/e/three", "", "d/four", "4")
	if err != nil {
		return err
	}
	return s.Remove(context.Background(), copy1)
}

// childLoop makes and removes copies until it is killed. It says what it has done
// and what it is about to do: nothing that it has said may turn out wrong.
func childLoop(args []string) error {
	s, err := localfs.New(localfs.Options{Root: args[0]})
	if err != nil {
		return err
	}
	ctx := context.Background()
	if _, err := s.Lock(ctx, backends.Owner{PID: os.Getpid(), Host: "host"}, 0); err != nil {
		return err
	}
	if err := s.Recover(ctx); err != nil {
		return err
	}
	infos, err := s.List(ctx)
	if err != nil {
		return err
	}
	at := time.Date(2022, 5, 1, 0, 0, 0, 0, time.UTC)
	if n := len(infos); n > 0 {
		at = infos[n-1].Time
	}
	fmt.Println("ready")
	for i := 0; ; i++ {
		at = at.Add(time.Second)
		prefix := backends.FormatPrefix(at, []plan.PrefixFormat{plan.PrefixISO, plan.PrefixCompact}[i%2])
		var objects []string
		for j := range 6 {
			objects = append(objects, fmt.Sprintf("d%d/o%d", j%2, j), strings.Repeat(prefix, 500*j))
		}
		if err := makeCopy(ctx, s, prefix, objects...); err != nil {
			return err
		}
		fmt.Println("committed", prefix)
		infos, err := s.List(ctx)
		if err != nil {
			return err
		}
		for len(infos) > 3 {
			fmt.Println("removing", infos[0].Prefix)
			if err := s.Remove(ctx, infos[0].Prefix); err != nil {
				return err
			}
			infos = infos[1:]
		}
	}
}
