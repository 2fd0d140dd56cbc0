package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"palhm/backends"
	"palhm/runtime/engine"
	"palhm/runtime/plan"
	"palhm/runtime/proc"
)

// memory is a store for tests, with a switch for each fault.
type memory struct {
	mu        sync.Mutex
	copies    map[string]*memoryCopy // committed
	open      map[string]*memoryCopy
	aborted   []string
	removed   []string
	recovered int

	putErr     func(path string) error
	commitErr  error
	onCommit   func()
	removeErr  map[string]error
	recoverErr error
	hide       bool // List shows nothing
	stalls     bool // Put reads nothing until its context ends
	onRemove   func(prefix string)
}

type memoryCopy struct {
	store    *memory
	prefix   string
	objects  map[string][]byte
	manifest *backends.Manifest
	info     *backends.Info // overrides what the manifest says
}

func newMemory() *memory {
	return &memory{copies: map[string]*memoryCopy{}, open: map[string]*memoryCopy{}, removeErr: map[string]error{}}
}

func (m *memory) Root() string { return "memory" }

func (m *memory) Begin(_ context.Context, prefix string) (backends.Copy, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.copies[prefix] != nil {
		return nil, fmt.Errorf("begin %s: %w", prefix, backends.ErrPrefixTaken)
	}
	c := &memoryCopy{store: m, prefix: prefix, objects: map[string][]byte{}}
	m.open[prefix] = c
	return c, nil
}

func (m *memory) List(context.Context) ([]backends.Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var infos []backends.Info
	for prefix, c := range m.copies {
		if m.hide {
			break
		}
		if c.info != nil {
			infos = append(infos, *c.info)
			continue
		}
		when, _, err := backends.ParsePrefix(prefix)
		if err != nil {
			return nil, err
		}
		infos = append(infos, backends.Info{Prefix: prefix, Time: when, Size: c.manifest.Size(), Objects: len(c.objects), Host: c.manifest.Host, Task: c.manifest.Task})
	}
	backends.SortInfos(infos)
	return infos, nil
}

func (m *memory) Open(_ context.Context, prefix, path string) (io.ReadCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.copies[prefix]; c != nil && c.objects[path] != nil {
		return io.NopCloser(bytes.NewReader(c.objects[path])), nil
	}
	return nil, fs.ErrNotExist
}

func (m *memory) Remove(_ context.Context, prefix string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.removeErr[prefix]; err != nil {
		return err
	}
	delete(m.copies, prefix)
	m.removed = append(m.removed, prefix)
	if m.onRemove != nil {
		m.onRemove(prefix)
	}
	return nil
}

func (m *memory) Recover(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.recovered++
	return m.recoverErr
}

func (c *memoryCopy) Put(ctx context.Context, path string, r io.Reader, _ int64) (int64, error) {
	if c.store.stalls {
		<-ctx.Done()
		return 0, context.Cause(ctx)
	}
	if c.store.putErr != nil {
		if err := c.store.putErr(path); err != nil {
			io.CopyN(io.Discard, r, 1) //nolint:errcheck
			return 0, err
		}
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return 0, err
	}
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	c.objects[path] = data
	return int64(len(data)), nil
}

func (c *memoryCopy) Commit(ctx context.Context, man *backends.Manifest) error {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	if c.store.commitErr != nil {
		return c.store.commitErr
	}
	if c.store.onCommit != nil {
		c.store.onCommit()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	c.manifest = man
	delete(c.store.open, c.prefix)
	c.store.copies[c.prefix] = c
	return nil
}

func (c *memoryCopy) Abort(context.Context) error {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	if c.store.open[c.prefix] == c {
		delete(c.store.open, c.prefix)
		c.store.aborted = append(c.store.aborted, c.prefix)
	}
	return nil
}

// plant adds a committed copy of the task that the tests run.
func (m *memory) plant(when time.Time, size int64) string {
	prefix := backends.FormatPrefix(when, plan.PrefixISO)
	m.copies[prefix] = &memoryCopy{store: m, prefix: prefix, info: &backends.Info{Prefix: prefix, Time: when, Size: size, Host: "web1", Task: "backup"}}
	return prefix
}

func (m *memory) names() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	names := []string{}
	for p := range m.copies {
		names = append(names, p)
	}
	slices.Sort(names)
	return names
}

// fixture is an engine with a store in memory, its output and its log.
type fixture struct {
	*engine.Engine
	store          *memory
	stdout, stderr bytes.Buffer
	log            bytes.Buffer
	opened         []plan.Backend
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{store: newMemory()}
	f.Engine = &engine.Engine{
		Open:      func(b plan.Backend) (backends.Store, error) { f.opened = append(f.opened, b); return f.store, nil },
		Log:       slog.New(slog.NewTextHandler(&f.log, nil)),
		Host:      "web1",
		Version:   "test",
		Environ:   os.Environ(),
		Stdout:    &f.stdout,
		Stderr:    &f.stderr,
		Verbosity: plan.DefaultVerbosity,
		Workers:   2,
		Grace:     500 * time.Millisecond,
	}
	return f
}

