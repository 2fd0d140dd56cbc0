package dnssec_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"palhm/runtime/dnssec"
	"palhm/runtime/dnssec/dnssectest"
	"palhm/runtime/plan"
)

const day = 24 * time.Hour

// Real servers: each zone is found to be what it is, and nothing else is found.
func TestRealZones(t *testing.T) {
	w := dnssectest.Start(t)
	liar := faulty(t, func(network string, query *dns.Msg) [][]byte {
		m, _, err := (&dns.Client{Net: network, Timeout: time.Minute}).Exchange(query, w.Trusting)
		if err != nil {
			return nil
		}
		m.AuthenticatedData = true
		if network == "tcp" {
			return [][]byte{framed(pack(m))}
		}
		return [][]byte{pack(m)}
	})
	lying := func(probe, why string) string {
		return `the resolver \S+ does not validate: it calls the answer for ` + probe + ` authenticated, and ` + why
	}
	const (
		notValidating = `the resolver \S+ does not validate: it answers stale\.test, .*unbound`
		notSigned     = `the zone unsigned\.test( \(into which the alias out\.good\.test leads\))? is not signed: it has no keys, and its parent has no DS`
	)
	for _, c := range []struct {
		name, types string
		probe       string
		warn        time.Duration
		trust       bool     // ask the resolver that does not validate
		lie         bool     // the same, and it calls all that it answers authenticated
		found       []string // each finding in turn matches; none = all is well
	}{
		{name: "good.test"},
		{name: "good.test", types: "SOA DNSKEY DS NS"},
		{name: "good.test", probe: "stale.test"},
		{name: "good.test", probe: "wrongds.test"},
		{name: "good.test", probe: "nowhere.test"},
		{name: "good.test", probe: "oldds.test", found: []string{"probe oldds.test validates"}},
		{name: "good.test", probe: "unsigned.test", found: []string{"probe unsigned.test is not signed"}},
		{name: "test"},
		{name: "."},
		{name: ".", types: "DNSKEY NS"},
		{name: "alias.good.test", types: "A"},
		{name: "alias.good.test", types: "CNAME"},
		{name: "w.old.good.test", types: "A"},

		{name: "good.test", warn: 60 * day, found: []string{`SOA of good.test ends at \S+Z, in 29 days( \d+ hours?)?; it holds for no more than 30 days`, `DNSKEY of good.test ends`}},
		{name: "near.test", found: []string{`signature of the SOA of near.test ends at \S+, in 2 days( \d+ hours?)?, which is less than 7 days`}},
		{name: "near.test", warn: day},
		{name: "nearkeys.test", found: []string{`signature of the DNSKEY of nearkeys.test ends at .*, in 2 days`}},
		{name: "short.test", found: []string{`SOA of short.test ends .* no more than 25h0m in all, so warn_before has to be shorter`}},
		{name: "short.test", warn: time.Hour},

		{name: "stale.test", found: []string{`SOA of stale.test does not validate: .*\(Signature Expired: .* asked not to validate`, `SOA of stale.test has ended at .*, 30 days( \d+ hours?)? ago`, `DNSKEY of stale.test has ended`}},
		{name: "early.test", found: []string{`does not validate: .*Not Yet Valid`, `SOA of early.test begins only at .*clock`, `DNSKEY of early.test begins`}},
		{name: "wrongds.test", found: []string{`SOA of wrongds.test does not validate`, `no DS of wrongds.test belongs to a key .* key tags 4711 ECDSAP256SHA256 SHA256, the keys \d+ ECDSAP256SHA256, \d+ ECDSA.*registrar`}},
		{name: "keyless.test", found: []string{`SOA of keyless.test does not validate`, `parent of keyless.test has a DS for it, with the key tag 4711 .* has no keys`}},
		{name: "oldds.test", found: []string{`parent of oldds.test has a DS without a key in the zone, with the key tag 4711 ECDSAP256SHA256 SHA256;`}},

		{name: "oldds.test", types: "DS", found: []string{`a DS without a key in the zone`}},

		{name: "island.test", found: []string{`zone island.test has keys, with the tags .* its parent has no DS for it, so it counts as not signed`}},
		{name: "unsigned.test", found: []string{notSigned}},
		{name: "unsigned.test", types: "A", found: []string{`no A records`, notSigned}},
		{name: "www.unsigned.test", types: "A", probe: "stale.test", found: []string{notSigned}},
		{name: "out.good.test", types: "A", found: []string{notSigned}},
		{name: "strange.test", found: []string{`no DS of strange.test .* 4711 unknown algorithm 200 SHA256`, `not authenticated.*\(unknown algorithm 200\)`}},

		{name: "nowhere.test", types: "A AAAA", found: []string{`NXDOMAIN`}},
		{name: "nowhere.test", found: []string{`nowhere.test does not exist \(NXDOMAIN\)`}},
		{name: "x.old.good.test", types: "A", found: []string{`NXDOMAIN\) \(it is an alias of x.new.good.test\)`}},
		{name: "good.test", types: "MX SOA CAA", found: []string{`good.test has no MX records \(NODATA\)`, `no CAA records`}},
		{name: "loop.good.test", types: "A", found: []string{`no answer for the A of loop.good.test: .* answers SERVFAIL, and SERVFAIL too`}},

		// An answer made of a wildcard cannot be authenticated in a zone with opt-out (RFC
		// 5155, 9.2), and all is well.
		{name: "optout.test"},
		{name: "x.w.optout.test", types: "A"},
		{name: "x.w.optout.test", types: "A", probe: "stale.test"},
		{name: "x.w.optout.test", types: "MX", found: []string{`x.w.optout.test has no MX records \(NODATA\)`}},
		{name: "x.w.optout.test", types: "A", trust: true, found: []string{`authenticates nothing, not even the root zone`}},
		{name: "www.forged.test", types: "A", found: []string{`the A of www.forged.test does not validate`}},

		// What a resolver says of itself is worth nothing when it says it of all.
		{name: "good.test", probe: "stale.test", lie: true, found: []string{lying("stale.test", `the signature of its DNSKEY has ended`)}},
		{name: "good.test", probe: "early.test", lie: true, found: []string{lying("early.test", `the signature of its DNSKEY begins only at`)}},
		{name: "good.test", probe: "wrongds.test", lie: true, found: []string{lying("wrongds.test", `no DS of wrongds.test belongs to a key of the zone`)}},
		{name: "good.test", probe: "keyless.test", lie: true, found: []string{lying("keyless.test", `the zone keyless.test has no keys`)}},
		{name: "good.test", probe: "www.unsigned.test", lie: true, found: []string{lying("www.unsigned.test", `it is not signed`)}},
		{name: "good.test", probe: "island.test", lie: true, found: []string{lying("island.test", `the parent of island.test has no DS for it`)}},
		{name: "good.test", probe: "www.forged.test", lie: true, found: []string{lying("www.forged.test", `the signature of its A is not that of a key of the zone`)}},
		{name: "near.test", probe: "stale.test", lie: true, found: []string{lying("stale.test", `.* has ended`), `signature of the SOA of near.test ends`}},
		{name: "near.test", warn: day, probe: "www.good.test", lie: true, found: []string{"probe www.good.test validates"}},

		{name: "good.test", trust: true, found: []string{`authenticates nothing, not even the root zone`}},
		{name: "good.test", probe: "stale.test", trust: true, found: []string{notValidating}},
		{name: "unsigned.test", probe: "stale.test", trust: true, found: []string{notValidating, notSigned}},
		{name: "stale.test", probe: "stale.test", trust: true, found: []string{notValidating, `SOA of stale.test has ended`, `DNSKEY of stale.test has ended`}},
		{name: "wrongds.test", probe: "stale.test", trust: true, found: []string{notValidating, `no DS of wrongds.test belongs to a key`}},
	} {
		p := &plan.DNSSECCheck{Name: c.name, Types: []string{"SOA"}, Probe: c.probe, WarnBefore: 7 * day, Resolver: w.Validating}
		if c.types != "" {
			p.Types = strings.Fields(c.types)
		}
		if c.warn != 0 {
			p.WarnBefore = c.warn
		}
		what := "validating"
		if c.trust {
			p.Resolver, what = w.Trusting, "trusting"
		}
		if c.lie {
			p.Resolver, what = liar, "lying"
		}
		t.Run(strings.Join([]string{c.name, c.types, p.WarnBefore.String(), c.probe, what}, " "), func(t *testing.T) {
			result, err := new(dnssec.Checker).Check(t.Context(), p)
			wantFindings(t, err, c.found)
			if err == nil && strings.Contains(result.String(), "opt-out") != (c.name == "x.w.optout.test") {
				t.Errorf("got %v, want a word of opt-out only where it matters", result)
			}
			if err == nil && (!result.Until.After(time.Now().Add(p.WarnBefore)) || result.Resolver != p.Resolver) {
				t.Errorf("got %v, want a time after warn_before, and the resolver %s", result, p.Resolver)
			}
		})
	}
}

// wantFindings wants a match for each finding, in order.
func wantFindings(t *testing.T, err error, want []string) {
	t.Helper()
	var e *dnssec.Error
	if err == nil && len(want) == 0 {
		return
	}
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want findings like %q", err, want)
	}
	for i, f := range e.Findings {
		if i >= len(want) || !regexp.MustCompile(want[i]).MatchString(f) {
			t.Errorf("got the finding\n%s\nwant %q", f, want[min(i, len(want)):])
		}
	}
	if len(e.Findings) < len(want) {
		t.Errorf("got %d findings, want %q too", len(e.Findings), want[len(e.Findings):])
	}
}
