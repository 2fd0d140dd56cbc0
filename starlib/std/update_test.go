package std_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"palhm/runtime/plan"
	"palhm/runtime/shell"
)

var (
	debian     = map[string]string{"id": "debian"}
	raspbian   = map[string]string{"id": "raspbian", "id_like": "debian"}
	fedora     = map[string]string{"id": "fedora"}
	alma       = map[string]string{"id": "almalinux", "id_like": "rhel centos fedora"}
	arch       = map[string]string{"id": "arch"}
	leap       = map[string]string{"id": "opensuse-leap", "id_like": "suse opensuse"}
	tumbleweed = map[string]string{"id": "opensuse-tumbleweed", "id_like": "opensuse suse"}
)

// execOf gives the one exec that an expression of update.star makes.
func execOf(t *testing.T, system map[string]string, expr string) *plan.Exec {
	t.Helper()
	name, _, _ := strings.Cut(expr, "(")
	site, err := loadSite(t, system, `load("@palhm//update.star", "`+name+`")`+"\nroutine(\"r\", "+expr+")\n")
	if err != nil {
		t.Fatalf("%s on %v: %v", expr, system, err)
	}
	return site.Task("r").Routine.Steps[0].Pipeline[0]
}

func TestUpdateChoosesByHost(t *testing.T) {
	for _, c := range []struct {
		system           map[string]string
		refresh, upgrade string
	}{
		{debian, "apt_refresh", "apt_upgrade"},
		{raspbian, "apt_refresh", "apt_upgrade"},
		{fedora, "dnf_refresh", "dnf_upgrade"},
		{alma, "dnf_refresh", "dnf_upgrade"},
		{arch, "pacman_refresh", "pacman_upgrade"},
		{leap, "zypper_refresh", "zypper_update"},
		{tumbleweed, "zypper_refresh", "zypper_dup"},
	} {
		for call, want := range map[string]string{"refresh()": c.refresh, "upgrade()": c.upgrade} {
			got, want := shell.Quote(execOf(t, c.system, call).Argv), shell.Quote(execOf(t, c.system, want).Argv)
			if got != want {
				t.Errorf("%s on %v: got %s, want %s", call, c.system, got, want)
			}
		}
	}
	_, err := loadSite(t, map[string]string{"id": "plan9"}, "load(\"@palhm//update.star\", \"upgrade\")\nroutine(\"r\", upgrade())\n")
	if err == nil || !strings.Contains(err.Error(), `the system "plan9"`) {
		t.Errorf("got %v, want an error that names the system", err)
	}
}

func TestUpdateNeverAsks(t *testing.T) {
	for expr, want := range map[string]string{
		"dnf_refresh": "dnf -q -y --refresh makecache", "dnf_upgrade": "dnf -q -y upgrade",
		"pacman_upgrade": "pacman --noconfirm --noprogressbar --color=never -Syu",
		"zypper_refresh": "zypper --non-interactive --quiet refresh",
	} {
		if got := shell.Quote(execOf(t, debian, expr).Argv); got != want {
			t.Errorf("%s: got %s, want %s", expr, got, want)
		}
	}
	for _, expr := range []string{"apt_refresh", "apt_upgrade"} {
		x := execOf(t, debian, expr)
		if line := shell.Quote(x.Argv); !strings.Contains(line, " -y ") || !strings.Contains(line, "--force-confold") {
			t.Errorf("%s: got %s, want -y and --force-confold", expr, line)
		}
		// Another run of apt, such as that of a timer, may take minutes.
		if line := shell.Quote(x.Argv); !strings.Contains(line, " -o DPkg::Lock::Timeout=600 ") {
			t.Errorf("%s: got %s, want that the lock is waited for", expr, line)
		}
		if !hasVariable(x, "DEBIAN_FRONTEND", "noninteractive") {
			t.Errorf("%s: DEBIAN_FRONTEND is not noninteractive", expr)
		}
	}
}

func hasVariable(x *plan.Exec, name, value string) bool {
	for _, v := range x.Env {
		if v.Name == name && v.Value.Text == value {
			return true
		}
	}
	return false
}

