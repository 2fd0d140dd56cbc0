package std_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// gnuTar skips the test where tar is another program.
func gnuTar(t *testing.T, p *place) {
	t.Helper()
	needs(t, "tar")
	if !strings.Contains(p.sh("tar --version"), "GNU tar") {
		t.Skip("needs GNU tar")
	}
}

const listing = `cd tree; find . -printf '%P %y %m %U:%G %s %T@ %l\n' | sort; find . -type f -print0 | sort -z | xargs -0 sha256sum`

func TestTarKeepsFilesAsTheyAre(t *testing.T) {
	p := newPlace(t)
	gnuTar(t, p)
	p.sh(`
mkdir -p tree/dir tree/closed
echo text of the file >"tree/dir/a name with spaces and ☃"
printf 'new\nline' >"$(printf 'tree/a\nb')"
ln tree/dir/* tree/hard
ln -s nowhere tree/dangling
mkfifo tree/fifo
truncate -s 50M tree/sparse; printf x >>tree/sparse
chmod 4711 tree/hard; chmod 500 tree/closed
touch -d '1999-12-31 23:59:59.123456789' tree/dir`)
	dump := library(t, `tar("tree")`)
	archive := p.run(dump, nil)
	if len(archive) > 1<<20 {
		t.Errorf("the archive has %d bytes, want the hole of 50 MiB left out", len(archive))
	}
	to := newPlace(t)
	to.run(inverse(t, dump), archive)
	equal(t, "listing", []byte(to.sh(listing)), []byte(p.sh(listing)))
	to.sh("test tree/hard -ef 'tree/dir/a name with spaces and ☃'")
	to.sh("test $(stat -c %b tree/sparse) -lt 1000")

	// Cut within a header and within a file. (Between two files tar notices nothing.)
	for _, cut := range []int{700, bytes.Index(archive, []byte("text of the file")) + 5} {
		newPlace(t).fails(inverse(t, dump), archive[:cut], "tar: ")
	}
}

func TestTarKeepsExtendedAttributesAndACLs(t *testing.T) {
	p := newPlace(t)
	gnuTar(t, p)
	needs(t, "setfacl", "setfattr")
	attributes := `cd tree; getfacl -nR .; getfattr -Rd -m - -e hex .`
	if _, err := p.try(library(t, `exec("sh", "-ec", "mkdir -p tree/dir; echo x >tree/file; setfacl -m u:1234:rw,g:77:r tree/file; setfacl -m d:u:1234:rwx tree/dir; setfattr -n user.note -v hello tree/file")`), nil); err != nil {
		t.Skipf("needs a file system with ACLs: %v", err)
	}
	dump := library(t, `tar("tree")`)
	to := newPlace(t)
	to.run(inverse(t, dump), p.run(dump, nil))
	equal(t, "attributes", []byte(to.sh(attributes)), []byte(p.sh(attributes)))
	if got := to.sh("getfacl -nc tree/file"); !strings.Contains(got, "user:1234:rw-") {
		t.Errorf("got the ACL\n%s, want user 1234 in it", got)
	}
}

func TestTarKeepsOwnersLabelsAndCapabilities(t *testing.T) {
	p := newRootPlace(t)
	gnuTar(t, p)
	needs(t, "setfattr")
	if _, err := p.try(library(t, `exec("sh", "-ec", "mkdir tree; cp /bin/true tree/program; echo x >tree/file; chown 1234:4321 tree/file tree/program; setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 tree/program; setfattr -n trusted.note -v x tree/file; setfattr -n security.selinux -v system_u:object_r:etc_t:s0 tree/file")`), nil); err != nil {
		t.Skipf("needs a file system with security attributes: %v", err)
	}
	attributes := `cd tree; stat -c '%n %u:%g %a' *; getfattr -d -m - -e hex *`
	dump := library(t, `tar("tree")`)
	to := newRootPlace(t)
	to.run(inverse(t, dump), p.run(dump, nil))
	equal(t, "owners and attributes", []byte(to.sh(attributes)), []byte(p.sh(attributes)))
	for _, want := range []string{"file 1234:4321", "security.capability=", "security.selinux=", "trusted.note="} {
		if got := to.sh(attributes); !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwant %q in it", got, want)
		}
	}
}

// A backup of /var does not swallow the copies that lie below it, whether they are
// finished or being made.
func TestTarLeavesRootsOfBackupsOut(t *testing.T) {
	p := newPlace(t)
	gnuTar(t, p)
	p.sh(`
root=var/backup/host; copy=$root/2022-05-01T06:59:17+00:00
mkdir -p $root/.palhm/staging/2022-05-02T06:59:17+00:00 $copy/.palhm var/log other/palhm
touch $root/.palhm.lock $root/.palhm/staging/2022-05-02T06:59:17+00:00/big $copy/big $copy/.palhm/manifest.json
touch var/log/kept var/backup/kept other/palhm/kept`)
	got := p.run(append(library(t, `tar("var", "other")`), library(t, `exec("tar", "-t")`)...), nil)
	lines := strings.Fields(string(got))
	slices.Sort(lines)
	want := []string{"other/", "other/palhm/", "other/palhm/kept", "var/", "var/backup/", "var/backup/kept", "var/log/", "var/log/kept"}
	if !slices.Equal(lines, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

func TestTarFailures(t *testing.T) {
	p := newPlace(t)
	gnuTar(t, p)
	p.fails(library(t, `tar("missing") | zstd`), nil, "missing: Cannot stat")
	p.mkdir("tree")
	if err := os.WriteFile(p.path("tree", "secret"), nil, 0o000); err != nil {
		t.Fatal(err)
	}
	p.fails(library(t, `tar("tree") | zstd`), nil, "secret: Cannot open: Permission denied")
}

// A file that grows while it is read is no failure.
func TestTarToleratesAChangingFile(t *testing.T) {
	p := newPlace(t)
	gnuTar(t, p)
	p.sh("mkdir tree; head -c 5000000 /dev/zero | tr '\\0' x >tree/a")
	grow := `tar("--checkpoint=10", "--checkpoint-action=exec=echo more >>tree/a", "tree")`
	p.run(library(t, grow+`(ec = "1")`), nil) // tar does notice
	p.run(library(t, grow), nil)
}

// A name is the name of one file, whatever characters it has.
func TestTarOfAnyName(t *testing.T) {
	p := newPlace(t)
	gnuTar(t, p)
	names := []string{`a\nb`, "a\nb", "-x", "--help", "@x", "*", `it's "quoted"`}
	quoted := ""
	for _, name := range names {
		p.write(name, "this is "+name)
		quoted += fmt.Sprintf(", %q", name)
	}
	archive := p.run(library(t, fmt.Sprintf(`tar("--"%s)`, quoted)), nil)
	to := newPlace(t)
	to.run(inverse(t, library(t, "tar")), archive)
	for _, name := range names {
		if got, err := os.ReadFile(to.path(name)); string(got) != "this is "+name {
			t.Errorf("%q: got %q, %v", name, got, err)
		}
	}
	one := newPlace(t)
	one.run(library(t, `tar.inverse("--", "a\\nb")`), archive)
	one.sh(`test -f 'a\nb'; test "$(ls | wc -l)" = 1`)
}