func (f *fixture) run(t *testing.T, task *plan.Task) error {
	t.Helper()
	_, err := f.Run(t.Context(), &plan.Site{File: "/site.star", Tasks: []*plan.Task{task}}, task)
	return err
}

func sh(script string) *plan.Exec {
	return &plan.Exec{Argv: []string{"sh", "-c", script}, VerbosityStdout: 3, VerbosityStderr: 1}
}

func object(path string, stages ...*plan.Exec) *plan.Object {
	return &plan.Object{Path: path, Pipeline: stages}
}

func backupTask(objects ...*plan.Object) *plan.Task {
	return &plan.Task{Name: "backup", Backup: &plan.Backup{
		Backends: []plan.Backend{{Kind: "localfs"}},
		Groups:   []*plan.Group{{Name: "default", Objects: objects}},
		Prefix:   plan.PrefixISO,
	}}
}

func routineTask(steps ...plan.Step) *plan.Task {
	return &plan.Task{Name: "routine", Routine: &plan.Routine{Steps: steps}}
}

func step(stages ...*plan.Exec) plan.Step { return plan.Step{Pipeline: stages} }

func limited(t *plan.Task, copies int64) *plan.Task {
	t.Backup.Backends[0].Limits.Copies = limit(copies)
	return t
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q does not say %q", err, p)
		}
	}
}

func TestBackupCommitsWhole(t *testing.T) {
	f := newFixture(t)
	zip := sh("tr a-z A-Z")
	zip.Inverse = sh("tr A-Z a-z")
	tail := sh("cat; echo end")
	task := backupTask(object("one", sh("printf abc"), zip), object("d/two", sh("printf xyz"), tail, zip))
	r, err := f.Run(t.Context(), &plan.Site{File: "/site.star", Digest: "d1"}, task)
	if err != nil {
		t.Fatal(err)
	}
	names := f.store.names()
	if len(names) != 1 || len(r.Copies) != 1 || r.Copies[0].Prefix != names[0] || r.Copies[0].Bytes != 10 || r.Copies[0].Objects != 2 {
		t.Fatalf("report %+v, copies %v", r.Copies, names)
	}
	c := f.store.copies[names[0]]
	if string(c.objects["one"]) != "ABC" || string(c.objects["d/two"]) != "XYZEND\n" {
		t.Errorf("objects %q", c.objects)
	}
	m := c.manifest
	if m.Host != "web1" || m.Task != "backup" || m.Digest != "d1" || m.Prefix != names[0] || len(m.Objects) != 2 {
		t.Errorf("manifest %+v", m)
	}
	one, two := m.Objects[0], m.Objects[1]
	if one.Path != "one" || one.Size != 3 || one.SHA256 != "b5d4045c3f466fa91fe2cc6abe79232a1a57cdf104f7a26e716e0a1e2789df78" {
		t.Errorf("record %+v", one)
	}
	if len(one.Stages) != 2 || one.Stages[0].Argv[2] != "printf abc" || len(one.Inverse) != 1 || one.Inverse[0].Argv[2] != "tr A-Z a-z" {
		t.Errorf("stages %+v, inverse %+v", one.Stages, one.Inverse)
	}
	if len(two.Inverse) != 1 {
		t.Errorf("inverse goes past a stage that has none: %+v", two.Inverse)
	}
}

// A backup that is run twice in one routine makes two whole copies, and rotation
// leaves the last whole one.
func TestTaskTwiceRunsTwice(t *testing.T) {
	f := newFixture(t)
	task := limited(backupTask(object("one", sh("echo hello"))), 1)
	r, err := f.Run(t.Context(), new(plan.Site), routineTask(plan.Step{Task: task}, plan.Step{Task: task}, plan.Step{Task: task}))
	if err != nil || len(r.After) > 0 {
		t.Fatal(err, r.After)
	}
	if len(r.Copies) != 3 || len(f.store.removed) != 2 || len(f.store.names()) != 1 {
		t.Fatalf("made %v, removed %v, left %v", r.Copies, f.store.removed, f.store.names())
	}
	if c := f.store.copies[f.store.names()[0]]; string(c.objects["one"]) != "hello\n" {
		t.Errorf("the copy that is left has %q", c.objects)
	}
}

