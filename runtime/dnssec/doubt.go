package dnssec

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/miekg/dns"
)

// doubt says why an answer cannot have been validated that the resolver calls
// authenticated; "" = nothing speaks against it, or it cannot be found out.
func (k *check) doubt(ctx context.Context, a *answer) (string, error) {
	of := &check{plan: k.plan, resolver: k.resolver, now: k.now, name: a.name, asked: map[question]*answer{}, zones: map[string]*zone{}}
	of.judge(a)
	if len(of.unsigned) > 0 {
		return "it is not signed", nil
	}
	for _, z := range of.order {
		if err := of.inspect(ctx, z); err != nil {
			return "", err
		}
		if why := of.doubtZone(z); why != "" {
			return why, nil
		}
	}
	for _, s := range of.sets {
		if why := of.doubtSet(s); why != "" {
			return why, nil
		}
	}
	return "", nil
}

// doubtZone looks for the link between a zone and its parent.
func (k *check) doubtZone(z *zone) string {
	keys, ds := k.asked[question{z.name, dns.TypeDNSKEY}], k.asked[question{z.name, dns.TypeDS}]
	switch name := shown(z.name); {
	case z.name == "." || keys == nil || ds == nil:
		return ""
	case len(z.ds) == 0:
		return fmt.Sprintf("the parent of %s has no DS for it", name)
	case len(z.keys) == 0:
		return fmt.Sprintf("the zone %s has no keys", name)
	case len(z.entry) == 0:
		return fmt.Sprintf("no DS of %s belongs to a key of the zone", name)
	}
	return ""
}

// doubtSet looks at the signatures of a set. Those of a DS are of a zone that has not
// been looked at.
func (k *check) doubtSet(s *rrset) string {
	kind := dns.TypeToString[s.qtype]
	if s.qtype == dns.TypeDS || len(s.sigs) == 0 {
		return ""
	}
	sigs := k.usable(s)
	if len(sigs) == 0 {
		return fmt.Sprintf("its %s is not signed by a key of the zone", kind)
	}
	sig := best(sigs, k.now)
	switch begin, end := begins(sig, k.now), ends(sig, k.now); {
	case begin.After(k.now):
		return fmt.Sprintf("the signature of its %s begins only at %s", kind, at(begin))
	case end.Before(k.now):
		return fmt.Sprintf("the signature of its %s has ended at %s", kind, at(end))
	case k.forged(s, sigs):
		return fmt.Sprintf("the signature of its %s is not that of a key of the zone", kind)
	}
	return ""
}

// maxVerified bounds the signatures that are verified: a hostile zone can have many, and
// many keys of one tag.
const maxVerified = 16

// forged reports whether no signature is right. One that palhm cannot verify may be.
func (k *check) forged(s *rrset, sigs []*dns.RRSIG) bool {
	verified := 0
	for _, sig := range sigs {
		z := k.zones[dns.CanonicalName(sig.SignerName)]
		if z == nil {
			return false
		}
		for _, key := range z.keys {
			if key.tag != sig.KeyTag || key.algorithm != sig.Algorithm {
				continue
			}
			err := sig.Verify(key.record, s.records)
			if verified++; err == nil || errors.Is(err, dns.ErrAlg) || verified == maxVerified {
				return false
			}
		}
	}
	return verified > 0
}

// What is looked at of a denial: resolvers take more iterations for no DNSSEC at all
// (RFC 9276, 3.2), and an answer needs three records.
const (
	maxIterations = 150
	maxDenials    = 8
)

// optedOut reports whether an answer cannot be authenticated, although all is well: its
// denial of a name leaves room for unsigned ones (NSEC3 with opt-out), and then a
// resolver must not say that it is authenticated (RFC 5155, 9.2). That is so for what is
// made of a wildcard, and for some names without records.
func (k *check) optedOut(a *answer) bool {
	sets, last, _ := a.chain()
	names := []string{last}
	for _, s := range sets {
		names = append(names, s.name)
	}
	denials := 0
	for _, rr := range a.msg.Ns {
		n, ok := rr.(*dns.NSEC3)
		if !ok || n.Flags&1 == 0 || n.Iterations > maxIterations {
			continue
		}
		if denials++; denials > maxDenials {
			break
		}
		if slices.ContainsFunc(names, func(name string) bool { return k.covers(n, name) }) {
			return true
		}
	}
	return false
}

// covers reports whether a denial is about a name or one above it, in a zone whose keys
// are authenticated.
func (k *check) covers(n *dns.NSEC3, name string) bool {
	apex := above(dns.CanonicalName(n.Hdr.Name))
	keys := k.asked[question{apex, dns.TypeDNSKEY}]
	if keys == nil || !keys.secure() {
		return false
	}
	for ; name != apex && dns.IsSubDomain(apex, name); name = above(name) {
		if n.Cover(name) {
			return true
		}
	}
	return false
}

// above is a name without its first label; the root stays.
func above(name string) string {
	next, end := dns.NextLabel(name, 0)
	if end {
		return "."
	}
	return name[next:]
}
