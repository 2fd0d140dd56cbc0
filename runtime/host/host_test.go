package host_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"palhm/runtime/host"
)

func TestProcesses(t *testing.T) {
	me, ok := host.FindProcess(os.Getpid())
	if !ok || me.Start == 0 || me.Start <= host.ProcessStart(1) || !me.Alive {
		t.Errorf("this process: got %+v, and %d for the first one", me, host.ProcessStart(1))
	}
	if p, ok := host.FindProcess(-1); ok {
		t.Errorf("no such process: got %+v", p)
	}
	ended := exec.Command("true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		what  string
		pid   int
		start uint64
		gone  bool
	}{
		{"this process", me.PID, me.Start, false},
		{"this process, and its start is not known", me.PID, 0, false},
		{"its number is another's now", me.PID, me.Start + 1, true},
		{"one that has ended", ended.Process.Pid, 0, true},
	} {
		if host.IsGone(test.pid, test.start) != test.gone {
			t.Errorf("%s: got gone = %v", test.what, !test.gone)
		}
	}
}

func TestBootID(t *testing.T) {
	id, err := host.BootID("")
	if err != nil || len(id) != 36 {
		t.Errorf("got %q, %v", id, err)
	}
	if id, err := host.BootID(t.TempDir()); err == nil {
		t.Errorf("without /proc: got %q", id)
	}
}

func TestStateDir(t *testing.T) {
	for _, tc := range []struct {
		env  map[string]string
		root bool
		want string // "" = an error
	}{
		{map[string]string{"STATE_DIRECTORY": "/s", "HOME": "/h"}, true, "/s"},
		{map[string]string{"STATE_DIRECTORY": "/s:/t"}, false, "/s"},
		{map[string]string{"HOME": "/root", "XDG_STATE_HOME": "/x"}, true, "/var/lib/palhm"},
		{map[string]string{"HOME": "/h", "XDG_STATE_HOME": "/x"}, false, "/x/palhm"},
		{map[string]string{"HOME": "/h", "XDG_STATE_HOME": "x"}, false, "/h/.local/state/palhm"},
		{map[string]string{"STATE_DIRECTORY": "s"}, true, ""},
		{nil, false, ""},
	} {
		got, err := host.StateDir(func(name string) (string, bool) { v, ok := tc.env[name]; return v, ok }, tc.root)
		if got != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%v, root %v: got %q, %v, want %q", tc.env, tc.root, got, err, tc.want)
		}
	}
}

func TestFindProgram(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"bin/tool": 0o755, "bin/data": 0o644, "tool": 0o755} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name, dir, path string // path: "-" = there is none
		want, err       string
	}{
		{"tool", dir, "bin", "bin/tool", ""},
		{"tool", dir, "", "./tool", ""},
		{"tool", dir, "/nowhere::bin", "./tool", ""},
		{"tool", "", dir + "/bin", dir + "/bin/tool", ""},
		{"./bin/tool", dir, "", "./bin/tool", ""},
		{"sh", dir, "-", "/bin/sh", ""},
		{"sh", dir, "bin", "", `"sh" not found in PATH=bin`},
		{"data", dir, "bin", "", "not executable"},
		{"/no/tool", dir, "bin", "", "no such file"},
		{dir + "/bin", dir, "bin", "", "is a directory"},
		{"tool", dir + "/none", "bin", "", "working directory"},
		{"tool", dir + "/tool", "bin", "", "working directory"},
		{"", dir, "bin", "", "no program"},
	} {
		environ := []string{"HOME=/", "PATH=" + test.path}
		if test.path == "-" {
			environ = environ[:1]
		}
		got, err := host.FindProgram(test.name, test.dir, environ)
		if test.err == "" && (got != test.want || err != nil) || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
			t.Errorf("%+v: got %q, %v", test, got, err)
		}
	}
	if _, err := host.FindProgram("sh", "", []string{"PATH=/nowhere"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want one that is fs.ErrNotExist", err)
	}
}
