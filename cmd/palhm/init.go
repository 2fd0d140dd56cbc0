package main

import (
	"os"
	"os/signal"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// runBelowInit does the work of palhm in a child when palhm is process 1, as in a
// container, and returns the child's exit code. Process 1 inherits each process whose
// parent has ended, and one that it does not wait for stays a zombie for ever
// (pid_namespaces(7)). Package proc waits for its own processes by number; a wait for any
// process beside it would take their exit codes away. done is false when this process has
// to do the work itself.
func runBelowInit() (code int, done bool) {
	if os.Getpid() != 1 {
		return 0, false
	}
	ignored := slices.DeleteFunc([]os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT}, func(s os.Signal) bool {
		return !signal.Ignored(s) // before palhm was started, as by nohup(1)
	})
	received := make(chan os.Signal, 64)
	signal.Notify(received)
	for _, s := range ignored {
		signal.Ignore(s)
	}
	child, err := os.StartProcess("/proc/self/exe", os.Args, &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
		Sys:   ownGroup(),
	})
	if err != nil {
		signal.Stop(received)
		return 0, false
	}
	go forward(received, child.Pid)
	return reap(child.Pid), true
}

// ownGroup makes the child the leader of a process group, in front of the terminal if
// there is one: ^C would reach it twice otherwise, and the second signal hurries.
func ownGroup() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if front, err := unix.IoctlGetInt(0, unix.TIOCGPGRP); err == nil && front == unix.Getpgrp() {
		attr.Foreground, attr.Ctty = true, 0
	}
	return attr
}

// forward hands on what others have sent. SIGURG is the Go runtime's own.
func forward(received <-chan os.Signal, pid int) {
	for s := range received {
		if s != syscall.SIGCHLD && s != syscall.SIGURG && s != syscall.SIGPIPE {
			_ = syscall.Kill(pid, s.(syscall.Signal))
		}
	}
}

// reap waits for whatever ends until the child has, and returns its exit code.
func reap(pid int) int {
	for {
		var status syscall.WaitStatus
		ended, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil: // cannot be: there is the child
			return 1
		case ended == pid && status.Signaled():
			return 128 + int(status.Signal())
		case ended == pid:
			return status.ExitStatus()
		}
	}
}