func TestFailureAborts(t *testing.T) {
	f := newFixture(t)
	old := f.store.plant(time.Now().Add(-time.Hour).UTC().Truncate(time.Second), 1)
	task := limited(backupTask(
		object("good", sh("echo hello")),
		object("bad", sh("echo partial; echo >&2 the disk is on fire; exit 3"), sh("cat")),
	), 1)
	r, err := f.Run(t.Context(), new(plan.Site), task)
	wantError(t, err, "task backup", "object bad", "stage 1 of 2", "exit code 3", "want 0")
	var stage *proc.StageError
	if !errors.As(err, &stage) || !strings.Contains(string(stage.Stderr), "the disk is on fire") {
		t.Errorf("the error does not carry the stage's stderr: %#v", err)
	}
	var e *engine.Error
	if !errors.As(err, &e) || e.Object != "bad" || !strings.Contains(e.Note, "removed") {
		t.Errorf("error %+v", e)
	}
	if got := f.store.names(); !slices.Equal(got, []string{old}) || len(f.store.aborted) != 1 || len(r.Copies) != 0 {
		t.Errorf("copies %v, aborted %v, reported %v", got, f.store.aborted, r.Copies)
	}
}

// The first failure stops the running objects and starts none of those that wait.
func TestFailureStopsSiblings(t *testing.T) {
	f := newFixture(t)
	dir := t.TempDir()
	f.Workers = 2
	objects := []*plan.Object{
		object("slow", sh("sleep 60")),
		object("bad", sh("exit 1")),
	}
	for i := range 5 {
		objects = append(objects, object(fmt.Sprint("queued", i), sh("touch "+filepath.Join(dir, fmt.Sprint(i)))))
	}
	begin := time.Now()
	err := f.run(t, backupTask(objects...))
	wantError(t, err, "object bad")
	if d := time.Since(begin); d > 20*time.Second {
		t.Errorf("it took %v", d)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("queued objects were run: %v", left)
	}
	var e *engine.Error
	if errors.As(err, &e) && len(e.Others) > 0 {
		t.Errorf("victims are reported as failures: %v", e.Others)
	}
}

func TestGroupsInOrder(t *testing.T) {
	f := newFixture(t)
	log := filepath.Join(t.TempDir(), "log")
	mark := func(name string) *plan.Object {
		return object(name, sh("echo "+name+"-begin >>"+log+"; sleep 0.05; echo "+name+"-end | tee -a "+log))
	}
	task := backupTask()
	task.Backup.Groups = []*plan.Group{
		{Name: "files", Depends: []int{1, 2}, Objects: []*plan.Object{mark("files")}},
		{Name: "facts", Objects: []*plan.Object{mark("facts1"), mark("facts2")}},
		{Name: "empty", Depends: []int{1}},
	}
	if err := f.run(t, task); err != nil {
		t.Fatal(err)
	}
	data, _ := os.ReadFile(log)
	got := strings.Fields(string(data))
	if len(got) != 6 || got[4] != "files-begin" {
		t.Errorf("order %v", got)
	}
	m := f.store.copies[f.store.names()[0]].manifest
	if m.Objects[0].Path != "files" || m.Objects[1].Path != "facts1" {
		t.Errorf("the manifest is not in declaration order: %v", m.Objects)
	}
}

func TestWorkers(t *testing.T) {
	for _, tt := range []struct{ workers, want int }{{1, 1}, {3, 3}, {-1, 8}} {
		f := newFixture(t)
		f.Workers = tt.workers
		dir := t.TempDir()
		var objects []*plan.Object
		for i := range 8 {
			// Each counts those that run beside it, itself included.
			objects = append(objects, object(fmt.Sprint(i), sh(fmt.Sprintf("cd %s; touch %d; sleep 0.4; ls | wc -l; rm %d", dir, i, i))))
		}
		if err := f.run(t, backupTask(objects...)); err != nil {
			t.Fatal(err)
		}
		most := 0
		for _, data := range f.store.copies[f.store.names()[0]].objects {
			var n int
			fmt.Sscan(string(data), &n)
			most = max(most, n)
		}
		if most > tt.want || most < min(tt.want, 2) {
			t.Errorf("nb_workers %d: %d at a time, want %d", tt.workers, most, tt.want)
		}
	}
}

// What fails after commit never costs the new copy.
func TestRotationFailureKeepsTheCopy(t *testing.T) {
	f := newFixture(t)
	now := time.Now().UTC().Truncate(time.Second)
	stuck := f.store.plant(now.Add(-3*time.Hour), 1)
	old := f.store.plant(now.Add(-2*time.Hour), 1)
	f.store.removeErr[stuck] = errors.New("operation not permitted")
	r, err := f.Run(t.Context(), new(plan.Site), limited(backupTask(object("a", sh("echo a"))), 1))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Copies) != 1 || len(f.store.aborted) != 0 || f.store.copies[r.Copies[0].Prefix] == nil {
		t.Errorf("the new copy is gone: %+v", r)
	}
	if !slices.Equal(f.store.removed, []string{old}) {
		t.Errorf("removed %v, want %v", f.store.removed, old)
	}
	if len(r.After) != 1 || !strings.Contains(r.After[0], "operation not permitted") || !strings.Contains(r.After[0], stuck) {
		t.Errorf("after: %q", r.After)
	}
}

