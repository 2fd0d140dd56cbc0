package dnssec_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"palhm/runtime/dnssec"
	"palhm/runtime/plan"
)

// reply is what a faulty resolver sends to a query; no packets = nothing.
type reply func(network string, query *dns.Msg) (packets [][]byte)

// faulty starts a resolver on the loopback interface.
func faulty(t *testing.T, answer reply) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(); p.Close() })
	go func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := p.ReadFrom(buf)
			if err != nil {
				return
			}
			query := new(dns.Msg)
			if query.Unpack(buf[:n]) == nil {
				for _, packet := range answer("udp", query) {
					p.WriteTo(packet, from)
				}
			}
		}
	}()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			var length [2]byte
			io.ReadFull(conn, length[:])
			buf := make([]byte, binary.BigEndian.Uint16(length[:]))
			io.ReadFull(conn, buf)
			query := new(dns.Msg)
			if query.Unpack(buf) == nil {
				for _, packet := range answer("tcp", query) {
					conn.Write(packet)
				}
			}
			conn.Close()
		}
	}()
	return l.Addr().String()
}

func pack(m *dns.Msg) []byte {
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

func framed(b []byte) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...) }

// well answers a query as a resolver does when all is well: with one key, its DS,
// and a SOA, all signed for a month.
func well(query *dns.Msg) *dns.Msg {
	m := new(dns.Msg).SetReply(query)
	m.AuthenticatedData = true
	q := query.Question[0]
	header := dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET, Ttl: 60}
	key := &dns.DNSKEY{Hdr: header, Flags: dns.ZONE | dns.SEP, Protocol: 3, Algorithm: dns.ED25519, PublicKey: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}
	signer, tag := q.Name, key.KeyTag()
	switch q.Qtype {
	case dns.TypeDNSKEY:
		m.Answer = append(m.Answer, key)
	case dns.TypeDS:
		signer = "."
		m.Answer = append(m.Answer, key.ToDS(dns.SHA256))
		m.Answer[0].Header().Rrtype = dns.TypeDS
	default:
		m.Answer = append(m.Answer, &dns.SOA{Hdr: header, Ns: "ns.", Mbox: "root."})
	}
	header.Rrtype = dns.TypeRRSIG
	now := uint32(time.Now().Unix())
	m.Answer = append(m.Answer, &dns.RRSIG{
		Hdr: header, TypeCovered: q.Qtype, Algorithm: dns.ED25519, Labels: 1, Expiration: now + 30*86400, Inception: now - 3600,
		KeyTag: tag, SignerName: signer, Signature: "AAAA",
	})
	return m
}

func rcode(code int, options ...dns.EDNS0) reply {
	return func(_ string, query *dns.Msg) [][]byte {
		m := new(dns.Msg).SetRcode(query, code)
		m.SetEdns0(1232, true)
		m.IsEdns0().Option = options
		return [][]byte{pack(m)}
	}
}

func changed(change func(query, m *dns.Msg)) reply {
	return func(_ string, query *dns.Msg) [][]byte {
		m := well(query)
		change(query, m)
		return [][]byte{pack(m)}
	}
}

func checkAt(t *testing.T, ctx context.Context, resolver string) (*dnssec.Result, error) {
	t.Helper()
	c := &dnssec.Checker{Timeout: 100 * time.Millisecond}
	return c.Check(ctx, &plan.DNSSECCheck{Name: "example", Types: []string{"SOA"}, WarnBefore: 7 * day, Resolver: resolver})
}

