package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Every command line of palhm in the README's blocks of shell does what it says:
// it ends with 0, in a copy of what a clone holds, on a host whose site is the one
// that is shipped.
func TestReadmeCommands(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("needs README.md")
	}
	if err != nil {
		t.Fatal(err)
	}
	commands := readmeCommands(string(text))
	if len(commands) == 0 {
		t.Fatal("README.md has no command line of palhm in a block of sh")
	}
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "scripts"), os.DirFS("../../scripts")); err != nil {
		t.Fatal(err)
	}
	for _, line := range commands {
		cmd := exec.Command("sh", "-ec", line)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "HOME="+dir, "PALHM_SITE="+filepath.Join(dir, "scripts", "site.star"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
	}
}

// readmeCommands returns the lines that call palhm, without prompts and comments.
func readmeCommands(text string) []string {
	var commands []string
	inside := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "```"):
			inside = !inside && (line == "```sh" || line == "```console")
		case inside:
			line = strings.TrimPrefix(line, "$ ")
			line = strings.Replace(line, "go run ./cmd/palhm", "palhm", 1)
			if strings.HasPrefix(line, "palhm ") {
				commands = append(commands, line)
			}
		}
	}
	return commands
}

func TestReadmeCommandsAreFound(t *testing.T) {
	got := readmeCommands("palhm no\n```sh\n# first\n$ go run ./cmd/palhm run scripts/site.star backup\npalhm plan x.star\nls\n```\n```python\npalhm no\n```\n")
	if strings.Join(got, "|") != "palhm run scripts/site.star backup|palhm plan x.star" {
		t.Errorf("got %q", got)
	}
}