// A copy that somebody else makes in the root while ours is being made does not push
// ours out.
func TestRotationKeepsTheCopyJustMade(t *testing.T) {
	f := newFixture(t)
	var later string
	f.store.onCommit = func() { later = f.store.plant(time.Now().UTC().Add(time.Minute).Truncate(time.Second), 1) }
	r, err := f.Run(t.Context(), new(plan.Site), limited(backupTask(object("a", sh("echo a"))), 1))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := f.store.names(), []string{r.Copies[0].Prefix, later}; !slices.Equal(got, want) {
		t.Errorf("copies %v, want %v", got, want)
	}
	if len(r.After) != 1 || !strings.Contains(r.After[0], later) {
		t.Errorf("after: %q, want a word on %s", r.After, later)
	}
}

// Rotation does not begin when the store does not show the copy that it said was
// committed. The copy itself is safe.
func TestRotationWantsToSeeTheCopy(t *testing.T) {
	f := newFixture(t)
	old := f.store.plant(time.Now().UTC().Add(-time.Hour).Truncate(time.Second), 1)
	f.store.hide = true
	r, err := f.Run(t.Context(), new(plan.Site), limited(backupTask(object("a", sh("echo a"))), 1))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.After) != 1 || !strings.Contains(r.After[0], "does not list it; nothing was rotated") {
		t.Errorf("after: %q", r.After)
	}
	if f.store.copies[old] == nil {
		t.Error("the old copy is gone")
	}
}

func TestBackendErrors(t *testing.T) {
	full := errors.New("no space left on device")
	t.Run("put", func(t *testing.T) {
		f := newFixture(t)
		f.store.putErr = func(string) error { return full }
		err := f.run(t, backupTask(object("a", sh("yes"), sh("cat"))))
		wantError(t, err, "object a", "no space left on device")
		if !errors.Is(err, full) || len(f.store.aborted) != 1 {
			t.Errorf("error %v, aborted %v", err, f.store.aborted)
		}
	})
	t.Run("commit", func(t *testing.T) {
		f := newFixture(t)
		f.store.commitErr = full
		err := f.run(t, backupTask(object("a", sh("echo a"))))
		wantError(t, err, "commit", "no space left on device")
		if len(f.store.names()) != 0 || len(f.store.aborted) != 1 {
			t.Errorf("copies %v, aborted %v", f.store.names(), f.store.aborted)
		}
	})
	t.Run("recover", func(t *testing.T) {
		f := newFixture(t)
		f.store.recoverErr = full
		r, err := f.Run(t.Context(), new(plan.Site), backupTask(object("a", sh("echo a"))))
		if err != nil || len(r.After) != 1 || len(r.Copies) != 1 {
			t.Errorf("got %v, %+v; the copy is made and the trouble told", err, r)
		}
	})
}

func TestRetry(t *testing.T) {
	f := newFixture(t)
	var pauses []time.Duration
	f.Sleep = func(_ context.Context, d time.Duration) error { pauses = append(pauses, d); return nil }
	count := filepath.Join(t.TempDir(), "count")
	o := object("a", sh(fmt.Sprintf("echo x >>%s; echo try; [ $(wc -l <%s) = 3 ]", count, count)))
	o.Retry = 1
	wantError(t, f.run(t, backupTask(o)), "object a", "exit code 1")
	os.Remove(count)
	o.Retry = 2
	if err := f.run(t, backupTask(o)); err != nil {
		t.Fatal(err)
	}
	if got := f.store.copies[f.store.names()[0]].objects["a"]; string(got) != "try\n" {
		t.Errorf("the object has %q: attempts are mixed", got)
	}
	if len(pauses) != 3 || pauses[2] != 2*pauses[1] {
		t.Errorf("pauses %v", pauses)
	}
}

func TestMinSize(t *testing.T) {
	f := newFixture(t)
	o := object("dump", sh("printf 1234567; echo access denied >&2"), sh("cat"))
	o.MinSize = new(int64(8))
	err := f.run(t, backupTask(o))
	wantError(t, err, "object dump", "got 7 bytes", "min_size 8")
	if small, ok := errors.AsType[*engine.SmallError](err); !ok || len(small.Stages) != 2 || string(small.Stages[0].Stderr) != "access denied\n" {
		t.Errorf("got %v, want what each stage complained", err)
	}
	if len(f.store.names()) != 0 {
		t.Error("a copy with a dump that is too small was committed")
	}
	o.MinSize = new(int64(7))
	if err := f.run(t, backupTask(o)); err != nil {
		t.Error(err)
	}
}

