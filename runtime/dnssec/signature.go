package dnssec

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// dsShare: of a DS, which the parent signs, a warning comes at the latest when this
// part of the time is left. Parents sign for as little as a week, and again and again.
const dsShare = 4

// signatures finds out how long each set of records is signed.
func (k *check) signatures() {
	looked := map[question]bool{}
	for _, s := range k.sets {
		if looked[s.question] || len(s.sigs) == 0 {
			continue
		}
		looked[s.question] = true
		sigs := k.usable(s)
		if len(sigs) == 0 {
			k.find("the %v is not signed by a key of the zone that counts, but with the key tag %s", s.question, signers(s.sigs))
			continue
		}
		k.signature(s, best(sigs, k.now))
	}
}

// usable leaves out signatures that do not count: of keys that the zone does not have
// (any more), and for the keys themselves of those that no DS belongs to.
func (k *check) usable(s *rrset) []*dns.RRSIG {
	return slices.DeleteFunc(slices.Clone(s.sigs), func(sig *dns.RRSIG) bool {
		z := k.zones[dns.CanonicalName(sig.SignerName)]
		if z == nil || s.qtype == dns.TypeDS || len(z.keys) == 0 {
			return false
		}
		keys := z.keys
		if s.qtype == dns.TypeDNSKEY && len(z.entry) > 0 {
			keys = z.entry
		}
		return !slices.ContainsFunc(keys, func(k key) bool { return k.tag == sig.KeyTag && k.algorithm == sig.Algorithm })
	})
}

func signers(sigs []*dns.RRSIG) string {
	var texts []string
	for _, sig := range sigs[:min(len(sigs), maxListed)] {
		texts = append(texts, fmt.Sprintf("%d %s", sig.KeyTag, algorithm(sig.Algorithm)))
	}
	return and(texts, len(sigs))
}

// best is the signature that holds longest: one that is good is enough (RFC 4035,
// 5.3.3). One that holds now goes before one that does not yet.
func best(sigs []*dns.RRSIG, now time.Time) *dns.RRSIG {
	return slices.MaxFunc(sigs, func(a, b *dns.RRSIG) int {
		if early := begins(a, now).After(now); early != begins(b, now).After(now) {
			if early {
				return -1
			}
			return 1
		}
		return ends(a, now).Compare(ends(b, now))
	})
}

// signature finds what is wrong with how long a set is signed.
func (k *check) signature(s *rrset, sig *dns.RRSIG) {
	begin, end := begins(sig, k.now), ends(sig, k.now)
	if k.until.IsZero() || end.Before(k.until) {
		k.until, k.untilOf = end, s.question.String()
	}
	warn, whole := k.plan.WarnBefore, end.Sub(begin)
	if s.qtype == dns.TypeDS {
		warn = min(warn, whole/dsShare)
	}
	left := end.Sub(k.now)
	switch {
	case begin.After(k.now):
		k.find("the signature of the %v begins only at %s; is a clock wrong?", s.question, at(begin))
	case left < 0:
		k.find("the signature of the %v has ended at %s, %s ago; sign the zone again", s.question, at(end), span(-left))
	case left >= warn:
	case whole <= warn:
		k.find("the signature of the %v ends at %s, in %s; it holds for no more than %s in all, so warn_before has to be shorter than the %s that it is", s.question, at(end), span(left), span(whole), span(warn))
	default:
		k.find("the signature of the %v ends at %s, in %s, which is less than %s; see whether the zone is still signed again in time", s.question, at(end), span(left), span(warn))
	}
}

func begins(sig *dns.RRSIG, now time.Time) time.Time { return serial(sig.Inception, now) }
func ends(sig *dns.RRSIG, now time.Time) time.Time   { return serial(sig.Expiration, now) }

// serial is the time that 32 bits mean: the one that is nearest to now, before it or
// after it (RFC 4034, 3.1.5).
func serial(seconds uint32, now time.Time) time.Time {
	return time.Unix(now.Unix()+int64(int32(seconds-uint32(now.Unix()))), 0)
}

func at(t time.Time) string { return t.UTC().Format(time.RFC3339) }

const day = 24 * time.Hour

// span is a duration for a person: "12 days", "2 days 23 hours", "3h20m", "45s".
func span(d time.Duration) string {
	switch hours := d % day / time.Hour; {
	case d >= 2*day && hours == 1:
		return fmt.Sprintf("%d days 1 hour", d/day)
	case d >= 2*day && hours > 0:
		return fmt.Sprintf("%d days %d hours", d/day, hours)
	case d >= 2*day:
		return fmt.Sprintf("%d days", d/day)
	case d >= time.Minute:
		return strings.TrimSuffix(d.Truncate(time.Minute).String(), "0s")
	}
	return d.Truncate(time.Second).String()
}
