package dnssec

import (
	"github.com/miekg/dns"
)

// rrset is the records of one name and type, and their signatures.
type rrset struct {
	question
	records []dns.RR
	sigs    []*dns.RRSIG
}

// maxAliases bounds how far aliases are followed: as far as resolvers go.
const maxAliases = 16

// set returns the records of a section that have the name and the type, or nil. A
// signature counts only when its signer can be the zone of the name.
func set(section []dns.RR, name string, rtype uint16) *rrset {
	s := &rrset{question: question{name, rtype}}
	for _, rr := range section {
		h := rr.Header()
		if h.Class != dns.ClassINET || dns.CanonicalName(h.Name) != name {
			continue
		}
		if sig, ok := rr.(*dns.RRSIG); ok && sig.TypeCovered == rtype && dns.IsSubDomain(sig.SignerName, name) {
			s.sigs = append(s.sigs, sig)
		}
		if h.Rrtype == rtype {
			s.records = append(s.records, rr)
		}
	}
	if len(s.records) == 0 {
		return nil
	}
	return s
}

// chain follows an answer from the name that was asked for, over aliases, to the
// records of the type: whole says whether they are there. last is the name that they
// have, or should have.
func (a *answer) chain() (sets []*rrset, last string, whole bool) {
	name := a.name
	for range maxAliases {
		if s := set(a.msg.Answer, name, a.qtype); s != nil {
			return append(sets, s), name, true
		}
		s := set(a.msg.Answer, name, dns.TypeCNAME)
		if s == nil {
			break
		}
		alias, ok := s.records[0].(*dns.CNAME)
		if !ok {
			break
		}
		// A resolver makes the alias out of a DNAME, which is what is signed (RFC 6672, 5.3.1).
		if d := dname(a.msg.Answer, name); d != nil && len(s.sigs) == 0 {
			s = d
		}
		sets = append(sets, s)
		name = dns.CanonicalName(alias.Target)
	}
	return sets, name, false
}

// dname returns the DNAME above a name, or nil.
func dname(section []dns.RR, name string) *rrset {
	for _, rr := range section {
		owner := dns.CanonicalName(rr.Header().Name)
		if rr.Header().Rrtype == dns.TypeDNAME && owner != name && dns.IsSubDomain(owner, name) {
			return set(section, owner, dns.TypeDNAME)
		}
	}
	return nil
}

// authority is the name of the zone that denies something, or "".
func (a *answer) authority() string {
	for _, rr := range a.msg.Ns {
		owner := dns.CanonicalName(rr.Header().Name)
		if rr.Header().Rrtype == dns.TypeSOA && rr.Header().Class == dns.ClassINET {
			return owner
		}
	}
	return ""
}
