package player_test

import (
	"context"
	"errors"
	"math/big"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"palhm/runtime/plan"
	"palhm/runtime/player"
	"palhm/runtime/simulate"
)

var played player.Player

func command(argv ...string) *plan.Exec { return &plan.Exec{Argv: argv} }

func step(stages ...*plan.Exec) plan.Step { return plan.Step{Pipeline: stages} }

func routine(steps ...plan.Step) *plan.Task {
	return &plan.Task{Name: "r", Routine: &plan.Routine{Steps: steps}}
}

// fn is a function of a site.
type fn func(context.Context, plan.Runtime) error

func (f fn) Run(ctx context.Context, rt plan.Runtime) error { return f(ctx, rt) }

func call(f fn) plan.Step { return plan.Step{Call: &plan.Call{Name: "f", Func: f}} }

func play(t *testing.T, task *plan.Task, s simulate.Setup) *simulate.Outcome {
	t.Helper()
	out, err := played.Play(t.Context(), new(plan.Site), task, s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func texts(o *simulate.Outcome) []string {
	var list []string
	for _, e := range o.Events {
		list = append(list, e.Text)
	}
	return list
}

func text(s string) *string { return &s }

// The first step that fails ends a routine, judged by the exit codes that the site calls
// good.
func TestExitCodes(t *testing.T) {
	grep := command("grep", "x")
	grep.ExitCodes = plan.ExitCodes{High: 1}
	task := routine(step(grep), step(command("a"), command("b")), step(command("c")))
	one := simulate.Reply{Pattern: "grep *", Answers: []simulate.Answer{{Code: 1}}}
	if out := play(t, task, simulate.Setup{Replies: []simulate.Reply{one}}); out.Err != nil || len(out.Events) != 3 {
		t.Errorf("got %v after %q", out.Err, texts(out))
	}
	for _, c := range []struct {
		answer simulate.Answer
		want   string
	}{
		{simulate.Answer{Code: 3}, "task r: step 2: stage 1 of 2 (a): exit code 3, want 0"},
		{simulate.Answer{Signal: plan.Signal(syscall.SIGKILL)}, "task r: step 2: stage 1 of 2 (a): killed by SIGKILL"},
		{simulate.Answer{Signal: plan.Signal(syscall.SIGPIPE)}, "task r: step 2: stage 1 of 2 (a): killed by SIGPIPE: its reader stopped early"},
	} {
		out := play(t, task, simulate.Setup{Replies: []simulate.Reply{{Pattern: "a", Answers: []simulate.Answer{c.answer}}}})
		if out.Err == nil || out.Err.Error() != c.want || out.Exit != 1 {
			t.Errorf("got %v, exit %d, want %s", out.Err, out.Exit, c.want)
		}
		if got := texts(out); len(got) != 2 {
			t.Errorf("got %q, want nothing after the failure", got)
		}
	}
}

// A stage without a reply passes on what it reads; stages and a whole pipeline have their
// own patterns.
func TestOutput(t *testing.T) {
	var got []string
	task := routine(call(func(ctx context.Context, rt plan.Runtime) error {
		for _, s := range []plan.Step{step(command("psql"), command("sort")), step(command("psql")), step(command("id"))} {
			r, err := rt.Run(ctx, s, plan.RunOptions{})
			if err != nil {
				return err
			}
			got = append(got, string(r.Stdout))
		}
		return nil
	}))
	for _, c := range []struct {
		replies []simulate.Reply
		want    []string
	}{
		{nil, []string{"", "", ""}},
		{[]simulate.Reply{{Pattern: "psql", Answers: []simulate.Answer{{Stdout: text("a")}}}}, []string{"a", "a", ""}},
		{[]simulate.Reply{{Pattern: "psql | *", Answers: []simulate.Answer{{Stdout: text("b")}}}}, []string{"b", "", ""}},
		{[]simulate.Reply{{Pattern: "*", InTurn: true, Answers: []simulate.Answer{{Stdout: text("1")}, {}, {Stdout: text("3")}, {Stdout: text("4")}}}}, []string{"1", "3", "4"}},
	} {
		got = nil
		out := play(t, task, simulate.Setup{Replies: c.replies})
		if !slices.Equal(got, c.want) || len(out.Unused)+len(out.Overused) > 0 {
			t.Errorf("got %q, %v, %v, want %q", got, out.Unused, out.Overused, c.want)
		}
	}
}

// A reply that is not asked for is told, and one that is asked for too often.
func TestRepliesAreCounted(t *testing.T) {
	task := routine(step(command("a")), step(command("a")))
	out := play(t, task, simulate.Setup{Replies: []simulate.Reply{
		{Pattern: "b", Answers: make([]simulate.Answer, 1)},
		{Pattern: "a", InTurn: true, Answers: make([]simulate.Answer, 3)},
		{Pattern: "a*", Answers: make([]simulate.Answer, 1)},
	}})
	want := []simulate.Unused{{Pattern: "b", Answers: 1}, {Pattern: "a", Answers: 3, Asked: 2}, {Pattern: "a*", Answers: 1}}
	if !slices.Equal(out.Unused, want) {
		t.Errorf("got %v, want %v", out.Unused, want)
	}
	out = play(t, task, simulate.Setup{Replies: []simulate.Reply{{Pattern: "a", InTurn: true, Answers: make([]simulate.Answer, 1)}}})
	if !slices.Equal(out.Overused, []string{"a"}) {
		t.Errorf("got %q, want one", out.Overused)
	}
}

// Time passes only when the task lets it pass, and its limits hold.
func TestClock(t *testing.T) {
	start := time.Date(2026, 3, 1, 22, 0, 0, 0, time.UTC)
	sleep := func(d time.Duration) plan.Step {
		return call(func(ctx context.Context, rt plan.Runtime) error { return rt.Sleep(ctx, d) })
	}
	task := routine(sleep(time.Hour), step(command("slow")))
	slow := []simulate.Reply{{Pattern: "slow", Answers: []simulate.Answer{{Takes: time.Minute}}}}
	if out := play(t, task, simulate.Setup{Now: start, Replies: slow}); !out.End.Equal(start.Add(61 * time.Minute)) {
		t.Errorf("it ends at %v", out.End)
	}
	task.Timeout = time.Hour
	out := play(t, task, simulate.Setup{Now: start, Replies: slow})
	if out.Err == nil || !strings.Contains(out.Err.Error(), "task r timed out after 1h0m0s") {
		t.Errorf("got %v, want the time limit of the task", out.Err)
	}
	brief := command("slow")
	brief.Timeout = time.Second
	if out := play(t, routine(step(brief)), simulate.Setup{Replies: slow}); out.Err == nil || !strings.Contains(out.Err.Error(), "slow: timed out after 1s") {
		t.Errorf("got %v, want the time limit of the exec", out.Err)
	}
}

// Deferred work is played after the time limit of a task, too.
func TestGrace(t *testing.T) {
	task := routine(call(func(ctx context.Context, rt plan.Runtime) error {
		err := rt.Sleep(ctx, 2*time.Hour)
		grace, cancel := rt.Grace(ctx)
		defer cancel()
		if _, err := rt.Run(grace, step(command("umount")), plan.RunOptions{}); err != nil {
			t.Errorf("deferred: %v", err)
		}
		return err
	}))
	task.Timeout = time.Hour
	if out := play(t, task, simulate.Setup{}); out.Err == nil || !slices.Equal(texts(out), []string{"umount"}) {
		t.Errorf("got %v after %q", out.Err, texts(out))
	}
}

// It has 30 seconds from the end of the task on, whenever it began.
func TestGraceEnds(t *testing.T) {
	for _, wait := range []time.Duration{0, 2 * time.Hour} {
		task := routine(call(func(ctx context.Context, rt plan.Runtime) error {
			rt.Sleep(ctx, wait) //nolint:errcheck // the time limit ends it, or it does not wait
			grace, cancel := rt.Grace(ctx)
			defer cancel()
			_, err := rt.Run(grace, step(command("umount")), plan.RunOptions{})
			return err
		}))
		task.Timeout = time.Hour
		out := play(t, task, simulate.Setup{Replies: []simulate.Reply{{Pattern: "umount", Answers: []simulate.Answer{{Takes: 3 * time.Hour}}}}})
		if want := "stopped: a deferred function timed out after 30s"; out.Err == nil || !strings.Contains(out.Err.Error(), want) {
			t.Errorf("got %v, want %s", out.Err, want)
		}
		if got, want := out.End.Sub(time.Time{}), time.Hour+30*time.Second; got != want {
			t.Errorf("it took %v, want %v", got, want)
		}
	}
}

// It ends with the simulation, too.
func TestGraceIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	_, err := played.Play(ctx, new(plan.Site), routine(call(func(ctx context.Context, rt plan.Runtime) error {
		grace, end := rt.Grace(ctx)
		defer end()
		cancel(why)
		<-grace.Done()
		return context.Cause(grace)
	})), simulate.Setup{})
	if !errors.Is(err, why) {
		t.Errorf("got %v, want the cause", err)
	}
}

// A loop without an end ends.
func TestRunaway(t *testing.T) {
	out, err := played.Play(t.Context(), new(plan.Site), routine(call(func(ctx context.Context, rt plan.Runtime) error {
		for ctx.Err() == nil {
			rt.Run(ctx, step(command("true")), plan.RunOptions{}) //nolint:errcheck // it looks at ctx
		}
		return context.Cause(ctx)
	})), simulate.Setup{})
	if !errors.Is(err, simulate.ErrRunaway) || len(out.Events) > 200_000 {
		t.Errorf("got %v after %d events", err, len(out.Events))
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	_, err := played.Play(ctx, new(plan.Site), routine(call(func(ctx context.Context, rt plan.Runtime) error {
		cancel(why)
		return rt.Sleep(ctx, time.Second)
	})), simulate.Setup{})
	if !errors.Is(err, why) {
		t.Errorf("got %v, want the cause", err)
	}
}

// Only the files of the test are there.
func TestFiles(t *testing.T) {
	out := play(t, routine(call(func(ctx context.Context, rt plan.Runtime) error {
		for path, want := range map[string]bool{"/run/x": true, "/run": true, "/run/": true, "/": true, "/ru": false, "/etc/passwd": false} {
			if got, err := rt.Exists(path); got != want || err != nil {
				t.Errorf("%s: got %v, %v, want %v", path, got, err, want)
			}
		}
		if b, err := rt.ReadFile(ctx, "/run/x"); string(b) != "text" || err != nil {
			t.Errorf("got %q, %v", b, err)
		}
		_, err := rt.ReadFile(ctx, "/etc/passwd")
		return err
	})), simulate.Setup{Files: map[string]string{"/run/x": "text"}})
	if out.Err == nil || !strings.Contains(out.Err.Error(), "/etc/passwd") {
		t.Errorf("got %v, want that there is no such file", out.Err)
	}
}

// objects is a function that gives objects.
type objects []*plan.Object

func (o objects) Objects(context.Context, plan.Runtime) ([]*plan.Object, error) { return o, nil }

func object(path string) *plan.Object {
	return &plan.Object{Path: path, Pipeline: plan.Pipeline{command("make", path)}}
}

func backup(groups ...*plan.Group) *plan.Task {
	return &plan.Task{Name: "save", Backup: &plan.Backup{Backends: []plan.Backend{{Kind: "localfs", LocalFS: &plan.LocalFS{Root: "/b"}}}, Groups: groups}}
}

func TestBackup(t *testing.T) {
	task := backup(
		&plan.Group{Name: "late", Depends: []int{1}, Objects: []*plan.Object{object("late")}},
		&plan.Group{Name: "early", Objects: []*plan.Object{object("early")}, Make: &plan.ObjectsCall{Name: "more", Func: objects{object("made")}}},
	)
	full := simulate.Setup{Replies: []simulate.Reply{{Pattern: "make *", Answers: []simulate.Answer{{Stdout: text("x")}}}}}
	out := play(t, task, full)
	if want := []string{"early", "made", "late"}; !slices.Equal(out.Objects, want) || out.Err != nil {
		t.Errorf("got %q, %v, want %q", out.Objects, out.Err, want)
	}
	for path, want := range map[string]string{
		"early": `two objects have the path "early"`, "late/x": "one is a directory of the other",
		"../x": `component ".."`, strings.Repeat("x/", 510) + "x": "the longest is 1024",
	} {
		task.Backup.Groups[1].Make.Func = objects{object(path)}
		if out := play(t, task, full); out.Err == nil || !strings.Contains(out.Err.Error(), want) {
			t.Errorf("%.20s: got %v, want %s", path, out.Err, want)
		}
	}
	task = backup(&plan.Group{Name: "g", Make: &plan.ObjectsCall{Name: "none", Func: objects{}}})
	if out := play(t, task, simulate.Setup{}); out.Err == nil || !strings.Contains(out.Err.Error(), plan.ErrNoObjects.Error()) {
		t.Errorf("got %v, want that an empty copy is refused", out.Err)
	}
}

// What is too small is no object, also when no reply says what is printed.
func TestMinSize(t *testing.T) {
	o := object("dump")
	o.MinSize, o.Retry = new(int64(3)), 1
	task := backup(&plan.Group{Name: "g", Objects: []*plan.Object{o}})
	reply := func(list ...simulate.Answer) simulate.Setup {
		return simulate.Setup{Replies: []simulate.Reply{{Pattern: "*", InTurn: true, Answers: list}}}
	}
	if out := play(t, task, simulate.Setup{}); out.Err == nil || !strings.Contains(out.Err.Error(), "got 0 bytes, want at least min_size 3") {
		t.Errorf("got %v, want that nothing is too small", out.Err)
	}
	if out := play(t, task, reply(simulate.Answer{Stdout: text("")}, simulate.Answer{Stdout: text("abc")})); out.Err != nil {
		t.Errorf("got %v, want that the second attempt is good", out.Err)
	}
	if out := play(t, task, reply(simulate.Answer{Stdout: text("")}, simulate.Answer{Stdout: text("ab")})); out.Err == nil ||
		!strings.Contains(out.Err.Error(), "got 2 bytes, want at least min_size 3") {
		t.Errorf("got %v, want that it is too small", out.Err)
	}
}

// The copies that are left are those that palhm rotate would leave.
func TestRotate(t *testing.T) {
	gib := int64(1) << 30
	limits := plan.Limits{Copies: plan.NewLimit(big.NewInt(7))}
	task := backup()
	task.Backup.Backends[0].Limits = limits
	future := simulate.Future{Now: time.Date(2026, 1, 1, 2, 0, 0, 0, time.UTC), Days: 90, Every: 24 * time.Hour, Sizes: []int64{10 * gib}}
	check := func(what string, f simulate.Future, left, removed, peak int, bytes int64) *simulate.Rotation {
		t.Helper()
		r, err := played.Rotate(t.Context(), task, f)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Left) != left || len(r.Removed) != removed || r.PeakCopies != peak || r.PeakBytes.Int64() != bytes {
			t.Errorf("%s: got %d left, %d removed, peak %d and %s, want %d, %d, %d and %d", what, len(r.Left), len(r.Removed), r.PeakCopies, r.PeakBytes,
				left, removed, peak, bytes)
		}
		return r
	}
	r := check("by number", future, 7, 83, 8, 80*gib)
	if got := r.Left[6].Time.Format(time.DateTime); got != "2026-03-31 02:00:00" {
		t.Errorf("the last copy is of %s", got)
	}
	if first := r.Removed[0]; !first.Time.Equal(future.Now) || !first.Removed.Equal(future.Now.AddDate(0, 0, 7)) {
		t.Errorf("the first that goes is %+v", first)
	}
	future.Found = []int64{gib, gib, gib}
	check("with copies that are there", future, 7, 86, 8, 80*gib)
	future.Found, future.Every = nil, 12*time.Hour
	check("twice a day", future, 7, 173, 8, 80*gib)
	future.Every, future.Sizes = 24*time.Hour, []int64{gib, 3 * gib}
	task.Backup.Backends[0].Limits.Bytes = plan.NewLimit(big.NewInt(10 * gib))
	check("by size", future, 3, 87, 5, 13*gib)
	task.Backup.Backends[0].Limits.Bytes = plan.NewLimit(big.NewInt(2 * gib))
	if r := check("too small", future, 7, 83, 8, 24*gib); len(r.Notices) == 0 || !strings.Contains(r.Notices[0], "alone has") {
		t.Errorf("got %q, want that the limit is below one copy", r.Notices)
	}
}

// A locked copy stays whatever the limits say.
func TestRotateLocked(t *testing.T) {
	task := backup()
	task.Backup.Backends[0] = plan.Backend{Kind: "aws_s3", S3: &plan.S3{Bucket: "b", LockMode: "GOVERNANCE", LockDays: 30},
		Limits: plan.Limits{Copies: plan.NewLimit(big.NewInt(7))}}
	r, err := played.Rotate(t.Context(), task, simulate.Future{Now: time.Unix(0, 0), Days: 90, Every: 24 * time.Hour, Sizes: []int64{1}})
	if err != nil || len(r.Left) != 30 || r.PeakCopies != 31 || !strings.HasPrefix(r.Left[0].Reason, "kept until ") {
		t.Errorf("got %d left, peak %d, %v", len(r.Left), r.PeakCopies, err)
	}
	task.Backup.Backends[0] = plan.Backend{Kind: "null"}
	if _, err := played.Rotate(t.Context(), task, simulate.Future{Days: 1, Every: time.Hour, Sizes: []int64{1}}); err == nil {
		t.Error("null keeps copies")
	}
}

// What is no command has patterns of its own.
func TestOtherSteps(t *testing.T) {
	nested := routine(step(command("a")))
	nested.Name = "nested"
	task := routine(
		plan.Step{Sigmask: &plan.Sigmask{Block: []plan.Signal{15, 1}, Unblock: []plan.Signal{2}}},
		plan.Step{DNSSEC: &plan.DNSSECCheck{Name: "example.org"}},
		plan.Step{Task: nested, TaskName: "nested"},
	)
	want := []string{"sigmask:block SIGTERM SIGHUP", "sigmask:unblock SIGINT", "dnssec_check:example.org", "task:nested", "a"}
	if out := play(t, task, simulate.Setup{}); out.Err != nil || !slices.Equal(texts(out), want) {
		t.Errorf("got %q, %v, want %q", texts(out), out.Err, want)
	}
	for pattern, want := range map[string]string{
		"dnssec_check:*": "task r: step 2: example.org: bogus",
		"task:nested":    "task r: step 3: task nested: bogus",
	} {
		out := play(t, task, simulate.Setup{Replies: []simulate.Reply{{Pattern: pattern, Answers: []simulate.Answer{{Code: 1, Stderr: "bogus\n"}}}}})
		if out.Err == nil || out.Err.Error() != want {
			t.Errorf("got %v, want %s", out.Err, want)
		}
	}
	safe := simulate.Reply{Pattern: "task:nested", Answers: []simulate.Answer{{Code: 4, Stderr: "rotation failed"}}}
	out := play(t, task, simulate.Setup{Replies: []simulate.Reply{safe}})
	if out.Err != nil || out.Exit != 4 || !slices.Equal(out.Warnings, []string{"nested: rotation failed"}) {
		t.Errorf("got %v, exit %d, %q", out.Err, out.Exit, out.Warnings)
	}
}

// What fails says so in the words of a run, so that a test that looks for them is right.
func TestWordsOfARun(t *testing.T) {
	large := text(strings.Repeat("x", plan.MaxCapture+1))
	run := func(s plan.Step, o plan.RunOptions) plan.Step {
		return call(func(ctx context.Context, rt plan.Runtime) error {
			_, err := rt.Run(ctx, s, o)
			return err
		})
	}
	read := call(func(ctx context.Context, rt plan.Runtime) error {
		_, err := rt.ReadFile(ctx, "/x")
		return err
	})
	for want, s := range map[string]plan.Step{
		"open /x: no such file or directory":          read,
		"big: " + plan.ErrCapture.Error():             run(step(command("big")), plan.RunOptions{Capture: plan.CaptureAll}),
		"stopped: ctx.run of slow timed out after 1s": run(step(command("slow")), plan.RunOptions{Timeout: time.Second}),
		"example.org: the check failed":               run(plan.Step{DNSSEC: &plan.DNSSECCheck{Name: "example.org"}}, plan.RunOptions{}),
		strings.Repeat("y", 156) + " ...: exit code":  step(command(strings.Repeat("y", 1000))),
	} {
		out := play(t, routine(s), simulate.Setup{Replies: []simulate.Reply{
			{Pattern: "big", Answers: []simulate.Answer{{Stdout: large}}},
			{Pattern: "slow", Answers: []simulate.Answer{{Takes: time.Minute}}},
			{Pattern: "dnssec_check:*", Answers: []simulate.Answer{{Code: 1}}},
			{Pattern: "yy*", Answers: []simulate.Answer{{Code: 1}}},
		}})
		if out.Err == nil || !strings.Contains(out.Err.Error(), want) {
			t.Errorf("got %v, want %s", out.Err, want)
		}
	}
	mask := plan.Step{Sigmask: &plan.Sigmask{Block: []plan.Signal{15}}}
	if out := play(t, routine(run(mask, plan.RunOptions{})), simulate.Setup{}); out.Err != nil || !slices.Equal(texts(out), []string{"sigmask:block SIGTERM"}) {
		t.Errorf("got %q, %v, want the mask", texts(out), out.Err)
	}
}
