package starlib

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"palhm/runtime/plan"
	"palhm/runtime/simulate"
)

// TestFile is what came of the tests in a file.
type TestFile struct {
	File  string
	Tests []TestResult // in the order of the file
}

// TestResult is what came of one test.
type TestResult struct {
	Name     string
	Pos      plan.Pos    // of its definition
	Failures Errors      // in the order in which they were found; none = it has passed
	Played   []Simulated // what it has played
}

// Simulated is a task that a test has played.
type Simulated struct {
	Pos     plan.Pos // of the call
	Outcome *simulate.Outcome
}

// testLimit bounds one test, by the real clock.
const testLimit = time.Minute

// testPrefix begins the name of each function that is a test.
const testPrefix = "test_"

// A Player plays tasks for tests, and looks into the future of their copies. Its errors
// are about what it was asked; what became of a task is in the outcome.
type Player interface {
	Play(context.Context, *plan.Site, *plan.Task, simulate.Setup) (*simulate.Outcome, error)
	Rotate(context.Context, *plan.Task, simulate.Future) (*simulate.Rotation, error)
}

// Test runs the tests of a file; p plays what they simulate. site is the file of the site
// that they are about, unless they name another one. The error is an Errors when the test
// file cannot be loaded. It is the cause of ctx when that ended the tests: then the result
// has those that ended before.
func Test(ctx context.Context, cfg Config, p Player, file, site string) (*TestFile, error) {
	return testFile(ctx, cfg, p, file, site, testLimit)
}

// testFile does not wait for what hangs in the kernel when ctx ends.
func testFile(ctx context.Context, cfg Config, p Player, file, site string, limit time.Duration) (*TestFile, error) {
	result := &TestFile{File: file}
	if ctx.Err() != nil {
		return result, context.Cause(ctx)
	}
	ran := make(chan TestResult)
	var failed error
	go func() {
		defer close(ran)
		failed = runTests(ctx, cfg, p, file, site, limit, ran)
	}()
	for {
		select {
		case t, more := <-ran:
			if !more {
				return result, failed
			}
			result.Tests = append(result.Tests, t)
		case <-ctx.Done():
			select {
			case t, more := <-ran:
				if more {
					result.Tests = append(result.Tests, t)
				}
			case <-time.After(time.Second):
			}
			return result, context.Cause(ctx)
		}
	}
}

// runTests sends each test that has ended before ctx has.
func runTests(ctx context.Context, cfg Config, p Player, file, site string, limit time.Duration, ran chan<- TestResult) error {
	if cfg.LookupEnv == nil {
		cfg.LookupEnv = func(string) (string, bool) { return "", false }
	}
	l := newLoader(cfg, file)
	l.testing = true
	defer l.close()
	tests := l.loadTests(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if len(l.errs) > 0 {
		return l.errs.sorted(l.rank)
	}
	l.loaded.Store(true)
	r := &tester{l: l, cfg: cfg, player: p, site: site, limit: limit, sites: map[string]*loadedSite{}}
	for _, fn := range tests {
		t := r.run(ctx, fn)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		select {
		case ran <- t:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// loadTests loads a test file and returns its tests, in their order.
func (l *loader) loadTests(ctx context.Context) []*starlark.Function {
	defer l.recoverPanic()
	limited, cancel := context.WithTimeoutCause(ctx, timeLimit, fmt.Errorf("loading took longer than %v", timeLimit))
	defer cancel()
	limited, enough := withMemory(limited, maxMemory)
	defer enough()
	if !l.loadModules(limited) {
		return nil
	}
	var tests []*starlark.Function
	for name, v := range l.site.globals {
		fn, ok := v.(*starlark.Function)
		if ok && strings.HasPrefix(name, testPrefix) && fn.Name() == name {
			tests = append(tests, fn)
		}
	}
	slices.SortFunc(tests, func(a, b *starlark.Function) int { return int(a.Position().Line - b.Position().Line) })
	return tests
}

// checkTests looks at the tests of a file before it is run: one that nobody calls proves
// nothing.
func (l *loader) checkTests() {
	if l.site.tree == nil {
		return
	}
	first := map[string]plan.Pos{}
	for _, stmt := range l.site.tree.Stmts {
		def, ok := stmt.(*syntax.DefStmt)
		if !ok || !strings.HasPrefix(def.Name.Name, testPrefix) {
			continue
		}
		name, at := def.Name.Name, def.Name.NamePos
		if other, twice := first[name]; twice {
			e := l.at(l.site, at, fmt.Sprintf("two tests are named %s, and only this one would run", name))
			e.Notes = []Note{{other, "the first one"}}
			l.add(e)
			continue
		}
		first[name] = l.pos(at)
		if len(def.Params) != 1 {
			e := l.at(l.site, at, fmt.Sprintf("the test %s has %d parameters, want one", name, len(def.Params)))
			e.Hint = fmt.Sprintf("write def %s(t):", name)
			l.add(e)
		}
	}
	if len(first) == 0 {
		l.add(&Error{Pos: plan.Pos{File: l.file}, Msg: "there is no test in it", Hint: "a test is a function: def test_nightly(t):"})
	}
}

// tester runs the tests of a file, one after the other.
type tester struct {
	l      *loader
	cfg    Config
	player Player
	site   string // unless a test names another one
	limit  time.Duration
	sites  map[string]*loadedSite

	// of the test that runs
	ctx    context.Context
	chosen string // the site
	facts  facts
	played []Simulated
}

// run runs one test.
func (r *tester) run(ctx context.Context, fn *starlark.Function) TestResult {
	ctx, cancel := context.WithTimeoutCause(ctx, r.limit, fmt.Errorf("the test took longer than %v", r.limit))
	defer cancel()
	ctx, enough := withMemory(ctx, maxMemory)
	defer enough()
	l := r.l
	thread := l.newThread(l.site)
	stop := context.AfterFunc(ctx, func() { thread.Cancel(context.Cause(ctx).Error()) })
	defer stop()
	r.ctx, r.chosen, r.facts, r.played, l.errs = ctx, r.site, facts{}, nil, nil
	r.call(thread, fn)
	return TestResult{Name: fn.Name(), Pos: l.pos(fn.Position()), Failures: l.errs, Played: r.played}
}

func (r *tester) call(thread *starlark.Thread, fn *starlark.Function) {
	defer r.l.recoverPanic()
	v, err := starlark.Call(thread, fn, starlark.Tuple{r.value()}, nil)
	switch {
	case err != nil:
		r.l.blameEval(r.l.site, err)
	case v != starlark.None:
		// "return x == y" looks like a check.
		r.l.add(&Error{Pos: r.l.pos(fn.Position()), Msg: fmt.Sprintf("%s returned %s, and a test returns nothing", fn.Name(), describe(v)),
			Hint: "check it: t.true(...)", source: r.l.site.line(int(fn.Position().Line))})
	}
}

// fail adds a failure of a check. The test goes on.
func (r *tester) fail(c *call, err error, more ...string) starlark.Value {
	e := c.blame(err)
	e.More = more
	r.l.add(e)
	return starlark.False
}

// end adds an error, and ends the test.
func (r *tester) end(c *call, err error, more ...string) error {
	r.fail(c, err, more...)
	return errReported
}
