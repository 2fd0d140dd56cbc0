package dnssec

import (
	"context"
	"fmt"
	"slices"

	"github.com/miekg/dns"
)

// judge finds what an answer says by itself, and notes the zones that it comes from.
func (k *check) judge(a *answer) {
	sets, last, whole := a.chain()
	alias := ""
	if last != a.name {
		alias = fmt.Sprintf(" (it is an alias of %s)", shown(last))
	}
	switch {
	case a.bogus:
		k.find("the %v does not validate: the resolver %s refuses it%s, and gives it when asked not to validate; until that is mended, whoever validates cannot reach the name", a.question, a.server, a.why)
	case a.msg.Rcode == dns.RcodeNameError:
		k.find("%s does not exist (NXDOMAIN)%s; is it spelt right, and registered?", shown(a.name), alias)
		return
	case len(sets) >= maxAliases:
		k.find("%s has more than %d aliases, or they go round in a circle", shown(a.name), maxAliases)
	case !whole:
		k.find("%s has no %s records (NODATA)%s; ask for types that it has", shown(a.name), dns.TypeToString[a.qtype], alias)
	}
	for _, s := range sets {
		if len(s.sigs) == 0 {
			k.unsigned = append(k.unsigned, s.name)
		}
		for _, sig := range s.sigs {
			k.addZone(dns.CanonicalName(sig.SignerName), s.question)
		}
	}
	if !whole {
		if apex := a.authority(); apex != "" && dns.IsSubDomain(apex, last) {
			k.addZone(apex, a.question)
		}
	}
	if a.qtype == dns.TypeDS && whole {
		k.addZone(last, question{}) // only the top of a zone has one
	}
	k.sets = append(k.sets, sets...)
}

// addZone notes a zone that an answer comes from. A DS belongs to the parent, which is
// not what the site asks about.
func (k *check) addZone(name string, of question) {
	if of.qtype == dns.TypeDS || k.zones[name] != nil {
		return
	}
	z := &zone{name: name}
	k.zones[name] = z
	k.order = append(k.order, z)
}

// apex finds the zone of a name without signatures: the name has its SOA, or the
// denial of that says who has. It returns "" when that is not to be found.
func (k *check) apex(ctx context.Context, name string) (string, error) {
	for range maxAliases {
		a, err := k.ask(ctx, name, dns.TypeSOA)
		if err != nil || a == nil {
			return "", err
		}
		if set(a.msg.Answer, name, dns.TypeSOA) != nil {
			return name, nil
		}
		if apex := a.authority(); apex != "" && dns.IsSubDomain(apex, name) {
			return apex, nil
		}
		next, end := dns.NextLabel(name, 0)
		if end {
			return "", nil
		}
		name = name[next:] // an alias, which is never the top of a zone
	}
	return "", nil
}

// authenticated finds out why an answer is not: because of its zone, which has been
// looked at, or of the resolver.
func (k *check) authenticated(ctx context.Context) error {
	open := slices.DeleteFunc(slices.Clone(k.answers), func(a *answer) bool { return a.bogus || a.secure() })
	v, err := k.validates(ctx, len(open) > 0)
	if err != nil || v != "" || k.insecure {
		return err
	}
	var a *answer // the first that is not explained
	for _, o := range open {
		switch {
		case k.optedOut(o):
			k.unproven = append(k.unproven, o.question.String())
		case a == nil:
			a = o
		}
	}
	if a == nil || a.msg.Rcode == dns.RcodeNameError { // said already
		return nil
	}
	k.find("the %v is not authenticated, and the resolver %s validates other names: a zone above is not signed, the resolver does not know the algorithm of the DS%s, or it is told to leave the name alone", a.question, a.server, k.algorithms())
	return nil
}

// validates finds out whether the resolver validates. The result is "" when it does,
// and else what was found. open says that an answer is not authenticated.
func (k *check) validates(ctx context.Context, open bool) (string, error) {
	if k.plan.Probe != "" {
		a, err := k.resolver.ask(ctx, question{dns.Fqdn(k.plan.Probe), dns.TypeA})
		switch {
		case ctx.Err() != nil:
			return "", context.Cause(ctx)
		case err != nil:
			k.untold = err.Error()
		case a.msg.Rcode == dns.RcodeNameError && !a.bogus:
			k.untold = fmt.Sprintf("%s does not exist (NXDOMAIN); is it spelt right?", k.plan.Probe)
		case a.bogus:
			return "", nil
		case a.secure():
			why, err := k.doubt(ctx, a)
			if err != nil {
				return "", err
			}
			if why != "" {
				return k.first("the resolver %s does not validate: it calls the answer for %s authenticated, and %s; ask one that does", a.server, k.plan.Probe, why), nil
			}
			k.find("probe %s validates, so nothing can be learnt from it; name one whose signatures are broken, or None", k.plan.Probe)
			return "", nil
		case !signed(a) && slices.ContainsFunc(k.answers, (*answer).secure):
			k.find("probe %s is not signed, so nothing can be learnt from it; name one whose signatures are broken, or None", k.plan.Probe)
			return "", nil
		case open:
			return k.first("the resolver %s does not validate: it answers %s, whose signatures are broken; ask one that does, or switch validation on (unbound with a trust anchor, systemd-resolved with DNSSEC=yes)", a.server, k.plan.Probe), nil
		default:
			return k.first("the resolver %s calls the answer authenticated, and answers %s too, whose signatures are broken: it does not validate by itself, and only passes on what another says", a.server, k.plan.Probe), nil
		}
	}
	if !open {
		return "", nil
	}
	root, err := k.resolver.ask(ctx, question{".", dns.TypeSOA})
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err == nil && root.secure() {
		return "", nil
	}
	return k.first("the resolver %s authenticates nothing, not even the root zone: it seems not to validate; ask one that does, or switch validation on (unbound with a trust anchor, systemd-resolved with DNSSEC=yes)", k.resolver.servers[0]), nil
}

// signed reports whether something of the answer is signed.
func signed(a *answer) bool {
	sets, _, _ := a.chain()
	return slices.ContainsFunc(sets, func(s *rrset) bool { return len(s.sigs) > 0 })
}

// first puts a finding before all others: they may follow from it.
func (k *check) first(format string, args ...any) string {
	text := fmt.Sprintf(format, args...)
	k.findings = slices.Insert(k.findings, 0, text)
	return text
}
