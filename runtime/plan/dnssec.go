package plan

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// DNSSECCheck is a step that asks a validating resolver for a signed name.
type DNSSECCheck struct {
	Name       string        `json:"name"`               // a domain name, as ParseDomainName gives it
	Types      []string      `json:"types"`              // of RecordTypes, such as "SOA"; at least one
	Resolver   string        `json:"resolver,omitempty"` // as ParseResolver gives it; "" = those of /etc/resolv.conf
	WarnBefore time.Duration `json:"warn_before"`        // a signature that ends earlier is a failure
	Probe      string        `json:"probe,omitempty"`    // a name known to be broken; "" = do not ask for it
}

// RecordTypes are the types of records that a check can ask for (IANA, "DNS
// Parameters"), without those that are made by a resolver or for one message.
func RecordTypes() []string {
	return []string{
		"A", "AAAA", "CAA", "CDNSKEY", "CDS", "CERT", "CNAME", "CSYNC", "DNAME", "DNSKEY", "DS", "HINFO", "HTTPS", "LOC", "MX",
		"NAPTR", "NS", "NSEC3PARAM", "OPENPGPKEY", "PTR", "SMIMEA", "SOA", "SRV", "SSHFP", "SVCB", "TLSA", "TXT", "URI",
	}
}

// The limits of RFC 1035, 2.3.4, without the root's dot: octets.
const (
	maxDomainName = 253
	maxLabel      = 63
)

// ParseDomainName reads a domain name as it is sent, in ASCII: "example.org", with or
// without the dot at its end, or "." for the root. The result has no dot at its end,
// but for the root, and no capitals.
func ParseDomainName(text string) (string, error) {
	name := strings.ToLower(strings.TrimSuffix(text, "."))
	switch {
	case text == ".":
		return text, nil
	case name == "":
		return "", fmt.Errorf("got %q, want a domain name such as \"example.org\"", text)
	case strings.Contains(text, "/"):
		return "", fmt.Errorf("got %q, want a domain name alone, such as \"example.org\"", text)
	case net.ParseIP(text) != nil:
		return "", fmt.Errorf("got the address %q, want a domain name such as \"example.org\"", text)
	case len(name) > maxDomainName:
		return "", fmt.Errorf("got a domain name of %d characters, want at most %d", len(name), maxDomainName)
	}
	for label := range strings.SplitSeq(name, ".") {
		if err := checkLabel(label); err != nil {
			return "", fmt.Errorf("domain name %q: %w", text, err)
		}
	}
	return name, nil
}

func checkLabel(label string) error {
	if label == "" {
		return errors.New("two dots, or a dot at its beginning, leave a label empty")
	}
	if len(label) > maxLabel {
		return fmt.Errorf("a label has %d characters, want at most %d", len(label), maxLabel)
	}
	for _, r := range label {
		switch {
		case r > 127:
			return fmt.Errorf("it has %q; write its ASCII form, which begins with xn-- (\"idn2 NAME\" prints it)", r)
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_':
		default:
			return fmt.Errorf("it has %q, want letters, digits, hyphens and dots", r)
		}
	}
	return nil
}

// dnsPort is where resolvers listen (RFC 1035, 4.2).
const dnsPort = 53

// ParseResolver reads an address or a host name, with a port or without: "192.0.2.1",
// "::1", "[::1]:5353", "dns.example.org:53". The result has a port, and brackets
// around an IPv6 address. One without brackets whose end may be meant as a port is
// refused.
func ParseResolver(text string) (string, error) {
	if address, port, ok := ambiguous(text); ok {
		return "", fmt.Errorf("got %q, which may be an address or one with a port; write \"[%s]:%s\" or \"[%s]\"", text, address, port, text)
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil { // no port
		host, port = text, strconv.Itoa(dnsPort)
		if inner, ok := strings.CutPrefix(text, "["); ok && strings.HasSuffix(inner, "]") {
			host = strings.TrimSuffix(inner, "]")
		}
	}
	bad := fmt.Errorf("got %q, want a resolver such as \"192.0.2.1\", \"[::1]:53\" or \"dns.example.org:5353\"", text)
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", bad
	}
	if _, err := netip.ParseAddr(host); err == nil && !strings.ContainsAny(host, "[]") {
		return net.JoinHostPort(host, port), nil
	}
	name, err := ParseDomainName(host)
	if err != nil || name == "." || strings.Trim(host, "0123456789.") == "" {
		return "", bad
	}
	return net.JoinHostPort(name, port), nil
}

// ambiguous takes a port off an IPv6 address without brackets, when what is left is an
// address too: "::1:5353". Numbers at which no resolver listens are none.
func ambiguous(text string) (address, port string, ok bool) {
	if _, err := netip.ParseAddr(text); err != nil {
		return "", "", false
	}
	i := strings.LastIndexByte(text, ':')
	address, port = text[:max(i, 0)], text[i+1:]
	if _, err := netip.ParseAddr(address); err != nil {
		return "", "", false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return address, port, err == nil && (n == dnsPort || n >= 1024)
}
