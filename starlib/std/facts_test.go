package std_test

import (
	"encoding/json"
	"os"
	"regexp"
	"testing"
)

func TestFacts(t *testing.T) {
	lines := map[string]string{ // what a line of each looks like
		`os_release`:                            `^ID=`,
		`dpkg_list`:                             `^dpkg\t\S+\t\w+\tinstalled$`,
		`apt_marks`:                             `^(auto|manual)\t\S+$`,
		`systemd_units`:                         `^\S+\.(service|socket|target|mount)\s+\w+`,
		`rpm_list`:                              ``,
		`dnf_list_userinstalled(vl_stderr = 4)`: ``,
	}
	program := map[string]string{
		`os_release`: "cat", `dpkg_list`: "dpkg-query", `apt_marks`: "apt-mark", `systemd_units`: "systemctl", `rpm_list`: "rpm",
		`dnf_list_userinstalled(vl_stderr = 4)`: "dnf",
	}
	for expr, want := range lines {
		t.Run(expr, func(t *testing.T) {
			needs(t, program[expr])
			out := string(newPlace(t).run(library(t, expr), nil))
			if want != "" && !regexp.MustCompile("(?m)"+want).MatchString(out) {
				t.Errorf("got %.300q, want a line like %q", out, want)
			}
		})
	}
}

func TestOSReleaseIsWhatTheHostSays(t *testing.T) {
	want, err := os.ReadFile("/etc/os-release")
	if err != nil {
		t.Skipf("needs /etc/os-release: %v", err)
	}
	equal(t, "os_release", newPlace(t).run(library(t, "os_release"), nil), want)
}

func TestRPMList(t *testing.T) {
	needs(t, "rpm", "rpmbuild")
	p := newPlace(t)
	p.write("sample.spec", "Name: sample\nEpoch: 2\nVersion: 1.0\nRelease: 3\nSummary: s\nLicense: none\nVendor: Some One\nBuildArch: noarch\n%description\n%files\n")
	p.sh("rpmbuild -bb --quiet --define \"_topdir $PWD/build\" sample.spec; rpm -i --dbpath $PWD/db --nodeps --justdb build/RPMS/noarch/*.rpm")
	out := p.run(library(t, `rpm_list("--dbpath", "`+p.path("db")+`")`), nil)
	equal(t, "rpm_list", out, []byte("sample\t2:1.0-3.noarch\tSome One\n"))
}

func TestLsblk(t *testing.T) {
	needs(t, "lsblk")
	var got struct {
		BlockDevices []map[string]any `json:"blockdevices"`
	}
	if err := json.Unmarshal(newPlace(t).run(library(t, "lsblk"), nil), &got); err != nil {
		t.Fatal(err)
	}
	for _, d := range got.BlockDevices {
		if _, isNumber := d["size"].(float64); !isNumber && d["size"] != nil {
			t.Errorf("%v: got the size %v, want bytes", d["name"], d["size"])
		}
		if _, there := d["uuid"]; !there {
			t.Errorf("%v: got no column uuid, want every column", d["name"])
		}
	}
}

// A host without groups is no failure, whatever dnf says; any other failure is one.
func TestDNFGroups(t *testing.T) {
	needs(t, "dnf")
	newPlace(t).run(library(t, "dnf_group_list_installed(vl_stderr = 4)"), nil)
	newPlace(t).fails(library(t, `dnf_group_list_installed("--no-such-option", vl_stderr = 4)`), nil, "unrecognized arguments: --no-such-option")
}

func TestDNFGroupsOfAnyHost(t *testing.T) {
	p := newPlace(t)
	p.mkdir("bin")
	for script, want := range map[string]string{
		"echo Core; echo a warning >&2": "Core\n",
		"echo 'Error: No group data available for configured repositories.' >&2; exit 1":     "",
		`echo 'Error: There are no enabled repositories in "/etc/yum.repos.d".' >&2; exit 1`: "",
	} {
		if err := os.Chmod(p.write("bin/dnf", "#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		out := p.with("PATH", p.path("bin")+":/usr/bin:/bin").run(library(t, "dnf_group_list_installed(vl_stderr = 4)"), nil)
		equal(t, script, out, []byte(want))
	}
	if err := os.Chmod(p.write("bin/dnf", "#!/bin/sh\necho Core\necho 'Error: database is locked' >&2\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	p.with("PATH", p.path("bin")+":/usr/bin:/bin").fails(library(t, "dnf_group_list_installed(vl_stderr = 4)"), nil, "database is locked")
}

// Nobody answers on this port: that is a failure of dig, and an empty answer is
// one of grep_any.
func TestDig(t *testing.T) {
	needs(t, "dig")
	newPlace(t).fails(library(t, `dig_dnssec("@127.0.0.1", "-p", "1", "+tries=1", "+time=1", "example.org", "A") | grep_any`), nil, "dig")
}
