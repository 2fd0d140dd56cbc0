package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"palhm/backends"
	"palhm/runtime/plan"
)

// goFunc is a function step that is written in Go.
type goFunc func(ctx context.Context, rt plan.Runtime) error

func (f goFunc) Run(ctx context.Context, rt plan.Runtime) error { return f(ctx, rt) }

func callStep(f goFunc) plan.Step { return plan.Step{Call: &plan.Call{Name: "f", Func: f}} }

// goObjects gives the objects of a group.
type goObjects func(ctx context.Context, rt plan.Runtime) ([]*plan.Object, error)

func (f goObjects) Objects(ctx context.Context, rt plan.Runtime) ([]*plan.Object, error) {
	return f(ctx, rt)
}

func groupOf(name string, f goObjects, depends ...int) *plan.Group {
	return &plan.Group{Name: name, Depends: depends, Make: &plan.ObjectsCall{Name: "f", Func: f}}
}

// Tasks that a function runs at the same time are whole, and all in the report.
func TestTasksAtOnce(t *testing.T) {
	f := newFixture(t)
	f.Open = func(plan.Backend) (backends.Store, error) { return f.store, nil }
	var tasks []*plan.Task
	for i := range 5 {
		task := backupTask(object("x", sh("echo data; echo complaint >&2")))
		task.Name = fmt.Sprint("backup", i)
		task.Backup.Backends[0].Kind = "null" // which makes no two copies wait for a name
		tasks = append(tasks, task, routineTask(step(sh("echo out; echo err >&2"))))
	}
	routine := routineTask(callStep(func(ctx context.Context, rt plan.Runtime) error {
		var wg sync.WaitGroup
		for _, task := range tasks {
			wg.Go(func() {
				if _, err := rt.Run(ctx, plan.Step{Task: task}, plan.RunOptions{}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		return nil
	}))
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var seconds atomic.Int64
	f.Now = func() time.Time { return now.Add(time.Duration(seconds.Add(1)) * time.Second) }
	report, err := f.Run(t.Context(), &plan.Site{}, routine)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Copies) != 5 {
		t.Errorf("got %d copies in the report, want 5", len(report.Copies))
	}
	if got := strings.Count(f.stdout.String(), "out\n"); got != 5 {
		t.Errorf("got %d lines of output, want 5", got)
	}
}

// A temporary directory is for palhm's user alone, and is gone when the function has
// ended, whatever is in it.
func TestTempDir(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	f := newFixture(t)
	var dir string
	ctx, cancel := context.WithCancelCause(t.Context())
	task := routineTask(callStep(func(ctx context.Context, rt plan.Runtime) (err error) {
		if dir, err = rt.TempDir(); err != nil {
			return err
		}
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("got %v, %v, want the mode 700", info, err)
		}
		if err := os.MkdirAll(filepath.Join(dir, "a/b"), 0o500); err != nil {
			return err
		}
		cancel(errors.New("stopped in the middle"))
		return rt.Sleep(ctx, time.Hour)
	}))
	_, err := f.Run(ctx, &plan.Site{}, task)
	wantError(t, err, "stopped in the middle")
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory is left: %v", err)
	}
}

// What a function reads is a regular file of a bearable size; a pipe that nobody
// writes to holds nothing up.
func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	large, pipe := filepath.Join(dir, "large"), filepath.Join(dir, "pipe")
	if err := os.WriteFile(large, make([]byte, 1<<20+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	f := newFixture(t)
	err := f.run(t, routineTask(callStep(func(ctx context.Context, rt plan.Runtime) error {
		for path, want := range map[string]string{large: "larger than 1 MiB", pipe: "not a regular file", dir: "not a regular file", dir + "/none": "no such file"} {
			_, err := rt.ReadFile(ctx, path)
			wantError(t, err, want)
		}
		text, err := rt.ReadFile(ctx, "/proc/self/status")
		if err != nil || len(text) == 0 {
			t.Errorf("got %d bytes of a file without a size, %v", len(text), err)
		}
		for path, want := range map[string]bool{dir: true, dir + "/none": false, large + "/x": false} {
			if got, err := rt.Exists(path); got != want || err != nil {
				t.Errorf("%s: got %v, %v", path, got, err)
			}
		}
		return nil
	})))
	if err != nil {
		t.Fatal(err)
	}
}

// A context of grace outlives the one that has ended, until the user asks twice.
func TestGraceEndsInAHurry(t *testing.T) {
	f := newFixture(t)
	hurry := make(chan struct{})
	f.Hurry = hurry
	ctx, cancel := context.WithCancelCause(t.Context())
	err := f.runWith(ctx, routineTask(callStep(func(ctx context.Context, rt plan.Runtime) error {
		grace, done := rt.Grace(ctx)
		defer done()
		cancel(errors.New("once"))
		if err := rt.Sleep(grace, 10*time.Millisecond); err != nil {
			t.Errorf("got %v: there was no grace", err)
		}
		if _, err := rt.Run(grace, step(sh("true")), plan.RunOptions{}); err != nil {
			t.Errorf("got %v: there was no grace", err)
		}
		close(hurry)
		return rt.Sleep(grace, time.Hour)
	})))
	wantError(t, err, "palhm was told twice to stop")
}

// It ends all the same: what hangs in it must not hold palhm up for ever.
func TestGraceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		begin := time.Now()
		err := f.runWith(ctx, routineTask(callStep(func(ctx context.Context, rt plan.Runtime) error {
			grace, done := rt.Grace(ctx)
			defer done()
			if err := rt.Sleep(grace, time.Hour); err != nil {
				t.Errorf("got %v: nobody has asked to stop", err)
			}
			cancel(errors.New("once"))
			return rt.Sleep(grace, time.Hour)
		})))
		wantError(t, err, "a deferred function timed out after 30s")
		if got := time.Since(begin); got != time.Hour+30*time.Second {
			t.Errorf("it took %v", got)
		}
	})
}

