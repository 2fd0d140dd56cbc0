package std_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"palhm/runtime/plan"
	"palhm/starlib"
)

// loadScript loads one of the sites that users copy, with no program installed or
// with those of this host.
func loadScript(t *testing.T, name, path, osID string) *plan.Site {
	t.Helper()
	file, err := filepath.Abs(filepath.Join("..", "..", "scripts", name))
	if err != nil {
		t.Fatal(err)
	}
	lookup := func(name string) (string, bool) {
		if name == "PATH" {
			return path, true
		}
		return os.LookupEnv(name)
	}
	host := starlib.Host{Name: "web1", OS: map[string]string{"id": osID}}
	site, err := starlib.Load(t.Context(), starlib.Config{Dir: t.TempDir(), LookupEnv: lookup, Host: host}, file)
	if err != nil {
		t.Fatal(err)
	}
	return site
}

// The first site is for any Linux: with many programs, with next to none, and
// where tar is BusyBox's.
func TestFirstSiteMakesDoWithWhatIsThere(t *testing.T) {
	p := newPlace(t)
	bare := p.mkdir("bin")
	for _, name := range []string{"sh", "cat", "uname"} {
		if err := os.Symlink(needs(t, name), filepath.Join(bare, name)); err != nil {
			t.Fatal(err)
		}
	}
	for what, on := range map[string]struct{ path, osID string }{
		"this host":     {os.Getenv("PATH"), "debian"},
		"alpine":        {os.Getenv("PATH"), "alpine"},
		"few programs":  {bare, "debian"},
		"no os-release": {bare, ""},
	} {
		t.Run(what, func(t *testing.T) {
			site := loadScript(t, "site.star", on.path, on.osID)
			if site.Task("default") == nil || site.Task("backup") == nil {
				t.Fatal("got no task default or no task backup")
			}
			b := site.Task("backup").Backup
			if got := b.Backends[0].Root(); filepath.Base(got) != "palhm-backup" {
				t.Errorf("got the root %s, want palhm-backup in the current directory", got)
			}
			for _, g := range b.Groups {
				for _, o := range g.Objects {
					if o.LeastSize(b.Backends[0]) > 0 || g.Name == "files" {
						if out := p.with("PATH", on.path).run(o.Pipeline, nil); len(out) == 0 {
							t.Errorf("%s is empty", o.Path)
						}
					}
				}
			}
		})
	}
}

func TestServerSite(t *testing.T) {
	site := loadScript(t, "server.star", os.Getenv("PATH"), "debian")
	b := site.Task("backup").Backup
	for _, g := range b.Groups {
		for _, o := range g.Objects {
			if g.Name != "facts" && o.Pipeline[len(o.Pipeline)-1].Argv[0] != "gpg" {
				t.Errorf("%s is not encrypted", o.Path)
			}
			if dump := o.Pipeline[0]; dump.Inverse != nil && dump.Inverse.User != dump.User {
				t.Errorf("%s is dumped as user %q and loaded as user %q", o.Path, dump.User, dump.Inverse.User)
			}
		}
	}
}

// What the server does at night depends on what has gone well, and on the kernel.
func TestServerSiteDecides(t *testing.T) {
	for _, c := range []struct {
		name string
		host madeUpHost
		ran  string
		well bool
	}{
		{"all well", madeUpHost{}, "task backup, task update", true},
		{"new kernel", madeUpHost{files: []string{"/run/reboot-required"}}, "task backup, task update, task reboot", true},
		{"no backup", madeUpHost{files: []string{"/run/reboot-required"}, replies: map[string]reply{"task backup": {code: 1}}}, "task backup", false},
		{"no update", madeUpHost{files: []string{"/run/reboot-required"}, replies: map[string]reply{"task update": {code: 1}}}, "task backup, task update", false},
		{"no answer", madeUpHost{files: []string{"/usr/sbin/needrestart"}}, "task backup, task update, /usr/sbin/needrestart -b -k", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			site := loadScript(t, "server.star", os.Getenv("PATH"), "debian")
			err := site.Task("default").Routine.Steps[0].Call.Func.Run(t.Context(), &c.host)
			if (err == nil) != c.well {
				t.Errorf("got the error %v, want it to go well: %v", err, c.well)
			}
			if got := strings.Join(c.host.ran, ", "); got != c.ran {
				t.Errorf("ran %s, want %s", got, c.ran)
			}
		})
	}
}

func TestDNSSECSite(t *testing.T) {
	site := loadScript(t, "dnssec.star", os.Getenv("PATH"), "debian")
	if steps := site.Task("default").Routine.Steps; len(steps) != 1 || steps[0].Call == nil {
		t.Errorf("got the steps %v, want a function", steps)
	}
	objects := site.Task("old").Backup.Groups[0].Objects
	if len(objects) != 2 || objects[0].Pipeline[0].Argv[0] != "dig" {
		t.Errorf("got %d objects, want one of dig for each of two zones", len(objects))
	}
}
