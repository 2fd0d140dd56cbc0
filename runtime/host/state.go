package host

import (
	"errors"
	"path/filepath"
	"strings"
)

// StateDir is where palhm keeps what outlives a run: the first of $STATE_DIRECTORY, a
// list with colons that systemd sets (systemd.exec(5)), else /var/lib/palhm for root,
// else the user's own state directory (XDG Base Directory Specification). lookup reads
// palhm's environment. The directory need not exist.
func StateDir(lookup func(string) (string, bool), root bool) (string, error) {
	env := func(name string) string { v, _ := lookup(name); return v }
	state, _, _ := strings.Cut(env("STATE_DIRECTORY"), ":")
	if state == "" && root {
		state = "/var/lib/palhm"
	}
	if state == "" && filepath.IsAbs(env("XDG_STATE_HOME")) {
		state = filepath.Join(env("XDG_STATE_HOME"), "palhm")
	}
	if state == "" && filepath.IsAbs(env("HOME")) {
		state = filepath.Join(env("HOME"), ".local", "state", "palhm")
	}
	if !filepath.IsAbs(state) {
		return "", errors.New("there is no state directory: set STATE_DIRECTORY, XDG_STATE_HOME or HOME to an absolute path")
	}
	return state, nil
}