func TestFaultyResolvers(t *testing.T) {
	long := strings.Repeat("x", 5000)
	for what, c := range map[string]struct {
		reply reply
		found string // "" = all is well
	}{
		"well":         {changed(func(_, _ *dns.Msg) {}), ""},
		"silent":       {func(string, *dns.Msg) [][]byte { return nil }, `^no answer for the SOA of example: resolver \S+: no answer within 100ms$`},
		"refused":      {rcode(dns.RcodeRefused), `answers REFUSED: it does not serve this host$`},
		"no EDNS":      {rcode(dns.RcodeFormatError), `answers FORMERR: it does not know EDNS`},
		"broken":       {rcode(dns.RcodeServerFailure), `answers SERVFAIL, and SERVFAIL too when it is asked not to validate`},
		"bad version":  {rcode(dns.RcodeBadVers), `answers BADVERS: it does not know EDNS`},
		"odd code":     {rcode(13), `answers RCODE 13`},
		"not itself":   {rcode(dns.RcodeServerFailure, &dns.EDNS0_EDE{InfoCode: 23}), `answers SERVFAIL \(Network Error\), which is not about signatures`},
		"hostile text": {rcode(dns.RcodeRefused, &dns.EDNS0_EDE{InfoCode: 4711, ExtraText: "\x1b[2J\n\xff" + long}), `\(extended error 4711: "\\x1b\[2J\\n\\xffx{10,200}"\)`},
		"many texts":   {rcode(dns.RcodeRefused, &dns.EDNS0_EDE{}, &dns.EDNS0_EDE{}, &dns.EDNS0_EDE{}, &dns.EDNS0_EDE{}), `\(Other; Other; Other\)`},

		"wrong id":    {changed(func(_, m *dns.Msg) { m.Id++ }), `no answer within 100ms \(an answer came that belongs to another question\)`},
		"wrong name":  {changed(func(_, m *dns.Msg) { m.Question[0].Name = "example.org." }), `another question`},
		"wrong type":  {changed(func(_, m *dns.Msg) { m.Question[0].Qtype = dns.TypeA }), `another question`},
		"no question": {changed(func(_, m *dns.Msg) { m.Question = nil }), `another question`},
		"an echo":     {func(_ string, query *dns.Msg) [][]byte { return [][]byte{pack(query)} }, `another question`},
		"other case":  {changed(func(_, m *dns.Msg) { m.Question[0].Name = "EXAMPLE." }), ""},
		"garbage":     {func(string, *dns.Msg) [][]byte { return [][]byte{[]byte("\x00\x01garbage")} }, `\(a packet came that is no DNS message\)`},
		"empty":       {func(string, *dns.Msg) [][]byte { return [][]byte{nil} }, `no DNS message`},
		"forged, then good": {func(_ string, query *dns.Msg) [][]byte {
			forged := rcode(dns.RcodeNameError)("", query)[0]
			forged[0]++
			return [][]byte{forged, []byte("garbage"), pack(well(query))}
		}, ""},
		"cut between records": {func(_ string, query *dns.Msg) [][]byte {
			m := well(query)
			whole := pack(m)
			m.Answer = m.Answer[:1]
			return [][]byte{whole[:m.Len()]}
		}, `\(an answer came that is cut\)`},

		"over TCP": {func(network string, query *dns.Msg) [][]byte {
			m := well(query)
			if network == "tcp" {
				return [][]byte{framed(pack(m))}
			}
			m.Truncated, m.Answer = true, nil
			return [][]byte{pack(m)}
		}, ""},
		"large over TCP": {func(network string, query *dns.Msg) [][]byte {
			m := well(query)
			if network == "udp" {
				m.Truncated, m.Answer = true, nil
				return [][]byte{pack(m)}
			}
			for m.Len() < 60000 {
				m.Extra = append(m.Extra, &dns.TXT{Hdr: dns.RR_Header{Name: "example.", Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: []string{long[:250]}})
			}
			return [][]byte{framed(pack(m))}
		}, ""},
		"cut over TCP": {func(network string, query *dns.Msg) [][]byte {
			m := well(query)
			if network == "tcp" {
				return [][]byte{framed(pack(m))[:40]}
			}
			m.Truncated = true
			return [][]byte{pack(m)}
		}, `too long for UDP, and over TCP: it ends the connection in the middle of the answer`},
		"truncated over TCP": {func(network string, query *dns.Msg) [][]byte {
			m := well(query)
			m.Truncated = true
			if network == "tcp" {
				return [][]byte{framed(pack(m))}
			}
			return [][]byte{pack(m)}
		}, `its answer is cut, over TCP too`},

		"no signatures":        {changed(func(_, m *dns.Msg) { m.Answer = m.Answer[:1] }), `gives no signatures; ask one that knows DNSSEC`},
		"signed by a stranger": {changed(func(_, m *dns.Msg) { m.Answer[1].(*dns.RRSIG).SignerName = "other." }), `gives no signatures`},
		"another key": {changed(func(query, m *dns.Msg) {
			if query.Question[0].Qtype == dns.TypeSOA {
				m.Answer[1].(*dns.RRSIG).KeyTag++
			}
		}), `^the SOA of example is not signed by a key of the zone that counts, but with the key tag \d+ ED25519$`},
		"revoked key": {changed(func(_, m *dns.Msg) {
			if key, ok := m.Answer[0].(*dns.DNSKEY); ok {
				key.Flags |= dns.REVOKE
			}
		}), `the zone has no keys`},
		"keys signed by one without DS": {changed(func(_, m *dns.Msg) {
			if key, ok := m.Answer[0].(*dns.DNSKEY); ok {
				other := *key
				other.Flags = dns.ZONE
				m.Answer[1].(*dns.RRSIG).KeyTag = other.KeyTag()
				m.Answer = append(m.Answer, &other)
			}
		}), `^the DNSKEY of example is not signed by a key of the zone that counts, but with the key tag \d+ ED25519$`},
		"other digest": {changed(func(_, m *dns.Msg) {
			if ds, ok := m.Answer[0].(*dns.DS); ok {
				ds.Digest = strings.Repeat("0", 64)
			}
		}), `no DS of example belongs to a key of the zone`},
		"unknown digest": {changed(func(_, m *dns.Msg) {
			if ds, ok := m.Answer[0].(*dns.DS); ok {
				ds.DigestType, ds.Digest = 200, "00"
			}
		}), ""},
		"DS signed for a week": {changed(func(query, m *dns.Msg) {
			if query.Question[0].Qtype == dns.TypeDS {
				sig := m.Answer[1].(*dns.RRSIG)
				sig.Inception, sig.Expiration = sig.Inception-5*86400, sig.Inception+2*86400
			}
		}), ""},
		"DS ends": {changed(func(query, m *dns.Msg) {
			if query.Question[0].Qtype == dns.TypeDS {
				sig := m.Answer[1].(*dns.RRSIG)
				sig.Inception, sig.Expiration = sig.Inception-7*86400, sig.Inception+86400
			}
		}), `signature of the DS of example ends at \S+, in 22h\d+m, which is less than 2 days`},
		"an old signature beside a new one": {changed(func(_, m *dns.Msg) {
			old := *m.Answer[1].(*dns.RRSIG)
			old.Expiration = old.Inception + 60
			m.Answer = append(m.Answer, &old)
		}), ""},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			_, err := checkAt(t, t.Context(), faulty(t, c.reply))
			if c.found == "" {
				wantFindings(t, err, nil)
				return
			}
			wantFindings(t, err, []string{c.found})
		})
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	_, err = checkAt(t, t.Context(), l.Addr().String())
	wantFindings(t, err, []string{`resolver \S+: connection refused`})
}

