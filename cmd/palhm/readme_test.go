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

// Every command line in the README's blocks of shell does what it says: it ends with
// 0, in a copy of what a clone holds, so that the clone stays as it is, on a host whose
// site is the one that is shipped; and it does so a second time, which is how often a
// newcomer tries it.
func TestReadmeCommands(t *testing.T) {
	commands := readmeBlocks(readme(t), "sh")
	if len(commands) == 0 {
		t.Fatal("README.md has no command line in a block of sh")
	}
	dir := t.TempDir()
	copyClone(t, dir)
	shell := "bash" // the newcomer's, and stricter than some sh
	if _, err := exec.LookPath(shell); err != nil {
		shell = "sh"
	}
	for range 2 {
		for _, line := range commands {
			script := readmeScript(line)
			cmd := exec.Command(shell, "-ec", script)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "PALHM_SITE="+filepath.Join(dir, "scripts", "site.star"), "GOBIN="+filepath.Join(dir, "bin"))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", line, err, out)
			}
		}
	}
}

// copyClone copies the sources of palhm, and what a clone has for its users.
func copyClone(t *testing.T, dir string) {
	t.Helper()
	for _, name := range []string{"cmd", "starlib", "runtime", "backends", "scripts"} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join("../..", name))); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join("../..", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// readmeScript is a line of the README as a test can run it.
func readmeScript(line string) string {
	switch {
	case line == "./scripts/test":
		return "test -x scripts/test" // it is what runs the tests
	case strings.HasPrefix(line, "systemd-run "):
		// That a read-only system and a user without rights are enough is tested elsewhere.
		_, line, _ = strings.Cut(line, " --wait ")
	}
	return line
}

// The site that the README shows can be loaded, with what goes on from it; and every
// other block can be loaded alone, as a reader would copy it.
func TestReadmeSites(t *testing.T) {
	blocks := readmePython(readme(t))
	if len(blocks) < 2 {
		t.Fatalf("README.md has %d blocks of python, want some", len(blocks))
	}
	whole := blocks[0].text
	for _, b := range blocks[1:] {
		if strings.Contains(b.before, "the site above") {
			whole += b.text
			continue
		}
		if out, err := loadReadme(t, b.text); err != nil {
			t.Errorf("the block behind %q does not load alone: %v\n%s", b.before, err, out)
		}
	}
	out, err := loadReadme(t, whole)
	if err != nil || !strings.Contains(out, "root.tar.zst") || !strings.Contains(out, "offsite") {
		t.Errorf("the site and what goes on from it: %v\n%s", err, out)
	}
}

// loadReadme loads a text as a site, and prints its plan.
func loadReadme(t *testing.T, text string) (string, error) {
	t.Helper()
	site := filepath.Join(t.TempDir(), "site.star")
	if err := os.WriteFile(site, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("palhm", "plan", "--json", site).CombinedOutput()
	return string(out), err
}

// readmeBlock is a block of code, and the line of text in front of it.
type readmeBlock struct{ before, text string }

// readmePython returns the blocks of python.
func readmePython(text string) (blocks []readmeBlock) {
	before, inside := "", false
	for line := range strings.Lines(text) {
		switch {
		case line == "```python\n":
			inside = true
			blocks = append(blocks, readmeBlock{before: before})
		case line == "```\n":
			inside = false
		case inside:
			blocks[len(blocks)-1].text += line
		case line != "\n":
			before = strings.TrimSpace(line)
		}
	}
	return blocks
}

func readme(t *testing.T) string {
	text, err := os.ReadFile("../../README.md")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("needs README.md")
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// readmeBlocks returns the lines of the blocks in a language, without those that are
// empty or a comment.
func readmeBlocks(text, language string) []string {
	var lines []string
	inside := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "```"):
			inside = !inside && line == "```"+language
		case inside && line != "" && line[0] != '#':
			lines = append(lines, line)
		}
	}
	return lines
}

func TestReadmeBlocksAreFound(t *testing.T) {
	text := "palhm no\n```sh\n# first\ngo run ./cmd/palhm run scripts/site.star backup\n\nls\n```\n```python\nx = 1\n```\n```\npalhm no\n```\n"
	got := readmeBlocks(text, "sh")
	if strings.Join(got, "|") != "go run ./cmd/palhm run scripts/site.star backup|ls" {
		t.Errorf("got %q", got)
	}
	if script := readmeScript(got[0]); script != got[0] {
		t.Errorf("got %q, want the line as it stands", script)
	}
}
