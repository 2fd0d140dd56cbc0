package starlib

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"palhm/runtime/plan"
	"palhm/starlib/std"
)

// timeLimit bounds a load. A site takes milliseconds; one that takes this long
// has a loop that does not end, or reads from a file system that hangs.
const timeLimit = 30 * time.Second

// A loader holds what is known while one site loads. Only one goroutine uses it,
// but for doing.
type loader struct {
	cfg  Config
	file string   // the site, as given
	dir  string   // its directory, absolute
	root *os.Root // the same

	site        *module   // or the test file
	testing     bool      // it is a test file, which declares nothing
	modules     []*module // in the order in which they were named
	byLabel     map[label]*module
	byName      map[string]*module
	predeclared starlark.StringDict
	standard    starlark.StringDict // predeclared, for the standard modules
	ctxMethods  starlark.StringDict
	execBuiltin *builtin

	result      *plan.Site
	errs        Errors
	warnings    Errors
	inputs      map[plan.Input]bool
	tasks       map[string]*plan.Task
	settingsAt  plan.Pos
	bootAt      plan.Pos // of the boot report
	objects     []*objectValue
	groups      []*groupValue
	usedObjects map[*objectValue]bool
	usedGroups  map[*groupValue]bool
	exports     map[string]string    // what the standard modules offer: name to label
	checking    bool                 // look for what may be a mistake, too
	running     []*starlark.Function // what tasks run with ctx
	execs       []*plan.Exec         // what those are seen to run

	doing  atomic.Value // string: what may take long
	loaded atomic.Bool  // from here on functions run, and nothing here changes any more
}

// limits bound a load.
type limits struct {
	time   time.Duration
	memory uint64 // bytes
}