// The resolver refuses to answer, and answers when it is asked not to validate: it says
// itself whether that is because of a signature (RFC 8914).
func TestReasonsOfAResolver(t *testing.T) {
	const bogus = `^the SOA of example does not validate: the resolver \S+ refuses it`
	for what, c := range map[string]struct {
		codes []uint16
		found string
	}{
		"none":                          {nil, bogus},
		"bogus":                         {[]uint16{dns.ExtendedErrorCodeDNSBogus}, bogus + ` \(DNSSEC Bogus\)`},
		"cached":                        {[]uint16{dns.ExtendedErrorCodeCachedError}, bogus + ` \(Cached Error\)`},
		"keys, because not reachable":   {[]uint16{dns.ExtendedErrorCodeNoReachableAuthority, dns.ExtendedErrorCodeDNSKEYMissing}, bogus},
		"not reachable":                 {[]uint16{dns.ExtendedErrorCodeNoReachableAuthority}, `^no answer for the SOA of example: resolver \S+: answers SERVFAIL \(No Reachable Authority\), which is not about signatures`},
		"not reachable, and from cache": {[]uint16{dns.ExtendedErrorCodeNetworkError, dns.ExtendedErrorCodeCachedError}, `answers SERVFAIL \(Network Error; Cached Error\), which is not about signatures`},
		"blocked":                       {[]uint16{dns.ExtendedErrorCodeBlocked}, `answers SERVFAIL \(Blocked\), by a policy of its own, which is not about signatures$`},
		"filtered":                      {[]uint16{dns.ExtendedErrorCodeFiltered}, `answers SERVFAIL \(Filtered\), by a policy of its own`},
		"blocked, behind many":          {[]uint16{0, 0, 0, dns.ExtendedErrorCodeBlocked}, `answers SERVFAIL \(Other; Other; Other\), by a policy`},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			var options []dns.EDNS0
			for _, code := range c.codes {
				options = append(options, &dns.EDNS0_EDE{InfoCode: code})
			}
			server := faulty(t, func(network string, query *dns.Msg) [][]byte {
				if query.CheckingDisabled {
					return [][]byte{pack(well(query))}
				}
				return rcode(dns.RcodeServerFailure, options...)(network, query)
			})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, err := checkAt(t, ctx, server)
			var e *dnssec.Error
			if !errors.As(err, &e) || !regexp.MustCompile(c.found).MatchString(e.Findings[0]) {
				t.Errorf("got %v, want %q", err, c.found)
			}
		})
	}
}

