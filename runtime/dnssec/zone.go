package dnssec

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// zone is a zone that an answer comes from: its keys, and what its parent says of
// them.
type zone struct {
	name  string
	keys  []key
	ds    []*dns.DS
	entry []key // those that a DS belongs to; of the root zone, all
}

// key is a key of a zone as signatures name it. Two keys may have one tag.
type key struct {
	tag       uint16
	algorithm uint8
	record    *dns.DNSKEY
}

// String gives the tag and the algorithm: "4711 ECDSAP256SHA256".
func (k key) String() string { return fmt.Sprintf("%d %s", k.tag, algorithm(k.algorithm)) }

// algorithm names an algorithm.
func algorithm(n uint8) string {
	if name, ok := dns.AlgorithmToString[n]; ok {
		return name
	}
	return fmt.Sprintf("unknown algorithm %d", n)
}

// inspect looks at the keys of a zone and at its DS.
func (k *check) inspect(ctx context.Context, z *zone) error {
	keys, err := k.ask(ctx, z.name, dns.TypeDNSKEY)
	if err != nil || keys == nil {
		return err
	}
	z.keys = zoneKeys(set(keys.msg.Answer, z.name, dns.TypeDNSKEY))
	if z.name == "." {
		z.entry = z.keys
		k.addSet(keys)
		return nil
	}
	ds, err := k.ask(ctx, z.name, dns.TypeDS)
	if err != nil || ds == nil {
		return err
	}
	k.bogusAbove(ds)
	if s := set(ds.msg.Answer, z.name, dns.TypeDS); s != nil {
		for _, rr := range s.records {
			if d, ok := rr.(*dns.DS); ok {
				z.ds = append(z.ds, d)
			}
		}
	}
	k.match(z)
	if len(z.entry) > 0 && !slices.ContainsFunc(k.answers, func(a *answer) bool { return a.bogus }) && keys.bogus {
		k.find("the %v does not validate: the resolver %s refuses it%s, and gives it when asked not to validate", keys.question, keys.server, keys.why)
	}
	k.addSet(keys)
	k.addSet(ds)
	return nil
}

// bogusAbove finds that not even the DS validates: then the fault is not the zone's.
func (k *check) bogusAbove(ds *answer) {
	if ds.bogus && !slices.Contains(k.answers, ds) {
		k.find("the %v does not validate either%s: the fault is in the zone above, or further up", ds.question, ds.why)
	}
}

func (k *check) addSet(a *answer) {
	if s := set(a.msg.Answer, a.name, a.qtype); s != nil {
		k.sets = append(k.sets, s)
	}
}

// zoneKeys returns the keys that may sign a zone (RFC 4034, 2.1), without the
// revoked ones (RFC 5011, 2.1).
func zoneKeys(s *rrset) (keys []key) {
	if s == nil {
		return nil
	}
	for _, rr := range s.records {
		d, ok := rr.(*dns.DNSKEY)
		if ok && d.Flags&dns.ZONE != 0 && d.Flags&dns.REVOKE == 0 && d.Protocol == 3 {
			keys = append(keys, key{d.KeyTag(), d.Algorithm, d})
		}
	}
	return keys
}

// match compares the DS records of a zone with its keys.
func (k *check) match(z *zone) {
	name := shown(z.name)
	if !dns.IsSubDomain(z.name, k.name) {
		name += fmt.Sprintf(" (into which the alias %s leads)", shown(k.name))
	}
	switch {
	case len(z.ds) == 0 && len(z.keys) == 0:
		k.insecure = true
		k.find("the zone %s is not signed: it has no keys, and its parent has no DS for it; sign it, then give its DS to the parent (the registrar)", name)
		return
	case len(z.ds) == 0:
		k.insecure = true
		k.find("the zone %s has keys, with the tags %s, and its parent has no DS for it, so it counts as not signed; give its DS to the parent (the registrar)", name, list(z.keys))
		return
	case len(z.keys) == 0:
		k.find("the parent of %s has a DS for it, with the key tag %s, and the zone has no keys: nothing of it validates; sign it again with these keys, or remove the DS at the parent", name, dsList(z.ds))
		return
	}
	digests := digester{}
	var lost []*dns.DS
	for _, d := range z.ds {
		if owner, ok := digests.owner(d, z.keys); !ok {
			lost = append(lost, d)
		} else if !slices.Contains(z.entry, owner) {
			z.entry = append(z.entry, owner)
		}
	}
	switch {
	case len(z.entry) == 0:
		k.find("no DS of %s belongs to a key of the zone, so nothing of it validates: the DS have the key tags %s, the keys %s; replace the DS at the parent (the registrar)", name, dsList(lost), list(z.keys))
	case len(lost) > 0:
		k.find("the parent of %s has a DS without a key in the zone, with the key tag %s; remove it there, unless that key is about to come", name, dsList(lost))
	}
}

// digester remembers the digest of each key: a hostile zone can have many keys and
// many DS records that all seem to belong together.
type digester map[digestOf]string

type digestOf struct {
	key  *dns.DNSKEY
	kind uint8
}

// owner finds the key that a DS belongs to. Where palhm cannot make the digest, the
// tag and the algorithm have to do.
func (d digester) owner(ds *dns.DS, keys []key) (key, bool) {
	for _, k := range keys {
		if k.tag != ds.KeyTag || k.algorithm != ds.Algorithm {
			continue
		}
		of := digestOf{k.record, ds.DigestType}
		digest, ok := d[of]
		if !ok {
			if made := k.record.ToDS(ds.DigestType); made != nil {
				digest = made.Digest
			}
			d[of] = digest
		}
		if digest == "" || strings.EqualFold(digest, ds.Digest) {
			return k, true
		}
	}
	return key{}, false
}

// maxListed is how many keys are listed at most.
const maxListed = 8

func list(keys []key) string {
	var texts []string
	for _, k := range keys[:min(len(keys), maxListed)] {
		texts = append(texts, k.String())
	}
	return and(texts, len(keys))
}

func dsList(all []*dns.DS) string {
	var texts []string
	for _, d := range all[:min(len(all), maxListed)] {
		digest, ok := dns.HashToString[d.DigestType]
		if !ok {
			digest = fmt.Sprintf("unknown digest %d", d.DigestType)
		}
		texts = append(texts, fmt.Sprintf("%d %s %s", d.KeyTag, algorithm(d.Algorithm), digest))
	}
	return and(texts, len(all))
}

func and(texts []string, n int) string {
	text := strings.Join(texts, ", ")
	if n > len(texts) {
		text += fmt.Sprintf(" and %d more", n-len(texts))
	}
	return text
}

// algorithms lists those of all DS records, for a resolver that may not know them.
func (k *check) algorithms() string {
	var names []string
	for _, z := range k.order {
		for _, d := range z.ds {
			if name := algorithm(d.Algorithm); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " (" + and(names[:min(len(names), maxListed)], len(names)) + ")"
}