// Objects that functions give are made like all others: groups that depend on theirs
// wait, they stand in the order of the groups, and no more are made at a time.
func TestObjectsFromFunctions(t *testing.T) {
	for _, workers := range []int{1, 2, -1} {
		f := newFixture(t)
		f.Workers = workers
		dir := t.TempDir()
		count := func(what string) *plan.Exec {
			return sh(fmt.Sprintf("mkdir %[1]s/$$; ls %[1]s | wc -l >> %[1]s.max; sleep 0.02; rmdir %[1]s/$$; echo %[2]s", dir, what))
		}
		task := backupTask(object("first", count("first")))
		var order []string
		list := func(name string, n int) goObjects {
			return func(ctx context.Context, rt plan.Runtime) (objects []*plan.Object, err error) {
				order = append(order, name) // one after the other: the groups depend on each other
				if _, err := rt.Run(ctx, step(sh("true")), plan.RunOptions{}); err != nil {
					return nil, err
				}
				for i := range n {
					objects = append(objects, object(fmt.Sprintf("%s/%d", name, i), count(name)))
				}
				return objects, nil
			}
		}
		task.Backup.Groups = append(task.Backup.Groups,
			groupOf("last", list("last", 2), 2), groupOf("many", list("many", 5), 0, 3), groupOf("none", list("none", 0), 0))
		if err := f.run(t, task); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(order, " "); got != "none many last" {
			t.Errorf("asked in the order %s", got)
		}
		c := f.store.copies[f.store.names()[0]]
		var paths []string
		for _, o := range c.manifest.Objects {
			paths = append(paths, o.Path)
		}
		if got := strings.Join(paths, " "); got != "first last/0 last/1 many/0 many/1 many/2 many/3 many/4" {
			t.Errorf("got the objects %s", got)
		}
		most := 0
		data, err := os.ReadFile(dir + ".max")
		if err != nil {
			t.Fatal(err)
		}
		for field := range strings.FieldsSeq(string(data)) {
			n := 0
			fmt.Sscan(field, &n) //nolint:errcheck // wc prints numbers
			most = max(most, n)
		}
		if workers > 0 && most > workers {
			t.Errorf("%d objects were made at a time, want at most %d", most, workers)
		}
	}
}

// A function may not run a task while its backup holds the root: that would wait for
// itself. What it gives is checked here too, whatever made it.
func TestObjectsFromFunctionsAreChecked(t *testing.T) {
	other := backupTask(object("x", sh("true")))
	for want, fn := range map[string]goObjects{
		"group g: a task cannot be run": func(ctx context.Context, rt plan.Runtime) ([]*plan.Object, error) {
			_, err := rt.Run(ctx, plan.Step{Task: other}, plan.RunOptions{})
			return nil, err
		},
		`path "/etc/passwd" begins with a slash`: func(context.Context, plan.Runtime) ([]*plan.Object, error) {
			return []*plan.Object{object("/etc/passwd", sh("true"))}, nil
		},
		"bytes long with the backend's root": func(context.Context, plan.Runtime) ([]*plan.Object, error) {
			return []*plan.Object{object(strings.Repeat("12345678/", 112)+"x", sh("true"))}, nil
		},
		`two objects have the path "static"`: func(context.Context, plan.Runtime) ([]*plan.Object, error) {
			return []*plan.Object{object("static", sh("true"))}, nil
		},
	} {
		f := newFixture(t)
		task := backupTask(object("static", sh("true")))
		task.Backup.Backends[0].LocalFS = &plan.LocalFS{Root: "/" + strings.Repeat("r", 100)}
		task.Backup.Groups = append(task.Backup.Groups, groupOf("g", fn))
		wantError(t, f.run(t, task), want)
		if len(f.store.copies) != 0 || len(f.store.aborted) != 1 {
			t.Errorf("%s: got the copies %v", want, f.store.names())
		}
	}
}

// runWith runs a task with a context of the test's own.
func (f *fixture) runWith(ctx context.Context, task *plan.Task) error {
	_, err := f.Run(ctx, &plan.Site{}, task)
	return err
}