// load runs the loader on a goroutine of its own, so that a file system that
// hangs cannot hold palhm up: nobody waits for that goroutine then.
func load(ctx context.Context, cfg Config, file string, most limits, checking bool) (*plan.Site, *Findings, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if cfg.LookupEnv == nil {
		cfg.LookupEnv = func(string) (string, bool) { return "", false }
	}
	limited, cancel := context.WithTimeoutCause(ctx, most.time, fmt.Errorf("loading took longer than %v", most.time))
	defer cancel()
	limited, enough := withMemory(limited, most.memory)
	defer enough()
	l := newLoader(cfg, file)
	l.checking = checking
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.run(limited)
	}()
	select {
	case <-done:
	case <-limited.Done():
		// Starlark code stops at once and says where it was. A system call does not,
		// nor does a built-in that makes a list of a range without an end.
		select {
		case <-done:
		case <-time.After(time.Second):
			if err := ctx.Err(); err != nil {
				return nil, nil, err
			}
			doing, _ := l.doing.Load().(string)
			return nil, nil, Errors{{Pos: plan.Pos{File: file}, Msg: fmt.Sprintf("%v; stuck while %s", context.Cause(limited), cmp.Or(doing, "running"))}}
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if len(l.errs) > 0 {
		return nil, nil, l.errs.sorted(l.rank)
	}
	return l.result, &Findings{Warnings: l.warnings.sorted(l.rank), Execs: l.execs}, nil
}

func newLoader(cfg Config, file string) *loader {
	l := &loader{
		cfg: cfg, file: file,
		byLabel: map[label]*module{}, byName: map[string]*module{},
		predeclared: starlark.StringDict{},
		execBuiltin: execBuiltin(),
		result:      &plan.Site{Settings: plan.Settings{Verbosity: plan.DefaultVerbosity}, Tasks: []*plan.Task{}},
		inputs:      map[plan.Input]bool{}, tasks: map[string]*plan.Task{},
		usedObjects: map[*objectValue]bool{}, usedGroups: map[*groupValue]bool{},
	}
	for _, b := range builtins() {
		l.predeclared[b.Name] = b.bind(l)
	}
	for _, name := range exhaustive() {
		l.predeclared[name] = bounded(name)
	}
	l.ctxMethods = starlark.StringDict{}
	for _, b := range ctxBuiltins() {
		l.ctxMethods[strings.TrimPrefix(b.Name, "ctx.")] = b.bind(l)
	}
	l.standard = maps.Clone(l.predeclared)
	l.standard[nativeName] = nativeValue(l)
	return l
}

// run does the work. Each step is done for all modules before the next begins, so
// that a step's errors are found together.
func (l *loader) run(ctx context.Context) {
	defer l.recoverPanic()
	defer l.close()
	if l.loadModules(ctx) {
		l.finish()
	}
	l.loaded.Store(true)
}

// close ends the access to the site's directory.
func (l *loader) close() {
	if l.root != nil {
		l.root.Close()
	}
}

// loadModules reads and runs the site and what it loads. It reports whether all went well.
func (l *loader) loadModules(ctx context.Context) bool {
	if !l.openSite() {
		return false
	}
	for i := 0; i < len(l.modules) && ctx.Err() == nil; i++ {
		l.parse(l.modules[i]) // appends the modules that it loads
	}
	order := l.order()
	if l.testing {
		l.checkTests()
	}
	for _, m := range order {
		l.compile(m)
	}
	if len(l.errs) > 0 {
		return false
	}
	for _, m := range order {
		l.execute(ctx, m)
	}
	l.freezeFunctions()
	return len(l.errs) == 0
}

// recoverPanic turns a fault of palhm into an error: whatever a site has in it,
// it must not take the program down.
func (l *loader) recoverPanic() {
	if p := recover(); p != nil {
		l.add(&Error{Pos: plan.Pos{File: l.file}, Msg: fmt.Sprintf("internal error: %v", p), Hint: reportFault()})
	}
}

func reportFault() string {
	return "this is a fault of palhm; please report it with the text below\n" + string(debug.Stack())
}

// add collects an error. There is no use in more than a person can read.
func (l *loader) add(e *Error) {
	const most = 1000
	if len(l.errs) < most {
		l.errs = append(l.errs, e)
	}
}

// openSite finds and reads the site file.
func (l *loader) openSite() bool {
	fail := func(err error, hint string) bool {
		l.add(&Error{Pos: plan.Pos{File: l.file}, Msg: "cannot read the site: " + err.Error(), Hint: hint})
		return false
	}
	path := l.file
	if !filepath.IsAbs(path) {
		path = filepath.Join(l.cfg.Dir, path)
	}
	l.result.File, l.dir = path, filepath.Dir(path)
	defer l.busy("reading " + l.file)()
	text, err := readText(func(flag int) (*os.File, error) { return os.OpenFile(path, flag, 0) }, maxSource)
	if err != nil {
		if info, statErr := os.Stat(path); statErr == nil && info.IsDir() {
			return fail(err, "name the site file in it, such as "+filepath.Join(l.file, "site.star"))
		}
		return fail(err, "")
	}
	if l.root, err = os.OpenRoot(l.dir); err != nil {
		return fail(reason(err), "")
	}
	l.site = l.addModule(label{path: filepath.Base(path)}, l.file, text)
	return true
}

func (l *loader) addModule(at label, name, text string) *module {
	m := newModule(at, name, text)
	sum := sha256.Sum256([]byte(text))
	m.sum = hex.EncodeToString(sum[:])
	l.modules = append(l.modules, m)
	l.byLabel[at], l.byName[name] = m, m
	return m
}

// parse reads the syntax of a module and the modules that it loads.
func (l *loader) parse(m *module) {
	tree, err := dialect.Parse(m.name, m.text, 0)
	if err != nil {
		m.failed = true
		l.add(l.blameSyntax(m, err))
		return
	}
	if at, long := tooLong(tree); long {
		m.failed = true
		l.add(l.at(m, at, fmt.Sprintf("more than %d operators, calls or elifs in one chain", maxChain)))
		return
	}
	m.tree = tree
	if m == l.site {
		l.result.Doc = docstring(tree.Stmts)
	}
	for _, stmt := range tree.Stmts {
		if load, ok := stmt.(*syntax.LoadStmt); ok {
			m.loads = append(m.loads, loadEdge{load, l.find(m, load)})
		}
	}
}

// find gives the module that a load statement names, and reads it when it is new.
func (l *loader) find(from *module, stmt *syntax.LoadStmt) *module {
	name := stmt.ModuleName()
	at, err := from.label.resolve(name)
	if err == nil {
		if m := l.byLabel[at]; m != nil {
			return m
		}
		var m *module
		if m, err = l.readModule(at); err == nil {
			m.loadedBy = l.pos(stmt.Module.TokenPos)
			return m
		}
		err = fmt.Errorf("load %q: %w", name, err)
	}
	e := l.at(from, stmt.Module.TokenPos, err.Error())
	if at.owner == standardOwner && errors.Is(err, os.ErrNotExist) {
		e.Msg = "there is no standard module " + at.String()
		e.Hint = "the standard modules are " + joinWords(standardLabels())
	}
	e.explain(err)
	l.add(e)
	return nil
}

func (l *loader) readModule(at label) (*module, error) {
	if at.owner == standardOwner {
		f, err := std.Files.Open(at.path)
		if err != nil {
			return nil, reason(err)
		}
		defer f.Close()
		b, err := io.ReadAll(f)
		if err != nil {
			return nil, err
		}
		return l.addModule(at, at.String(), string(b)), nil
	}
	shown := filepath.Join(filepath.Dir(l.file), at.path)
	defer l.busy("reading " + shown)()
	text, err := readText(func(flag int) (*os.File, error) { return l.root.OpenFile(at.path, flag, 0) }, maxSource)
	if err != nil {
		if target, linkErr := filepath.EvalSymlinks(filepath.Join(l.dir, at.path)); linkErr == nil && !errors.Is(err, os.ErrPermission) && escapes(err) {
			return nil, fmt.Errorf("%s is a symbolic link to %s, outside of the site's directory", shown, target)
		}
		if errors.Is(err, os.ErrNotExist) {
			return nil, &hintError{fmt.Errorf("%s: %w", shown, err), l.whereSought()}
		}
		return nil, fmt.Errorf("%s: %w", shown, err)
	}
	return l.addModule(at, shown, text), nil
}

// whereSought says where the site's modules are. The directory behind a link to the site
// is another one.
func (l *loader) whereSought() string {
	where := "modules of the site are sought in " + l.dir
	if to, err := os.Readlink(l.result.File); err == nil {
		where += fmt.Sprintf(", where the site is a link to %s: name the site by its own path, or link its modules there too", to)
	}
	return where
}

// escapes reports whether os.Root refused a path because it leads outside. The
// os package has no name for that error; every other one is a number of the
// kernel's.
func escapes(err error) bool { return err.Error() == "path escapes from parent" }

// order sorts the modules so that each comes after those that it loads. A circle
// is reported and cut. It does not recurse, so that a chain of any length is fine.
func (l *loader) order() []*module {
	type frame struct {
		m    *module
		next int
	}
	var done []*module
	state := map[*module]int{} // 1 = on the stack, 2 = done
	stack := []frame{{m: l.site}}
	state[l.site] = 1
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		if top.next == len(top.m.loads) {
			state[top.m] = 2
			done = append(done, top.m)
			stack = stack[:len(stack)-1]
			continue
		}
		edge := &top.m.loads[top.next]
		top.next++
		switch target := edge.target; {
		case target == nil:
			top.m.failed = true
		case state[target] == 0:
			state[target] = 1
			stack = append(stack, frame{m: target})
		case state[target] == 1:
			circle := target.label.String()
			from := slices.IndexFunc(stack, func(f frame) bool { return f.m == target })
			for _, f := range stack[from+1:] {
				circle += " -> " + f.m.label.String()
			}
			circle += " -> " + target.label.String()
			e := l.at(top.m, edge.stmt.Module.TokenPos, "modules load each other in a circle: "+circle)
			e.Calls = nil // the circle says it already
			l.add(e)
			edge.target = nil
			top.m.failed = true
		}
	}
	return done
}