// zypper tells of a success with several exit codes, and of failures with codes
// between them.
func TestZypperExitCodes(t *testing.T) {
	p := newPlace(t)
	p.mkdir("bin")
	fake := p.write("bin/zypper", "#!/bin/sh\nprintf '%s ' \"$@\"\nread code <$HOME/codes; sed -i 1d $HOME/codes; exit $code\n")
	if err := os.Chmod(fake, 0o700); err != nil {
		t.Fatal(err)
	}
	x := plan.Pipeline{execOf(t, leap, "zypper_update")}
	for codes, want := range map[string]struct {
		good bool
		runs int
	}{
		"0": {true, 1}, "102": {true, 1}, // 102: the host has to be started anew
		"1": {false, 1}, "4": {false, 1}, "100": {false, 1}, "104": {false, 1}, "106": {false, 1}, "107": {false, 1},
		// 103: zypper has replaced itself, and has to be run again for what is left.
		"103 0": {true, 2}, "103 102": {true, 2}, "103 103 0": {true, 3}, "103 4": {false, 2}, "103 106": {false, 2},
		"103 103 103 103 103 103 103 103": {false, 5},
	} {
		p.write("codes", strings.ReplaceAll(codes, " ", "\n")+"\n")
		out, err := p.with("PATH", p.path("bin")+":/usr/bin:/bin").try(x, nil)
		if (err == nil) != want.good {
			t.Errorf("exit codes %s: got the error %v, want it to be good: %v", codes, err, want.good)
		}
		if want := strings.Repeat("--non-interactive --quiet update --auto-agree-with-licenses ", want.runs); string(out) != want {
			t.Errorf("exit codes %s: got the arguments %q, want %q", codes, out, want)
		}
	}
}