// A tool that writes to a file in place of stdout leaves nothing to keep.
func TestEmptyObject(t *testing.T) {
	f := newFixture(t)
	f.Sleep = func(context.Context, time.Duration) error { return nil }
	file := filepath.Join(t.TempDir(), "file")
	o := object("dump", sh("echo dump >>"+file), sh("cat"))
	const why = "got nothing on stdout"
	wantError(t, f.run(t, backupTask(o)), "object dump", why, "min_size = 0")
	if c := f.store.copies; len(c) != 0 {
		t.Errorf("got the copies %v, want none", f.store.names())
	}

	// A rehearsal finds it too; a backup that keeps nothing is what its site makes of it.
	task := backupTask(o)
	task.Backup.Backends = []plan.Backend{{Kind: "null", Rehearsal: true}}
	wantError(t, f.run(t, task), "object dump", why)
	task.Backup.Backends[0].Rehearsal = false
	if err := f.run(t, task); err != nil {
		t.Error(err)
	}
	o.MinSize = new(int64(1))
	wantError(t, f.run(t, task), "object dump", why)

	// What a later attempt makes counts.
	o = object("dump", sh("[ -s "+file+".2 ] && echo dump; echo x >>"+file+".2"))
	o.Retry = 1
	if err := f.run(t, backupTask(o)); err != nil {
		t.Error(err)
	}
	o = object("dump", sh("true"))
	o.Retry = 2
	wantError(t, f.run(t, backupTask(o)), why)
	o.MinSize = new(int64)
	if err := f.run(t, backupTask(o)); err != nil {
		t.Error(err)
	}
	if got := len(f.store.names()); got != 3 { // the fixture opens its store also for null
		t.Errorf("got %d copies, want the three that are well", got)
	}
}

func TestTimeouts(t *testing.T) {
	slow := func() *plan.Object { return object("slow", sh("echo a; sleep 60")) }
	for name, task := range map[string]func() *plan.Task{
		"object": func() *plan.Task { o := slow(); o.Timeout = 200 * time.Millisecond; return backupTask(o) },
		"exec": func() *plan.Task {
			o := slow()
			o.Pipeline[0].Timeout = 200 * time.Millisecond
			return backupTask(o)
		},
		"backup": func() *plan.Task { b := backupTask(slow()); b.Timeout = 200 * time.Millisecond; return b },
		"routine": func() *plan.Task {
			r := routineTask(step(sh("sleep 60")))
			r.Timeout = 200 * time.Millisecond
			return r
		},
		"routine around a backup": func() *plan.Task {
			r := routineTask(plan.Step{Task: backupTask(slow())})
			r.Timeout = 200 * time.Millisecond
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			begin := time.Now()
			wantError(t, f.run(t, task()), "timed out after 200ms")
			if d := time.Since(begin); d > 20*time.Second {
				t.Errorf("it took %v", d)
			}
			if len(f.store.names()) != 0 || len(f.store.open) != 0 {
				t.Errorf("left %v and %v", f.store.names(), f.store.open)
			}
		})
	}
}

// What still ran when the time was up is in the error, whether the pipeline or the
// backend noticed it first.
func TestTimeoutNamesWhatStillRan(t *testing.T) {
	for _, stalls := range []bool{false, true} {
		for _, whole := range []bool{false, true} {
			f := newFixture(t)
			f.store.stalls = stalls
			f.Workers = 2
			late := sh("echo waiting >&2; exec sleep 60")
			a, b := object("a", sh("true"), late), object("b", late)
			task := backupTask(a, b)
			if whole {
				task.Timeout = 500 * time.Millisecond
			} else {
				a.Timeout = 500 * time.Millisecond
			}
			err := f.run(t, task)
			var e *engine.Error
			if !errors.As(err, &e) {
				t.Fatalf("got the error %v, want one of the engine", err)
			}
			wantLate(t, e)
			if whole && len(e.Others) != 1 || !whole && len(e.Others) != 0 {
				t.Errorf("%s: besides, got %v", e, e.Others)
			}
			for _, o := range e.Others {
				wantLate(t, o)
			}
		}
	}
}

// wantLate checks that an error names the one stage that still ran, and what it said.
func wantLate(t *testing.T, e *engine.Error) {
	t.Helper()
	wantError(t, e, "stopped: ", " timed out after 500ms")
	p, ok := errors.AsType[*proc.Error](e.Err)
	if !ok || p.Cause != nil || len(p.Others) != 1 {
		t.Fatalf("%v: got %+v, want one stage that still ran", e, p)
	}
	if s := p.Others[0]; !s.Killed || s.Index != s.Count-1 || string(s.Stderr) != "waiting\n" {
		t.Errorf("%v: got %+v, want the last stage with its stderr", e, s)
	}
}