// execute runs the top level of a module, unless one that it needs has failed.
func (l *loader) execute(ctx context.Context, m *module) {
	if slices.ContainsFunc(m.loads, func(e loadEdge) bool { return e.target.failed }) {
		m.failed = true
		return
	}
	thread := l.newThread(m)
	stop := context.AfterFunc(ctx, func() { thread.Cancel(context.Cause(ctx).Error()) })
	defer stop()
	predeclared := l.predeclared
	if m.label.owner == standardOwner {
		predeclared = l.standard
	}
	globals, err := m.program.Init(thread, predeclared)
	if err != nil {
		m.failed = true
		l.blameEval(m, err)
		return
	}
	for _, name := range globals.Keys() {
		if err := freeze(globals[name]); err != nil {
			m.failed = true
			l.blameFreeze(m, name, err)
		}
	}
	m.globals = globals
}

// freezeFunctions makes immutable what the functions have captured that tasks run: they
// may run at the same time, and more than once.
func (l *loader) freezeFunctions() {
	for _, fn := range l.running {
		if err := freeze(fn); err != nil {
			l.blameFreeze(l.byName[fn.Position().Filename()], fn.Name(), err)
		}
	}
}

// blameFreeze adds the error of a value that cannot be frozen.
func (l *loader) blameFreeze(m *module, name string, err error) {
	if circle, ok := errors.AsType[*circleError](err); ok {
		l.add(l.blameFunction(circle.fn, err.Error()))
		return
	}
	l.add(&Error{Pos: plan.Pos{File: m.name}, Msg: name + ": " + err.Error(), Calls: l.loadChain(m)})
}

