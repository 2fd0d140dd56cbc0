package dnssec

import (
	"context"
	"testing"
	"time"

	"github.com/miekg/dns"

	"palhm/runtime/plan"
)

// FuzzAnswer takes any packet for the answer to each question of a check: it is
// refused, or leads to findings or a result, and to no fault and no endless work.
func FuzzAnswer(f *testing.F) {
	for _, text := range []string{
		"example. 60 IN SOA ns. root. 1 2 3 4 5", "example. 60 IN CNAME example.", "example. 60 IN DNAME a.example.",
		"example. 60 IN DS 1 13 2 00", "example. 60 IN DNSKEY 257 3 13 AAAA",
		"example. 60 IN RRSIG DNSKEY 13 1 60 20300101000000 20200101000000 1 example. AAAA", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example. 60 IN NSEC3 1 1 0 - 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom A",
		"0p9mhaveqvm6t7vbl5lop2u3t2rp3tom. 60 IN NSEC3 1 1 150 - 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom A",
		"example. 60 IN RRSIG SOA 13 1 60 20300101000000 20200101000000 1 example. AAAA",
	} {
		rr, err := dns.NewRR(text)
		if err != nil {
			f.Fatal(err)
		}
		m := newQuery(question{"example.", dns.TypeSOA}, false)
		m.Response, m.Answer, m.Ns = true, []dns.RR{rr, rr}, []dns.RR{rr}
		packet, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packet)
		packet[3] |= 0x20 // AD
		f.Add(packet)
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		k := &check{
			plan: &plan.DNSSECCheck{Name: "example", Types: []string{"SOA"}, WarnBefore: time.Hour, Probe: "probe.example"}, now: time.Unix(1<<31, 0), name: "example.",
			resolver: &resolver{servers: []string{"192.0.2.1:53"}, tries: 1},
			asked:    map[question]*answer{}, zones: map[string]*zone{},
		}
		k.resolver.exchange = func(_ context.Context, _ string, query *dns.Msg, _ time.Duration) (*dns.Msg, error) {
			if len(packet) > 1 {
				query.Id = uint16(packet[0])<<8 | uint16(packet[1])
			}
			m := new(dns.Msg)
			if m.Unpack(packet) == nil && len(m.Question) > 0 {
				query.Question[0] = m.Question[0]
			}
			return parse(packet, query)
		}
		if err := k.run(t.Context()); err == nil && len(k.findings) == 0 && k.until.IsZero() {
			t.Error("got neither a finding nor the end of a signature")
		}
	})
}