func TestCancel(t *testing.T) {
	f := newFixture(t)
	cause := errors.New("stopped by SIGTERM")
	ctx, cancel := context.WithCancelCause(t.Context())
	started := filepath.Join(t.TempDir(), "started")
	var cancelled time.Time
	go func() {
		for {
			if _, err := os.Stat(started); err == nil {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		cancelled = time.Now()
		cancel(cause)
	}()
	_, err := f.Run(ctx, new(plan.Site), backupTask(object("a", sh("echo a; touch "+started+"; sleep 60")), object("b", sh("sleep 60"))))
	if !errors.Is(err, cause) {
		t.Errorf("error %v does not wrap the cause", err)
	}
	if d := time.Since(cancelled); d > 20*time.Second {
		t.Errorf("it ended %v after it was cancelled", d)
	}
	if len(f.store.names()) != 0 || len(f.store.aborted) != 1 {
		t.Errorf("copies %v, aborted %v", f.store.names(), f.store.aborted)
	}
}

// A signal during commit waits until the copy is there.
func TestCancelDuringCommit(t *testing.T) {
	f := newFixture(t)
	cause := errors.New("stopped by SIGTERM")
	ctx, cancel := context.WithCancelCause(t.Context())
	f.store.onCommit = func() { cancel(cause) }
	r, err := f.Run(ctx, new(plan.Site), backupTask(object("a", sh("echo a"))))
	var e *engine.Error
	if !errors.As(err, &e) || !errors.Is(err, cause) || !strings.Contains(e.Note, "is safe") {
		t.Errorf("error %v", err)
	}
	if len(f.store.names()) != 1 || len(r.Copies) != 1 || len(f.store.aborted) != 0 {
		t.Errorf("copies %v, aborted %v", f.store.names(), f.store.aborted)
	}
}

// A signal during rotation leaves the new copy and removes no further one.
func TestCancelDuringRotation(t *testing.T) {
	f := newFixture(t)
	now := time.Now().UTC().Truncate(time.Second)
	f.store.plant(now.Add(-3*time.Hour), 1)
	f.store.plant(now.Add(-2*time.Hour), 1)
	cause := errors.New("stopped by SIGTERM")
	ctx, cancel := context.WithCancelCause(t.Context())
	f.store.onRemove = func(string) { cancel(cause) }
	r, err := f.Run(ctx, new(plan.Site), limited(backupTask(object("a", sh("echo a"))), 1))
	if !errors.Is(err, cause) {
		t.Errorf("error %v", err)
	}
	if len(f.store.removed) != 1 || len(r.Copies) != 1 || f.store.copies[r.Copies[0].Prefix] == nil || len(f.store.aborted) != 0 {
		t.Errorf("removed %v, copies %v", f.store.removed, f.store.names())
	}
}

// clock is a clock that only moves when somebody sleeps.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }

func (c *clock) Sleep(_ context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return nil
}

func TestPrefix(t *testing.T) {
	noon := time.Date(2026, 5, 1, 12, 0, 0, 500, time.UTC)
	prefix := func(d time.Duration) string { return backends.FormatPrefix(noon.Add(d), plan.PrefixISO) }
	for _, tt := range []struct {
		name   string
		copies []time.Duration // relative to now
		want   string
		err    string
		after  int
	}{
		{"free", []time.Duration{-time.Hour}, prefix(0), "", 0},
		{"taken, so the next second", []time.Duration{0}, prefix(time.Second), "", 0},
		{"the clock went back a little", []time.Duration{20 * time.Second}, prefix(21 * time.Second), "", 0},
		{"the clock went back", []time.Duration{40 * time.Minute}, "", "set back", 0},
		{"a copy from far ahead blocks nothing, and is told", []time.Duration{1000 * time.Hour}, prefix(0), "", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			c := &clock{now: noon}
			f.Now, f.Sleep = c.Now, c.Sleep
			for _, d := range tt.copies {
				f.store.plant(noon.Add(d).Truncate(time.Second), 1)
			}
			r, err := f.Run(t.Context(), new(plan.Site), backupTask(object("a", sh("echo a"))))
			if tt.err != "" {
				wantError(t, err, tt.err)
				return
			}
			if err != nil || r.Copies[0].Prefix != tt.want || len(r.After) != tt.after {
				t.Errorf("got %v, %+v; want %s and %d notices", err, r, tt.want, tt.after)
			}
		})
	}
	t.Run("another task's copy in the same second", func(t *testing.T) {
		f := newFixture(t)
		c := &clock{now: noon}
		f.Now, f.Sleep = c.Now, c.Sleep
		f.store.copies[f.store.plant(noon.Truncate(time.Second), 1)].info.Task = "hourly"
		r, err := f.Run(t.Context(), new(plan.Site), backupTask(object("a", sh("echo a"))))
		if err != nil || r.Copies[0].Prefix != prefix(time.Second) {
			t.Errorf("got %v, %+v", err, r)
		}
	})
}

func TestRoutine(t *testing.T) {
	f := newFixture(t)
	dir := t.TempDir()
	touch := func(name string) plan.Step { return step(sh("touch " + filepath.Join(dir, name))) }
	err := f.run(t, routineTask(touch("first"), step(sh("exit 4")), touch("never")))
	wantError(t, err, "task routine", "step 2", "exit code 4")
	if _, err := os.Stat(filepath.Join(dir, "first")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "never")); err == nil {
		t.Error("a step was run after a failure")
	}
	inner := backupTask(object("a", sh("exit 9")))
	wantError(t, f.run(t, routineTask(plan.Step{Task: inner})), "task routine: step 1: task backup: object a:", "exit code 9")
}

