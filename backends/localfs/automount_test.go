package localfs_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"palhm/backends"
)

// TestAutomount: whatever is done first after the automounter has unmounted an idle
// disk mounts it again.
func TestAutomount(t *testing.T) {
	point := t.TempDir()
	disk := t.TempDir()
	automount(t, point, disk)
	for _, root := range []string{point, filepath.Join(point, "host")} {
		o := options(root)
		o.RequireMount = true
		s := newStoreWith(t, o)
		for name, do := range map[string]func() error{
			"find": func() error { return s.Find(t.Context()) },
			"list": func() error { _, err := s.List(t.Context()); return err },
			"lock": func() error {
				release, err := s.Lock(t.Context(), backends.Owner{}, 0)
				if err == nil {
					err = release()
				}
				return err
			},
			"recover": func() error { return s.Recover(t.Context()) },
			"remove":  func() error { return s.Remove(t.Context(), copy2) },
			"copy":    func() error { return makeCopy(t.Context(), s, copy1, "a", "x") },
		} {
			if err := os.MkdirAll(filepath.Join(disk, filepath.Base(root)), 0o700); err != nil { // for point/host
				t.Fatal(err)
			}
			if err := do(); err != nil {
				t.Errorf("%s in %s: %v", name, root, err)
			}
			unmount(t, point)
		}
		if _, err := os.Stat(filepath.Join(disk, root[len(point):], copy1, "a")); err != nil {
			t.Errorf("the copy is not on the disk: %v", err)
		}
	}
}

// TestAutomountFails: a disk that the automounter does not find is no disk.
func TestAutomountFails(t *testing.T) {
	point := t.TempDir()
	automount(t, point, "")
	for _, root := range []string{point, filepath.Join(point, "host")} {
		o := options(root)
		o.RequireMount = true
		s := newStoreWith(t, o)
		_, listErr := s.List(t.Context())
		_, beginErr := s.Begin(t.Context(), copy1)
		for _, err := range []error{listErr, beginErr, s.Find(t.Context())} {
			wantError(t, err, point)
		}
	}
}

// automount lets another process mount disk on point whenever somebody goes there.
func automount(t *testing.T, point, disk string) {
	t.Helper()
	cmd := childCommand(t, "automount", point, disk)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // its own way leads past the automount point
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	cmd.Cancel = func() error { return os.ErrProcessDone } // it has to unmount first
	line, _ := bufio.NewReader(stdout).ReadString('\n')
	t.Cleanup(func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil && line == "ready\n" {
			t.Errorf("the automounter: %v", err)
		}
	})
	if line != "ready\n" {
		t.Skip("needs root, and autofs in the kernel")
	}
}

// unmount is what an automounter does when its disk was idle.
func unmount(t *testing.T, point string) {
	t.Helper()
	if err := unix.Unmount(point, 0); err != nil {
		t.Fatalf("unmount %s: %v", point, err)
	}
}

// childAutomount mounts a directory on a direct automount point (autofs(5)) on demand
// until its stdin ends. "" is a disk that is not there.
func childAutomount(args []string) error {
	point, disk := args[0], args[1]
	var wakes [2]int
	if err := unix.Pipe2(wakes[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	options := fmt.Sprintf("fd=%d,pgrp=%d,minproto=5,maxproto=5,direct", wakes[1], unix.Getpgrp())
	if err := unix.Mount("palhm-test", point, "autofs", 0, options); err != nil {
		return err
	}
	root, err := unix.Open(point, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	go func() {
		io.Copy(io.Discard, os.Stdin) //nolint:errcheck
		unix.Close(root)
		for unix.Unmount(point, unix.MNT_DETACH) == nil { // the disk, then the automount point
		}
		os.Exit(0)
	}()
	fmt.Println("ready")
	packet := make([]byte, 1024) // autofs_v5_packet of linux/auto_fs4.h
	for {
		if n, err := unix.Read(wakes[0], packet); err != nil || n < 12 {
			return fmt.Errorf("read a request: %d bytes, %w", n, err)
		}
		token := binary.NativeEndian.Uint32(packet[8:])
		const ready, fail = 0x9360, 0x9361 // AUTOFS_IOC_READY, AUTOFS_IOC_FAIL
		answer := uint(fail)
		if disk != "" && unix.Mount(disk, point, "", unix.MS_BIND, "") == nil {
			answer = ready
		}
		if err := unix.IoctlSetInt(root, answer, int(token)); err != nil {
			return fmt.Errorf("answer the request: %w", err)
		}
	}
}
