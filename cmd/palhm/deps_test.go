package main

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "palhm/"

// rule says what a package of ours may import of ours.
type rule struct {
	pkg   string   // the package, or with a trailing /... all below
	may   []string // nil = nothing of ours
	why   string
	never []string // of others, by prefix
}

var rules = []rule{
	{pkg: "runtime/plan", why: "a plan is plain data, so that it can be printed, stored and run elsewhere"},
	{pkg: "runtime/shell", why: "writing a command down needs nothing else"},
	{pkg: "runtime/fault", why: "catching a panic needs nothing else"},
	{pkg: "runtime/words", why: "writing a size or a text down needs nothing else"},
	{pkg: "runtime/host", may: []string{"runtime/fault"}, why: "facts of the host have one reader each, which everything may use and which knows nothing of palhm", never: []string{"os/exec"}},
	{pkg: "runtime/host/hosttest", why: "making a host ill for a test needs nothing that is tested"},
	{pkg: "runtime/proc", may: []string{"runtime/host", "runtime/shell"}, why: "starting processes must be understood and tested without knowing of backups"},
	{pkg: "runtime/report", may: []string{"runtime/plan", "runtime/words"}, why: "a report is plain data and its rendering"},
	{pkg: "runtime/history", may: []string{"runtime/host"}, why: "a few lines about a run are kept without knowing what ran"},
	{pkg: "runtime/boot", may: []string{"runtime/plan", "runtime/report", "runtime/history", "runtime/host"}, why: "it asks the host, and composes nothing", never: []string{"go.starlark.net"}},
	{pkg: "runtime/rotate", may: []string{"runtime/plan", "backends"}, why: "what is removed is decided by a pure function that reaches no storage"},
	{pkg: "runtime/dnssec", may: []string{"runtime/plan", "runtime/host"}, why: "asking a resolver needs neither the engine nor the language"},
	{pkg: "runtime/dnssec/dnssectest", why: "servers for tests must not share a misunderstanding with what they test"},
	{pkg: "runtime/simulate", may: []string{"runtime/plan"}, why: "what a test says and learns is plain data: nothing that starts a process or reaches storage may be near"},
	{pkg: "runtime/player", may: []string{"runtime/plan", "runtime/shell", "runtime/proc", "runtime/report", "runtime/secret", "runtime/simulate", "runtime/engine", "backends"},
		why: "a test plays the engine in a world of its own: the host's files, network and clock are not in it", never: []string{"go.starlark.net", "os", "net"}},
	{pkg: "runtime/engine", may: []string{"runtime/plan", "runtime/fault", "runtime/host", "runtime/proc", "runtime/words", "runtime/rotate", "runtime/report", "runtime/secret", "backends"},
		why: "the engine runs any plan on any backend: it knows neither the language nor one kind of storage", never: []string{"go.starlark.net"}},
	{pkg: "starlib", may: []string{"runtime/plan", "runtime/host", "runtime/shell", "runtime/simulate", "starlib/std"}, why: "loading a site starts no process and touches no backend, and neither does playing it for a test"},
	{pkg: "starlib/std", why: "it is the text of the standard modules and nothing else"},
	{pkg: "runtime/secret", may: []string{"runtime/plan", "runtime/host"}, why: "one place reads passwords, for all that need one"},
	{pkg: "backends", may: []string{"runtime/plan"}, why: "the contract must not depend on one who keeps it"},
	{pkg: "backends/backendtest", may: []string{"backends", "runtime/plan"}, why: "the suite tests any backend and must favour none"},
	{pkg: "backends/null", may: []string{"backends", "runtime/plan"}, why: "backends do not know each other"},
	{pkg: "backends/localfs", may: []string{"backends", "backends/internal/flock", "runtime/plan", "runtime/fault", "runtime/host"}, why: "backends do not know each other"},
	{pkg: "backends/s3", may: []string{"backends", "backends/internal/flock", "runtime/plan", "runtime/fault", "runtime/host"}, why: "backends do not know each other"},
	{pkg: "backends/s3/s3test", why: "a store for tests must not share a misunderstanding with what it tests"},
	{pkg: "backends/s3/iam", may: []string{"backends", "runtime/plan"}, why: "a policy is text about a site: it needs neither a network nor the library for one"},
	{pkg: "backends/internal/flock", may: []string{"backends"}, why: "a lock on a file knows no kind of storage"},
	{pkg: "backends/mail", may: []string{"runtime/plan"}, why: "the contract must not depend on one who keeps it"},
	{pkg: "backends/mail/stdout", may: []string{"backends/mail"}, why: "mailers do not know each other"},
	{pkg: "backends/mail/mailx", may: []string{"backends/mail", "runtime/plan", "runtime/proc", "runtime/host", "runtime/words"}, why: "mailers do not know each other; this one is a process, and runs under the same guarantees as any"},
	{pkg: "backends/mail/smtp", may: []string{"backends/mail", "runtime/plan", "runtime/host"}, why: "mailers do not know each other; who opens it knows where the password is"},
	{pkg: "backends/mail/sns", may: []string{"backends/mail", "runtime/plan", "runtime/host"}, why: "mailers do not know each other"},
	{pkg: "backends/all", may: []string{"backends", "backends/null", "backends/localfs", "backends/s3", "backends/mail", "backends/mail/stdout", "backends/mail/mailx",
		"backends/mail/smtp", "backends/mail/sns", "runtime/plan", "runtime/secret"}, why: "it is the list of backends and mailers"},
	{pkg: "scripts/bench", why: "it measures the program from outside, as a user would"},
	{pkg: "cmd/palhm", may: []string{"starlib", "runtime/plan", "runtime/fault", "runtime/host", "runtime/proc", "runtime/shell", "runtime/words", "runtime/engine", "runtime/rotate", "runtime/report", "runtime/secret", "runtime/boot", "runtime/history", "runtime/dnssec", "runtime/player", "backends", "backends/mail", "backends/all", "backends/s3/iam"},
		why: "the command reaches a concrete backend through backends/all only; it prints what backends/s3/iam writes"},
}