func TestOutput(t *testing.T) {
	talk := func(ec string) *plan.Exec { return sh("echo to-stdout; echo to-stderr >&2; exit " + ec) }
	for _, tt := range []struct {
		verbosity   int
		quiet       bool
		fails       bool
		out, errOut string
	}{
		{0, false, false, "", ""},
		{1, false, false, "", "to-stderr\n"},
		{2, false, false, "", "to-stderr\n"},
		{3, false, false, "to-stdout\n", "to-stderr\n"},
		{5, false, false, "to-stdout\n", "to-stderr\n"},
		{3, true, false, "", ""},
		{3, true, true, "", "to-stderr\nto-stdout\n"},
		{1, true, true, "", "to-stderr\n"},
	} {
		f := newFixture(t)
		f.Verbosity, f.Quiet = tt.verbosity, tt.quiet
		ec := "0"
		if tt.fails {
			ec = "1"
		}
		if err := f.run(t, routineTask(step(talk(ec)))); (err != nil) != tt.fails {
			t.Errorf("%+v: error %v", tt, err)
		}
		lines := strings.SplitAfter(f.stderr.String(), "\n")
		slices.Sort(lines)
		if f.stdout.String() != tt.out || strings.Join(lines, "") != tt.errOut {
			t.Errorf("%+v: stdout %q, stderr %q", tt, f.stdout.String(), f.stderr.String())
		}
	}
}

func TestHeldOutputIsBounded(t *testing.T) {
	f := newFixture(t)
	f.Quiet = true
	f.run(t, routineTask(step(sh("yes 0123456789 | head -n 100000; echo last words; exit 1"))))
	got := f.stderr.String()
	if len(got) > 70<<10 || !strings.HasSuffix(got, "last words\n") || !strings.HasPrefix(got, "[...]\n0123456789\n") {
		t.Errorf("%d bytes: %.40q ... %q", len(got), got, got[max(0, len(got)-40):])
	}
}

// A bar of progress without one line end must not push out what comes after it, nor a
// long line what it ends with.
func TestHeldOutputKeepsTheEnd(t *testing.T) {
	for script, want := range map[string]string{
		`yes 12345678% | head -n 20000 | tr '\n' '\r'; echo why`:                   "why\n",
		`printf 'first '; yes 123456789 | head -n 20000 | tr -d '\n'; echo ' why'`: "[...]",
	} {
		f := newFixture(t)
		f.Quiet = true
		f.run(t, routineTask(step(sh("("+script+") >&2; exit 1"))))
		got := f.stderr.String()
		if !strings.Contains(got, want) || !strings.HasSuffix(got, "why\n") || len(got) > 9<<10 {
			t.Errorf("%s: got %d bytes: %.60q ... %q", script, len(got), got, got[max(0, len(got)-40):])
		}
	}
}

func TestEnvironment(t *testing.T) {
	f := newFixture(t)
	f.Environ = append(os.Environ(), "KEPT=1", "CHANGED=old", "TOKEN=from-env")
	secretFile := filepath.Join(t.TempDir(), "password")
	os.WriteFile(secretFile, []byte("s3cret\n"), 0o600)
	x := sh(`echo "$KEPT $CHANGED $TOKEN2 $PASSWORD"; cat`)
	x.Env = []plan.EnvVar{
		{Name: "CHANGED", Value: plan.Value{Text: "new"}},
		{Name: "PASSWORD", Value: plan.Value{Secret: &plan.Secret{File: secretFile}}},
		{Name: "TOKEN2", Value: plan.Value{Secret: &plan.Secret{Env: "TOKEN"}}},
	}
	x.Stdin = &plan.Stdin{Content: &plan.Value{Text: "from stdin"}}
	clean := sh(`env; cat`)
	clean.Argv[0] = "/bin/sh"
	clean.CleanEnv = true
	clean.Env = []plan.EnvVar{{Name: "ONLY", Value: plan.Value{Text: "this"}}}
	clean.Stdin = &plan.Stdin{File: secretFile}
	empty := object("c", sh("cat"))
	empty.MinSize = new(int64)
	if err := f.run(t, backupTask(object("a", x), object("b", clean), empty)); err != nil {
		t.Fatal(err)
	}
	c := f.store.copies[f.store.names()[0]]
	if got := string(c.objects["a"]); got != "1 new from-env s3cret\nfrom stdin" {
		t.Errorf("added to the environment: %q", got)
	}
	if got := string(c.objects["b"]); !strings.Contains(got, "ONLY=this") || strings.Contains(got, "KEPT") || !strings.HasSuffix(got, "s3cret\n") {
		t.Errorf("clean environment: %q", got)
	}
	if got := string(c.objects["c"]); got != "" {
		t.Errorf("stdin is not empty: %q", got)
	}
	manifest, _, err := c.manifest.Encode()
	if err != nil || bytes.Contains(manifest, []byte("s3cret")) || bytes.Contains(manifest, []byte("from-env")) || bytes.Contains(manifest, []byte("from stdin")) {
		t.Errorf("a value is in the manifest: %v\n%s", err, manifest)
	}
	if !bytes.Contains(manifest, []byte(`"TOKEN2": "secret(env = \"TOKEN\")"`)) {
		t.Errorf("the secret is not named in the manifest:\n%s", manifest)
	}
}

