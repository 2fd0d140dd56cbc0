package plan

import (
	"strings"
	"testing"
)

func TestDomainNames(t *testing.T) {
	long := strings.Repeat("a.", 126) + "a"
	for text, want := range map[string]string{
		"example.org": "example.org", "example.org.": "example.org", "EXAMPLE.Org": "example.org", ".": ".", "org": "org",
		"_25._tcp.mx.example.org": "_25._tcp.mx.example.org", "xn--bcher-kva.example": "xn--bcher-kva.example",
		"2.0.192.in-addr.arpa": "2.0.192.in-addr.arpa", long: long, strings.Repeat("a", 63) + ".org": strings.Repeat("a", 63) + ".org",
	} {
		if got, err := ParseDomainName(text); err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
	for text, why := range map[string]string{
		"": "want a domain name", "..": "empty", "example..org": "empty", ".org": "empty",
		"https://example.org/": "alone", "192.0.2.1": "address", "::1": "address", "exa mple.org": `' '`, "*.example.org": `'*'`,
		`exam\.ple.org`: `'\\'`, "bücher.example": "xn--", "e\x00.org": "want letters",
		strings.Repeat("a", 64) + ".org": "64 characters", long + ".a": "255 characters",
	} {
		if got, err := ParseDomainName(text); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: got %q, %v, want an error that says %s", text, got, err, why)
		}
	}
}

func TestResolvers(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1": "192.0.2.1:53", "192.0.2.1:5353": "192.0.2.1:5353", "::1": "[::1]:53", "[::1]": "[::1]:53", "[::1]:5353": "[::1]:5353",
		"2001:db8::53": "[2001:db8::53]:53", "2620:fe::fe:9": "[2620:fe::fe:9]:53", "2001:db8:0:0:0:0:0:5353": "[2001:db8:0:0:0:0:0:5353]:53",
		"[2001:db8::1:5353]": "[2001:db8::1:5353]:53", "fe80::1%eth0": "[fe80::1%eth0]:53", "[fe80::1%eth0]:54": "[fe80::1%eth0]:54", "localhost": "localhost:53", "dns.example.org:853": "dns.example.org:853",
	} {
		if got, err := ParseResolver(text); err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
	for text, hint := range map[string]string{
		"::1:5301": `write "[::1]:5301" or "[::1:5301]"`, "2001:db8::1:53": `"[2001:db8::1]:53"`, "fe80::1%eth0:5353": `"[fe80::1%eth0]:5353"`,
	} {
		if got, err := ParseResolver(text); err == nil || !strings.Contains(err.Error(), hint) {
			t.Errorf("%q: got %q, %v, want %s", text, got, err, hint)
		}
	}
	for _, text := range []string{
		"", ":53", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:dns", "192.0.2.1:+53", "192.0.2.256", "1.2.3", "[::1", "::1]:53x",
		"[192.0.2.1]:x", "dns/example", "https://dns.example/dns-query", ".", "a b",
	} {
		if got, err := ParseResolver(text); err == nil {
			t.Errorf("%q: got %q, want an error", text, got)
		}
	}
}
