package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"palhm/runtime/plan"
	"palhm/starlib"
)

// starlibConfig is what a site may know of this host.
func (a *app) starlibConfig() (starlib.Config, error) {
	dir, err := os.Getwd()
	if err != nil {
		return starlib.Config{}, fmt.Errorf("find the current directory: %w", err)
	}
	name, err := os.Hostname()
	if err != nil {
		return starlib.Config{}, fmt.Errorf("find the name of this host: %w", err)
	}
	return starlib.Config{
		Dir:       dir,
		LookupEnv: os.LookupEnv,
		Host:      starlib.Host{Name: name, Arch: machine(), CPUs: runtime.NumCPU(), OS: osRelease()},
		Print:     func(pos plan.Pos, msg string) { a.log.Info(pos.String() + ": " + msg) },
	}, nil
}

// machine is what "uname -m" prints.
func machine() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return runtime.GOARCH
	}
	return unix.ByteSliceToString(u.Machine[:])
}

// osRelease returns the fields of os-release(5) with names in lower case. A host
// without the file has none.
func osRelease() map[string]string {
	for _, file := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		if data, err := os.ReadFile(file); err == nil {
			return parseOSRelease(string(data))
		}
	}
	return map[string]string{}
}

func parseOSRelease(text string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && !strings.HasPrefix(name, "#") {
			fields[strings.ToLower(name)] = unquote(value)
		}
	}
	return fields
}

// unquote removes the shell's quotes, and the backslashes that it takes away
// between double quotes.
func unquote(s string) string {
	if len(s) < 2 || s[0] != s[len(s)-1] {
		return s
	}
	switch inner := s[1 : len(s)-1]; s[0] {
	case '\'':
		return inner
	case '"':
		return strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\$`, `$`, "\\`", "`").Replace(inner)
	}
	return s
}