// heavy is what no package may import, besides those that are named.
var heavy = map[string][]string{
	"github.com/aws/":      {"backends/s3", "backends/mail/sns"},
	"github.com/miekg/":    {"runtime/dnssec"},
	"github.com/wneessen/": {"backends/mail/smtp"},
	"go.starlark.net":      {"starlib"},
	"github.com/spf13/":    {"cmd/palhm"},
	"github.com/rogpeppe":  nil,
}

func TestImportsGoDown(t *testing.T) {
	seen := map[string]bool{}
	for _, line := range goList(t, `{{.ImportPath}} {{join .Imports " "}}`) {
		fields := strings.Fields(line)
		pkg, ours := strings.CutPrefix(fields[0], module)
		if !ours {
			continue
		}
		seen[pkg] = true
		r, ok := ruleFor(pkg)
		if !ok {
			t.Errorf("package %s has no rule: say here what it may import and why", pkg)
			continue
		}
		for _, imported := range fields[1:] {
			if name, ours := strings.CutPrefix(imported, module); ours && !contains(r.may, name) {
				t.Errorf("%s must not import %s: %s", pkg, name, r.why)
			}
			for _, n := range r.never {
				if strings.HasPrefix(imported, n) {
					t.Errorf("%s must not import %s: %s", pkg, imported, r.why)
				}
			}
			for prefix, allowed := range heavy {
				if strings.HasPrefix(imported, prefix) && !contains(allowed, pkg) {
					t.Errorf("%s must not import %s: it belongs to %v", pkg, imported, allowed)
				}
			}
		}
	}
	for _, r := range rules {
		if !seen[r.pkg] {
			t.Errorf("there is a rule for %s, but no such package", r.pkg)
		}
	}
}

// What only tests, tools and the language need stays out of the parts below.
func TestProcessesAndBackendsStayLight(t *testing.T) {
	for _, pkg := range []string{"runtime/proc", "runtime/engine", "backends/localfs", "backends/null"} {
		for _, dep := range goList(t, "{{.ImportPath}}", "-deps", module+pkg) {
			for _, banned := range []string{"go.starlark.net", "github.com/spf13/", "net/http", "testing"} {
				if strings.HasPrefix(dep, banned) {
					t.Errorf("%s reaches %s: it must run without the language, the command line, the network and the tests", pkg, dep)
				}
			}
		}
	}
}

// The language is handed what plays its tests.
func TestLanguageStartsNothing(t *testing.T) {
	for _, dep := range goList(t, "{{.ImportPath}}", "-deps", module+"starlib") {
		for _, banned := range []string{"runtime/proc", "runtime/engine", "runtime/player", "backends", "os/exec"} {
			if strings.TrimPrefix(dep, module) == banned {
				t.Errorf("starlib reaches %s: a site, and its tests, start no process and touch no storage", dep)
			}
		}
	}
}

func ruleFor(pkg string) (rule, bool) {
	for _, r := range rules {
		if r.pkg == pkg {
			return r, true
		}
	}
	return rule{}, false
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// goList runs go list on the whole module, or on what args name.
func goList(t *testing.T, format string, args ...string) []string {
	t.Helper()
	if len(args) == 0 {
		args = []string{module + "..."}
	}
	out, err := exec.Command("go", append([]string{"list", "-f", format}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}