func TestRebootNeeded(t *testing.T) {
	const (
		needrestart = "/usr/sbin/needrestart -b -k"
		dnf         = "dnf needs-restarting -r"
		zypper      = "zypper --non-interactive needs-rebooting"
		modules     = "/usr/lib/modules"
		kernels     = `find /boot/ -maxdepth 1 -name 'vmlinu[xz]-*' -printf '%F %C@ %p\n'`
		installed   = "find /usr/lib/modules/ -mindepth 2 -maxdepth 2 -name pkgbase"
		owner       = "pacman -Qqo /usr/lib/modules/6.9/pkgbase"
		rebuilt     = "find /usr/lib/modules/6.9/pkgbase -newerct @1700000000"
	)
	older, newer := "ext4 1600000000.5 /boot/vmlinuz-6.1.0-1-amd64\n", "ext4 1700000000.5 /boot/vmlinuz-6.1.0-2-amd64\n"
	running := []string{modules, modules + "/6.9", modules + "/6.9/pkgbase"}
	says := func(r map[string]reply) map[string]reply { // beside the release of the kernel
		r["uname -r"] = reply{stdout: "6.9\n"}
		return r
	}
	started := map[string]string{"/proc/stat": "cpu 1 2\nbtime 1700000000\nprocesses 5\n"}
	boot := []string{"/boot"}
	said := func(status string) map[string]reply {
		return map[string]reply{needrestart: {stdout: "NEEDRESTART-VER: 3.6\nNEEDRESTART-KCUR: 6.1.0-1\nNEEDRESTART-KSTA: " + status + "\n"}}
	}
	for _, c := range []struct {
		name   string
		system map[string]string
		host   madeUpHost
		want   string // or a part of the error
	}{
		{"apt, file", debian, madeUpHost{files: []string{"/run/reboot-required", "/usr/sbin/needrestart"}}, "True"},
		{"apt, container", debian, madeUpHost{}, "False"},
		{"apt alone, kernel installed", debian, madeUpHost{files: boot, texts: started, replies: map[string]reply{kernels: {stdout: older + newer}}}, "True"},
		{"apt alone, nothing", raspbian, madeUpHost{files: boot, texts: started, replies: map[string]reply{kernels: {stdout: older}}}, "False"},
		{"apt alone, no kernel in /boot, or not mounted", raspbian, madeUpHost{files: boot, texts: started, replies: map[string]reply{kernels: {}}}, "there is no kernel in /boot"},
		{"apt alone, no times", debian, madeUpHost{files: boot, texts: started, replies: map[string]reply{kernels: {stdout: "msdos 1600000000.0 /boot/vmlinuz-6\n"}}}, "does not keep"},
		{"apt alone, container with a directory", debian, madeUpHost{files: []string{"/boot", "/.dockerenv"}}, "False"},
		{"apt, container with needrestart", debian, madeUpHost{files: []string{"/boot", "/usr/sbin/needrestart", "/run/systemd/container"}}, "False"},
		{"apt, container that was told", debian, madeUpHost{files: []string{"/run/reboot-required", "/run/systemd/container"}}, "True"},
		{"apt alone, failed", debian, madeUpHost{files: boot, texts: started, replies: map[string]reply{kernels: {code: 1}}}, "exit code 1"},
		{"apt alone, no time", debian, madeUpHost{files: boot, texts: map[string]string{"/proc/stat": "cpu 1 2\n"}}, "does not say when the host was started"},
		{"apt alone, no proc", debian, madeUpHost{files: boot}, "no such file"},
		{"apt, same kernel", raspbian, madeUpHost{files: []string{"/usr/sbin/needrestart"}, replies: said("1")}, "False"},
		{"apt, same ABI", debian, madeUpHost{files: []string{"/usr/sbin/needrestart"}, replies: said("2")}, "True"},
		{"apt, new kernel", debian, madeUpHost{files: []string{"/usr/sbin/needrestart"}, replies: said("3")}, "True"},
		{"apt, unknown", debian, madeUpHost{files: []string{"/usr/sbin/needrestart"}, replies: said("0")}, "needrestart does not know"},
		{"apt, silent", debian, madeUpHost{files: []string{"/usr/sbin/needrestart"}, replies: map[string]reply{needrestart: {}}}, "needrestart does not know"},
		{"apt, failed", debian, madeUpHost{files: []string{"/usr/sbin/needrestart"}, replies: map[string]reply{needrestart: {code: 1}}}, "exit code 1"},
		{"dnf, no", fedora, madeUpHost{replies: map[string]reply{dnf: {stdout: "Reboot should not be necessary.\n"}}}, "False"},
		{"dnf, yes", alma, madeUpHost{replies: map[string]reply{dnf: {code: 1, stdout: "\nReboot is required to fully utilize these updates.\n"}}}, "True"},
		{"dnf, no plugin", fedora, madeUpHost{replies: map[string]reply{dnf: {code: 1, stderr: "No such command: needs-restarting."}}}, "No such command"},
		{"dnf, failed", fedora, madeUpHost{replies: map[string]reply{dnf: {code: 2}}}, "exit code 2"},
		{"pacman, same", arch, madeUpHost{files: []string{modules, modules + "/6.9"}, replies: map[string]reply{"uname -r": {stdout: "6.9\n"}}}, "False"},
		{"pacman, gone", arch, madeUpHost{files: []string{modules}, replies: says(map[string]reply{installed: {stdout: modules + "/6.10/pkgbase\n"}})}, "True"},
		{"pacman, no kernel at all", arch, madeUpHost{files: []string{modules}, replies: says(map[string]reply{installed: {}})}, "False"},
		{"pacman, kernel in a container", arch, madeUpHost{files: []string{modules, "/run/.containerenv"}}, "False"},
		{"pacman, kept by a hook", arch, madeUpHost{files: running, replies: says(map[string]reply{owner: {code: 1, stderr: "error: No package owns /usr/lib/modules/6.9/pkgbase\n"}})}, "True"},
		{"pacman, owned", arch, madeUpHost{files: running, texts: started, replies: says(map[string]reply{owner: {stdout: "linux\n"}, rebuilt: {}})}, "False"},
		{"pacman, installed again", arch, madeUpHost{files: running, texts: started, replies: says(map[string]reply{owner: {stdout: "linux\n"}, rebuilt: {stdout: modules + "/6.9/pkgbase\n"}})}, "True"},
		{"pacman, failed", arch, madeUpHost{files: running, replies: says(map[string]reply{owner: {code: 1, stderr: "error: could not open database\n"}})}, "could not open database"},
		{"pacman, no database", arch, madeUpHost{files: running, replies: says(map[string]reply{owner: {code: 255}})}, "exit code 255"},
		{"pacman, container", arch, madeUpHost{}, "False"},
		{"pacman, silent", arch, madeUpHost{files: []string{modules}, replies: map[string]reply{"uname -r": {}}}, "does not say which kernel"},
		{"zypper, no", leap, madeUpHost{replies: map[string]reply{zypper: {}}}, "False"},
		{"zypper, yes", tumbleweed, madeUpHost{replies: map[string]reply{zypper: {code: 102}}}, "True"},
		{"zypper, failed", leap, madeUpHost{replies: map[string]reply{zypper: {code: 7, stderr: "System management is locked"}}}, "is locked"},
		{"unknown system", map[string]string{"id": "plan9"}, madeUpHost{}, `the system "plan9"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.host.ask(t, c.system, "@palhm//update.star", `"reboot_needed"`, "reboot_needed(ctx)")
			if err != nil {
				got = err.Error()
			}
			if got != c.want && (err == nil || !strings.Contains(got, c.want)) {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if err != nil && !strings.Contains(got, "site.star:3:") {
				t.Errorf("got %s, want the place in the site", got)
			}
		})
	}
}

// The real find is asked as reboot_needed asks it, in another directory.
func TestKernelInstalledSinceTheStart(t *testing.T) {
	needs(t, "find")
	p := newPlace(t)
	p.mkdir("boot")
	name := p.write("boot/vmlinuz-6.1.0-2-amd64", "")
	p.write("boot/config-6.1.0-2-amd64", "")
	if err := os.Chtimes(name, time.Unix(0, 0), time.Unix(0, 0)); err != nil { // as the package has it
		t.Fatal(err)
	}
	h := &madeUpHost{files: []string{"/boot"}, texts: map[string]string{"/proc/stat": "btime 1\n"}}
	h.ask(t, debian, "@palhm//update.star", `"reboot_needed"`, "reboot_needed(ctx)") //nolint:errcheck // it has no answer
	if len(h.ran) != 1 {
		t.Fatalf("got %q, want one command", h.ran)
	}
	listed := p.sh(strings.Replace(h.ran[0], "/boot/", p.path("boot")+"/", 1))
	if !strings.HasSuffix(listed, " "+name+"\n") || strings.Count(listed, "\n") != 1 {
		t.Fatalf("got %q, want the kernel alone", listed)
	}
	for started, want := range map[int64]string{time.Now().Unix() - 3600: "True", time.Now().Unix() + 3600: "False"} {
		h := &madeUpHost{files: []string{"/boot"}, texts: map[string]string{"/proc/stat": fmt.Sprintf("btime %d\n", started)}, replies: map[string]reply{h.ran[0]: {stdout: listed}}}
		if got, err := h.ask(t, debian, "@palhm//update.star", `"reboot_needed"`, "reboot_needed(ctx)"); err != nil || got != want {
			t.Errorf("started at %d: got %s, %v, want %s", started, got, err, want)
		}
	}
}

// An upgrade that was interrupted is finished first. apt-get alone would refuse.
func TestAptUpgradeRepairs(t *testing.T) {
	p := newPlace(t)
	p.mkdir("bin")
	for name, script := range map[string]string{
		"dpkg":    `echo "dpkg $*, $DEBIAN_FRONTEND" >>$HOME/ran; exit $CODE`,
		"apt-get": `shift 8; echo "apt-get ... $*, $DEBIAN_FRONTEND" >>$HOME/ran; exit 3`,
	} {
		if err := os.Chmod(p.write("bin/"+name, "#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, code := range []string{"0", "2"} { // 2: another dpkg has the lock, and apt-get waits for it
		_, err := p.with("PATH", p.path("bin")+":/usr/bin:/bin").with("CODE", code).try(plan.Pipeline{execOf(t, debian, "upgrade()")}, nil)
		if err == nil || !strings.Contains(err.Error(), "exit code 3") {
			t.Errorf("got %v, want the exit code of apt-get", err)
		}
	}
	want := "dpkg --force-confdef --force-confold --configure -a, noninteractive\napt-get ... --with-new-pkgs upgrade, noninteractive\n"
	got, err := os.ReadFile(p.path("ran"))
	if err != nil || string(got) != want+want {
		t.Errorf("got %q, %v, want twice %q", got, err, want)
	}
}

// A package is upgraded by the real apt, from a repository and into a dpkg of the
// test's own.
func TestAptUpgrades(t *testing.T) {
	needs(t, "apt-get", "dpkg-deb", "dpkg")
	p := newRootPlace(t)
	p.sh(`
mkdir -p repo root/etc root/var/lib/dpkg/info root/var/lib/dpkg/updates state/lists/partial cache/archives/partial etc/apt.conf.d etc/preferences.d
touch root/var/lib/dpkg/status etc/sources.list
mkdir bin
cat >bin/dpkg <<END
#!/bin/sh
exec $(command -v dpkg) --root=$PWD/root --log=/dev/null --force-script-chrootless "\$@"
END
chmod 755 bin/dpkg
for v in 1 2; do
    mkdir -p build$v/DEBIAN build$v/etc
    printf 'Package: sample\nVersion: %s\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: d\n' $v >build$v/DEBIAN/control
    echo /etc/sample.conf >build$v/DEBIAN/conffiles
    echo "shipped $v" >build$v/etc/sample.conf
    dpkg-deb --build --root-owner-group build$v repo/sample_$v.deb >/dev/null
done
dpkg --log=/dev/null --force-script-chrootless --root=$PWD/root -i repo/sample_1.deb >/dev/null
echo mine >root/etc/sample.conf
cp root/var/lib/dpkg/status root/var/lib/dpkg/updates/0000 # as an interrupted dpkg leaves it
f=sample_2.deb
(cd repo; { dpkg-deb --field $f; printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' $f $(stat -c %s $f) $(sha256sum <$f | cut -d' ' -f1); } >Packages)
echo "deb [trusted=yes] file:$PWD/repo ./" >etc/sources.list
cat >apt.conf <<END
Dir::Etc "$PWD/etc";
Dir::State "$PWD/state";
Dir::State::status "$PWD/root/var/lib/dpkg/status";
Dir::Cache "$PWD/cache";
Dir::Log "$PWD";
Dpkg::Options { "--root=$PWD/root"; "--log=/dev/null"; "--force-script-chrootless"; };
APT::Sandbox::User "root";
END
`)
	q := p.with("APT_CONFIG", p.path("apt.conf")).with("PATH", p.path("bin")+":"+os.Getenv("PATH")+":/usr/sbin:/sbin")
	for _, expr := range []string{"refresh()", "upgrade()"} {
		if out, err := q.try(plan.Pipeline{execOf(t, debian, expr)}, nil); err != nil {
			t.Fatalf("%s: %v\n%s", expr, err, out)
		}
	}
	if got := p.sh(`dpkg-query --admindir=root/var/lib/dpkg -W sample; cat root/etc/sample.conf`); got != "sample\t2\nmine\n" {
		t.Errorf("got %q, want version 2, and the changed file kept", got)
	}
	// A server that is down is only warned of by apt-get alone: it has the old list.
	p.sh(`echo "deb [trusted=yes] http://127.0.0.1:1/ ./" >etc/sources.list`)
	if _, err := q.try(plan.Pipeline{execOf(t, debian, "refresh()")}, nil); err == nil {
		t.Error("got success of a server that is down, want a failure")
	}
	p.sh(`echo "deb [trusted=yes] file:$PWD/repo ./" >etc/sources.list`)
	p.sh(`rm repo/Packages`)
	if _, err := q.try(plan.Pipeline{execOf(t, debian, "refresh()")}, nil); err == nil {
		t.Error("got success without a list of packages, want a failure")
	}
}
