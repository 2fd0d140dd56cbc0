package std_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"palhm/runtime/plan"
	"palhm/runtime/shell"
	"palhm/starlib"
)

// A reply is what a program does in a host that is made up.
type reply struct {
	code           int
	stdout, stderr string
}

// A madeUpHost is the world of a function: its files, and what programs answer. A
// program without an answer fails the function.
type madeUpHost struct {
	plan.Runtime
	files   []string
	texts   map[string]string // of files that are read
	replies map[string]reply  // by command line
	ran     []string
	logged  []string
}

func (h *madeUpHost) Exists(path string) (bool, error) { return slices.Contains(h.files, path), nil }

func (h *madeUpHost) ReadFile(_ context.Context, path string) ([]byte, error) {
	text, there := h.texts[path]
	if !there {
		return nil, fmt.Errorf("read %s: no such file", path)
	}
	return []byte(text), nil
}

func (h *madeUpHost) Args() map[string]any { return nil }

func (h *madeUpHost) Log(_ plan.Pos, _ plan.LogLevel, msg string) { h.logged = append(h.logged, msg) }

func (h *madeUpHost) Grace(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, time.Minute)
}

func (h *madeUpHost) Run(_ context.Context, s plan.Step, _ plan.RunOptions) (*plan.Result, error) {
	if s.Task != nil {
		line := "task " + s.TaskName
		h.ran = append(h.ran, line)
		if r := h.replies[line]; r.code != 0 {
			return &plan.Result{Code: r.code}, fmt.Errorf("%s failed", line)
		}
		return &plan.Result{}, nil
	}
	line := shell.Quote(s.Pipeline[0].Argv)
	h.ran = append(h.ran, line)
	r, known := h.replies[line]
	if !known {
		return &plan.Result{Code: -1}, errors.New("no answer is known to " + line)
	}
	result := &plan.Result{Code: r.code, Stdout: []byte(r.stdout), Stderr: []byte(r.stderr)}
	if !s.Pipeline[0].ExitCodes.Good(r.code) {
		return result, fmt.Errorf("%s: exit code %d", line, r.code)
	}
	return result, nil
}

// ask evaluates an expression in a function of a site, on a made-up host of a
// system, and returns what it prints.
func (h *madeUpHost) ask(t *testing.T, system map[string]string, module, names, expr string) (string, error) {
	t.Helper()
	text := fmt.Sprintf("load(%q, %s)\ndef step(ctx):\n    ctx.log(repr(%s))\nroutine(\"r\", step)\n", module, names, expr)
	site, err := loadSite(t, system, text)
	if err != nil {
		t.Fatal(err)
	}
	if err := site.Task("r").Routine.Steps[0].Call.Func.Run(t.Context(), h); err != nil {
		return "", err
	}
	return strings.Join(h.logged, "\n"), nil
}

func loadSite(t *testing.T, system map[string]string, text string) (*plan.Site, error) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "site.star")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return starlib.Load(t.Context(), starlib.Config{Dir: dir, LookupEnv: os.LookupEnv, Host: starlib.Host{OS: system}}, file)
}