// A routine that is stopped does not wait for a resolver that says nothing.
func TestCancelEndsTheWait(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			asked := make(chan struct{}, 100)
			server := faulty(t, func(on string, query *dns.Msg) [][]byte {
				if on == network {
					asked <- struct{}{}
					if on == "tcp" {
						<-t.Context().Done()
					}
					return nil
				}
				m := new(dns.Msg).SetReply(query)
				m.Truncated = true
				return [][]byte{pack(m)}
			})
			stopped := errors.New("stopped")
			ctx, cancel := context.WithCancelCause(t.Context())
			go func() {
				<-asked
				cancel(stopped)
			}()
			c := &dnssec.Checker{Timeout: time.Hour}
			_, err := c.Check(ctx, &plan.DNSSECCheck{Name: "example", Types: []string{"SOA"}, WarnBefore: day, Resolver: server})
			if err != stopped { //nolint:errorlint // it is the cause itself
				t.Errorf("got %v, want the cause of the end", err)
			}
		})
	}
}

// resolv.conf(5) names port 53, so what is tried is seen in the error.
func TestResolversOfTheHost(t *testing.T) {
	for text, want := range map[string]string{
		"nameserver 127.0.0.250\nnameserver 127.0.0.251\noptions timeout:1 attempts:1\n": `resolver 127\.0\.0\.250:53: .*; resolver 127\.0\.0\.251:53: `,
		"nameserver ::1%lo\noptions timeout:1 attempts:0\n":                              `resolver \[::1%lo\]:53: `,
	} {
		file := filepath.Join(t.TempDir(), "resolv.conf")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		c := &dnssec.Checker{ResolvConf: file, Timeout: 50 * time.Millisecond}
		_, err := c.Check(t.Context(), &plan.DNSSECCheck{Name: "example", Types: []string{"SOA"}, WarnBefore: day})
		wantFindings(t, err, []string{want})
	}
	c := &dnssec.Checker{ResolvConf: t.TempDir()}
	if _, err := c.Check(t.Context(), &plan.DNSSECCheck{Name: "example", Types: []string{"SOA"}, WarnBefore: day}); err == nil || !strings.Contains(err.Error(), "read the resolvers of this host") {
		t.Errorf("got %v, want that resolv.conf cannot be read", err)
	}
}

func TestEveryTypeIsKnown(t *testing.T) {
	for _, name := range plan.RecordTypes() {
		if dns.StringToType[name] == 0 {
			t.Errorf("%s is offered, and cannot be asked for", name)
		}
	}
}

// A probe that tells nothing leaves the check as it is without one, which is said.
func TestProbeThatTellsNothing(t *testing.T) {
	for name, c := range map[string]struct {
		probe reply
		want  string // in the summary; "" = no word of the probe
	}{
		"bogus": {func(_ string, query *dns.Msg) [][]byte {
			if query.CheckingDisabled {
				return [][]byte{pack(new(dns.Msg).SetReply(query))}
			}
			return [][]byte{pack(new(dns.Msg).SetRcode(query, dns.RcodeServerFailure))}
		}, ""},
		"misspelt": {rcode(dns.RcodeNameError), ", of which the probe tells nothing: probe.example does not exist (NXDOMAIN); is it spelt right?"},
		"refused":  {rcode(dns.RcodeRefused), ", of which the probe tells nothing: "},
		"silent":   {func(string, *dns.Msg) [][]byte { return nil }, "no answer within"},
	} {
		t.Run(name, func(t *testing.T) {
			resolver := faulty(t, func(network string, query *dns.Msg) [][]byte {
				if query.Question[0].Name == "probe.example." {
					return c.probe(network, query)
				}
				return [][]byte{pack(well(query))}
			})
			p := &plan.DNSSECCheck{Name: "example", Types: []string{"SOA"}, Resolver: resolver, WarnBefore: time.Hour, Probe: "probe.example"}
			result, err := (&dnssec.Checker{Timeout: 200 * time.Millisecond}).Check(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			text := result.String()
			if !strings.Contains(text, c.want) || strings.Contains(text, "probe") != (c.want != "") || strings.Contains(text, "\n") {
				t.Errorf("got %s, want %q in it", text, c.want)
			}
		})
	}
}
