package std_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"palhm/runtime/plan"
)

// newDirectory writes slapd's configuration: three directories, the second with a
// name that LDIF has to wrap, the third with one that it has to encode.
func newDirectory(t *testing.T) *place {
	t.Helper()
	needs(t, "slapd", "slapadd", "slapcat", "slaptest", "ldapsearch", "ldapmodify")
	p := newPlace(t)
	p.mkdir("one")
	p.mkdir("two")
	p.mkdir("three")
	p.write("slapd.conf", fmt.Sprintf(`
modulepath /usr/lib/ldap
moduleload back_mdb
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile %[1]s/pid
argsfile %[1]s/args
database mdb
suffix "dc=example,dc=org"
rootdn "cn=admin,dc=example,dc=org"
rootpw geheim
directory %[1]s/one
database mdb
suffix %[2]q
directory %[1]s/two
database mdb
suffix "o=Müller"
directory %[1]s/three
`, p.dir, secondSuffix))
	return p
}

const secondSuffix = "o=An organisation whose name is so long that a line of LDIF does not hold it: eighty and more"

func directoryLDIF() string {
	var b strings.Builder
	b.WriteString("dn: dc=example,dc=org\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Exämple\n\n")
	for i := range 500 {
		fmt.Fprintf(&b, "dn: uid=u%d,dc=example,dc=org\nobjectClass: inetOrgPerson\nuid: u%d\ncn: Jürgen %d\nsn: Ünal\ndescription: %s\njpegPhoto:: AAEC/w==\n\n",
			i, i, i, strings.Repeat("long ", 60))
	}
	return b.String()
}

// appended gives the first stage the option that names the test's own configuration.
func appended(p plan.Pipeline, args ...string) plan.Pipeline {
	q := append(plan.Pipeline{}, p...)
	first := *q[0]
	first.Argv = append(append([]string{}, first.Argv...), args...)
	q[0] = &first
	return q
}

func sortedLines(b []byte) []byte {
	return []byte(strings.Join(slices.Sorted(strings.Lines(string(b))), ""))
}

func TestSlapd(t *testing.T) {
	from := newDirectory(t)
	conf := from.path("slapd.conf")
	from.write("one.ldif", directoryLDIF())
	from.write("two.ldif", "dn: "+secondSuffix+"\nobjectClass: organization\n\n")
	from.sh("slapadd -f slapd.conf -b dc=example,dc=org -l one.ldif; slapadd -f slapd.conf -n 2 -l two.ldif; printf 'dn: o=Müller\nobjectClass: organization\n\n' | slapadd -f slapd.conf -n 3")
	uri := "ldapi://" + strings.ReplaceAll(from.path("socket"), "/", "%2F")
	from.serve("ldapsearch -x -H "+uri+" -b '' -s base", "slapd", "-f", conf, "-h", uri, "-d", "0")

	// A change that is only in the running server is in the dump.
	from.write("change.ldif", "dn: uid=u7,dc=example,dc=org\nchangetype: modify\nreplace: sn\nsn: changed\n")
	from.sh("ldapmodify -x -H " + uri + " -D cn=admin,dc=example,dc=org -w geheim -f change.ldif")

	for name, args := range map[string]string{
		"first":           `"-f", %q`,
		"by suffix":       `"-f", %q, "-b", "dc=example,dc=org"`,
		"second by index": `"-f", %q, "-n", "2"`,
		"third by index":  `"-f", %q, "-n", "3"`,
	} {
		t.Run(name, func(t *testing.T) {
			dump := library(t, "slapcat("+fmt.Sprintf(args, conf)+")")
			ldif := from.run(dump, nil)
			if len(ldif) < 200 {
				t.Fatalf("got a dump of %d bytes: %s", len(ldif), ldif)
			}
			to := newDirectory(t)
			load := appended(inverse(t, dump), "-f", to.path("slapd.conf"))
			to.run(load, ldif)
			again := library(t, "slapcat("+fmt.Sprintf(args, to.path("slapd.conf"))+")")
			equal(t, "dump of what was loaded", to.run(again, nil), ldif)
			if name == "first" && !strings.Contains(string(ldif), "\nsn: changed\n") {
				t.Error("the dump lacks what was changed in the running server")
			}
			to.fails(load, ldif, "slapadd: could not add entry")
			to.fails(load, nil, "the input is empty")
		})
	}
	t.Run("configuration", func(t *testing.T) {
		from.mkdir("slapd.d")
		from.sh("slaptest -f slapd.conf -F slapd.d 2>/dev/null")
		dump := library(t, fmt.Sprintf(`slapcat("-F", %q, "-n", "0")`, from.path("slapd.d")))
		ldif := from.run(dump, nil)
		to := newPlace(t)
		to.mkdir("slapd.d")
		to.run(appended(inverse(t, dump), "-F", to.path("slapd.d")), ldif)
		again := library(t, fmt.Sprintf(`slapcat("-F", %q, "-n", "0")`, to.path("slapd.d")))
		equal(t, "dump of what was loaded", sortedLines(to.run(again, nil)), sortedLines(ldif)) // attributes have no order
	})
	t.Run("failures", func(t *testing.T) {
		from.fails(library(t, `slapcat("-f", "nothing.conf") | zstd`), nil, "nothing.conf")
		from.fails(library(t, fmt.Sprintf(`slapcat("-f", %q, "-b", "dc=nothing") | zstd`, conf)), nil, "dc=nothing")
	})
}