func TestMissingSecret(t *testing.T) {
	f := newFixture(t)
	x := sh("true")
	x.Env = []plan.EnvVar{{Name: "P", Value: plan.Value{Secret: &plan.Secret{Env: "NOT_SET_AT_ALL"}}}}
	wantError(t, f.run(t, backupTask(object("a", x))), "object a", "environment variable P", `secret(env = "NOT_SET_AT_ALL")`, "not set")
}

// An empty password is one that somebody forgot.
func TestEmptySecret(t *testing.T) {
	f := newFixture(t)
	path := filepath.Join(t.TempDir(), "password")
	os.WriteFile(path, []byte("\n"), 0o600)
	x := sh("true")
	x.Stdin = &plan.Stdin{Content: &plan.Value{Secret: &plan.Secret{File: path}}}
	wantError(t, f.run(t, backupTask(object("a", x))), "object a", "stdin", path, "is empty")
}

func TestCredentialsDirectory(t *testing.T) {
	f := newFixture(t)
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "db"), []byte("pw"), 0o600)
	f.Environ = append(os.Environ(), "CREDENTIALS_DIRECTORY="+dir)
	x := sh("cat")
	x.Stdin = &plan.Stdin{Content: &plan.Value{Secret: &plan.Secret{File: "db"}}}
	if err := f.run(t, backupTask(object("a", x))); err != nil {
		t.Fatal(err)
	}
	if got := f.store.copies[f.store.names()[0]].objects["a"]; string(got) != "pw" {
		t.Errorf("got %q", got)
	}
}

func TestUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	f := newFixture(t)
	x := sh("id -un; id -gn; echo $HOME $USER")
	x.User = "nobody"
	y := sh("id -u")
	y.User = "65534"
	if err := f.run(t, backupTask(object("a", x), object("b", y))); err != nil {
		t.Fatal(err)
	}
	c := f.store.copies[f.store.names()[0]]
	if got := string(c.objects["a"]); !strings.HasPrefix(got, "nobody\nnogroup\n/nonexistent nobody") {
		t.Errorf("got %q", got)
	}
	if got := string(c.objects["b"]); got != "65534\n" {
		t.Errorf("got %q", got)
	}
	x.User = "no-such-user"
	wantError(t, f.run(t, backupTask(object("a", x))), "no-such-user")
}

func TestProgress(t *testing.T) {
	f := newFixture(t)
	dir := t.TempDir()
	o := object("a", sh("printf 12345; until [ -e "+dir+"/go ]; do sleep 0.01; done"))
	o.AllocSize = 99
	done := make(chan error)
	go func() { done <- f.run(t, backupTask(o)) }()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		p := f.Progress()
		if len(p) == 1 && p[0].Bytes == 5 && p[0].Path == "a" && p[0].Hint == 99 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("progress %+v", p)
		}
	}
	os.WriteFile(filepath.Join(dir, "go"), nil, 0o600)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if p := f.Progress(); len(p) != 0 {
		t.Errorf("after the end: %+v", p)
	}
}

func TestRotate(t *testing.T) {
	f := newFixture(t)
	now := time.Now().UTC().Truncate(time.Second)
	old := f.store.plant(now.Add(-2*time.Hour), 1)
	newest := f.store.plant(now.Add(-time.Hour), 1)
	task := limited(backupTask(object("a", sh("echo a"))), 1)
	result, err := f.Explain(t.Context(), task)
	if err != nil || len(result.Removals()) != 1 || len(f.store.names()) != 2 || f.store.recovered != 0 {
		t.Fatalf("explain: %v, %+v; copies %v", err, result, f.store.names())
	}
	gone, problems, err := f.Rotate(t.Context(), task)
	if err != nil || len(problems) != 0 || len(gone) != 1 || gone[0].Prefix != old || f.store.recovered != 1 {
		t.Errorf("rotate: %v, %v, %v", gone, problems, err)
	}
	if got := f.store.names(); !slices.Equal(got, []string{newest}) {
		t.Errorf("left %v", got)
	}
}