// newThread makes a thread that runs the text of a module.
func (l *loader) newThread(m *module) *starlark.Thread {
	thread := &starlark.Thread{
		Name: m.name,
		Load: func(_ *starlark.Thread, name string) (starlark.StringDict, error) {
			at, err := m.label.resolve(name)
			if err != nil {
				return nil, err
			}
			return l.byLabel[at].globals, nil
		},
		Print: func(thread *starlark.Thread, msg string) {
			if l.cfg.Print != nil {
				l.cfg.Print(l.callPos(thread.CallFrame(1).Pos), msg)
			}
		},
	}
	thread.SetLocal(moduleLocal, m)
	guard(thread)
	return thread
}

// moduleLocal is the thread-local variable that holds the module whose top level
// the thread runs.
const moduleLocal = "palhm.module"

func threadModule(t *starlark.Thread) *module {
	m, _ := t.Local(moduleLocal).(*module)
	return m
}

// finish fills in what is known of the site as a whole.
func (l *loader) finish() {
	all := slices.Clone(l.modules)
	slices.SortFunc(all[1:], func(a, b *module) int { return cmp.Compare(a.label.String(), b.label.String()) })
	digest := sha256.New()
	for _, m := range all {
		l.result.Modules = append(l.result.Modules, plan.Module{Label: m.label.String(), SHA256: m.sum})
		if m.own() {
			fmt.Fprintf(digest, "%s  %s\n", m.sum, m.label)
		}
	}
	l.result.Digest = hex.EncodeToString(digest.Sum(nil))
	for in := range l.inputs {
		l.result.Inputs = append(l.result.Inputs, in)
	}
	slices.SortFunc(l.result.Inputs, func(a, b plan.Input) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	l.lintUnused()
	if l.checking {
		l.lint()
	}
}

// input records a fact that the site has read while it was loaded.
func (l *loader) input(kind, name string) {
	if !l.loaded.Load() {
		l.inputs[plan.Input{Kind: kind, Name: name}] = true
	}
}

// busy says what is being done, for the error of a load that takes too long.
func (l *loader) busy(what string) (done func()) {
	l.doing.Store(what)
	return func() { l.doing.Store("") }
}

// rank orders files: the site first, then modules as they were named.
func (l *loader) rank(file string) int {
	return slices.IndexFunc(l.modules, func(m *module) bool { return m.name == file })
}
