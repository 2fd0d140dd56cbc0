package dnssec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"palhm/runtime/host"
)

// What resolv.conf(5) says where the file does not, and the most that it allows.
const (
	defaultTimeout = 5 * time.Second
	maxTimeout     = 30 * time.Second
	defaultTries   = 2
	maxTries       = 5
	localResolver  = "127.0.0.1"
)

// resolver asks one of several servers.
type resolver struct {
	servers []string // "host:port", the one that has answered first
	timeout time.Duration
	tries   int
	silent  bool // to the last question nobody has said anything

	exchange func(ctx context.Context, server string, query *dns.Msg, timeout time.Duration) (*dns.Msg, error)
}

// resolver returns the one that was named, or those of the host.
func (c *Checker) resolver(ctx context.Context, named string) (*resolver, error) {
	r := &resolver{timeout: defaultTimeout, tries: defaultTries, exchange: exchange}
	if named != "" {
		r.servers = []string{named}
	} else if err := r.configure(ctx, c.ResolvConf); err != nil {
		return nil, err
	}
	if c.Timeout > 0 {
		r.timeout = c.Timeout
	}
	return r, nil
}

// configure reads resolv.conf(5). Without the file, or a server in it, the one on
// this host is meant.
func (r *resolver) configure(ctx context.Context, file string) error {
	if file == "" {
		file = "/etc/resolv.conf"
	}
	text, err := host.ReadFile(ctx, file, 1<<20)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read the resolvers of this host: %w", err)
	}
	conf, parseErr := dns.ClientConfigFromReader(bytes.NewReader(text))
	if parseErr != nil {
		return fmt.Errorf("read the resolvers of this host: %s: %w", file, parseErr)
	}
	if err == nil {
		r.timeout = min(time.Duration(max(conf.Timeout, 1))*time.Second, maxTimeout)
		r.tries = min(max(conf.Attempts, 1), maxTries)
	}
	if len(conf.Servers) == 0 {
		conf.Servers = []string{localResolver}
	}
	for _, s := range conf.Servers {
		r.servers = append(r.servers, net.JoinHostPort(s, "53"))
	}
	return nil
}

// answer is what a resolver has said.
type answer struct {
	question
	server string
	msg    *dns.Msg
	bogus  bool   // the resolver has refused to give it; this is what does not validate
	why    string // what the resolver says to that, or ""
}

// secure reports whether the resolver has validated the answer.
func (a *answer) secure() bool { return !a.bogus && a.msg.AuthenticatedData }

// ask tries all servers until one has an answer, and begins with it from then on,
// so that one check is not about two resolvers.
func (r *resolver) ask(ctx context.Context, q question) (*answer, error) {
	problems := make([]error, len(r.servers))
	r.silent = true
	for range r.tries {
		for i, server := range r.servers {
			a, err := r.askServer(ctx, server, q)
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			if err == nil {
				r.silent = false
				copy(r.servers[1:i+1], r.servers[:i])
				r.servers[0] = server
				return a, nil
			}
			problems[i] = err
			var said *rcodeError
			if errors.As(err, &said) {
				r.silent = false
			}
		}
	}
	texts := make([]string, len(problems))
	for i, err := range problems {
		texts[i] = fmt.Sprintf("resolver %s: %v", r.servers[i], err)
	}
	return nil, fmt.Errorf("no answer for the %v: %s", q, strings.Join(texts, "; "))
}

// askServer asks one server. One that answers only when it need not validate takes
// the answer for bogus; one that answers neither way is of no use.
func (r *resolver) askServer(ctx context.Context, server string, q question) (*answer, error) {
	m, err := r.exchange(ctx, server, newQuery(q, false), r.timeout)
	if err != nil {
		return nil, err
	}
	switch m.Rcode {
	case dns.RcodeSuccess, dns.RcodeNameError:
		return &answer{question: q, server: server, msg: m}, nil
	case dns.RcodeServerFailure:
	default:
		return nil, &rcodeError{rcodeText(m)}
	}
	why := extended(m)
	if elsewhere := notAboutSignatures(m); elsewhere != "" {
		return nil, &rcodeError{"answers SERVFAIL" + why + elsewhere}
	}
	m, err = r.exchange(ctx, server, newQuery(q, true), r.timeout)
	if err != nil {
		return nil, &rcodeError{"answers SERVFAIL" + why + "; asked not to validate: " + err.Error()}
	}
	if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
		return nil, &rcodeError{"answers SERVFAIL" + why + ", and " + rcodeName(m) + " too when it is asked not to validate: it is broken itself, or does not reach the servers of the zone"}
	}
	return &answer{question: q, server: server, msg: m, bogus: true, why: why}, nil
}

// rcodeError is an answer without any use.
type rcodeError struct{ msg string }

func (e *rcodeError) Error() string { return e.msg }

func rcodeName(m *dns.Msg) string {
	if m.Rcode == dns.RcodeBadVers {
		return "BADVERS" // the number is also that of BADSIG, which is for TSIG (RFC 6895, 2.3)
	}
	if name, ok := dns.RcodeToString[m.Rcode]; ok {
		return name
	}
	return fmt.Sprintf("RCODE %d", m.Rcode)
}

func rcodeText(m *dns.Msg) string {
	text := "answers " + rcodeName(m) + extended(m)
	switch m.Rcode {
	case dns.RcodeRefused:
		text += ": it does not serve this host"
	case dns.RcodeFormatError, dns.RcodeNotImplemented, dns.RcodeBadVers:
		text += ": it does not know EDNS, and so no DNSSEC"
	}
	return text
}

// Extended errors (RFC 8914, 4) that say what a failure is about. The others, such as that
// it comes from a cache, say nothing of that.
var (
	aboutSignatures = []uint16{
		dns.ExtendedErrorCodeUnsupportedDNSKEYAlgorithm, dns.ExtendedErrorCodeUnsupportedDSDigestType, dns.ExtendedErrorCodeDNSSECIndeterminate,
		dns.ExtendedErrorCodeDNSBogus, dns.ExtendedErrorCodeSignatureExpired, dns.ExtendedErrorCodeSignatureNotYetValid, dns.ExtendedErrorCodeDNSKEYMissing,
		dns.ExtendedErrorCodeRRSIGsMissing, dns.ExtendedErrorCodeNoZoneKeyBitSet, dns.ExtendedErrorCodeNSECMissing,
		dns.ExtendedErrorCodeSignatureExpiredBeforeValid, dns.ExtendedErrorCodeUnsupportedNSEC3IterValue,
	}
	aboutPolicy = []uint16{
		dns.ExtendedErrorCodeForgedAnswer, dns.ExtendedErrorCodeBlocked, dns.ExtendedErrorCodeCensored, dns.ExtendedErrorCodeFiltered,
		dns.ExtendedErrorCodeProhibited, dns.ExtendedErrorCodeUnableToConformToPolicy,
	}
	aboutServers = []uint16{
		dns.ExtendedErrorCodeNotReady, dns.ExtendedErrorCodeNotAuthoritative, dns.ExtendedErrorCodeNotSupported, dns.ExtendedErrorCodeNoReachableAuthority,
		dns.ExtendedErrorCodeNetworkError, dns.ExtendedErrorCodeInvalidData, dns.ExtendedErrorCodeTooEarly,
	}
)

// notAboutSignatures says that a resolver fails for another reason than validation, by
// its own word; "" = it does not say so.
func notAboutSignatures(m *dns.Msg) string {
	has := func(codes []uint16) bool {
		return slices.ContainsFunc(extendedErrors(m), func(e *dns.EDNS0_EDE) bool { return slices.Contains(codes, e.InfoCode) })
	}
	switch {
	case has(aboutSignatures):
		return ""
	case has(aboutPolicy):
		return ", by a policy of its own, which is not about signatures"
	case has(aboutServers):
		return ", which is not about signatures: it is broken itself, or does not reach the servers of the zone"
	}
	return ""
}

func extendedErrors(m *dns.Msg) (list []*dns.EDNS0_EDE) {
	opt := m.IsEdns0()
	if opt == nil {
		return nil
	}
	for _, o := range opt.Option {
		if e, ok := o.(*dns.EDNS0_EDE); ok {
			list = append(list, e)
		}
	}
	return list
}

// The most that is shown of what a resolver says in words.
const (
	maxExtended     = 3
	maxExtendedText = 200
)

// extended gives the extended errors of an answer (RFC 8914) as " (Signature
// Expired: "text")", or "". The text is a stranger's and quoted.
func extended(m *dns.Msg) string {
	all := extendedErrors(m)
	var texts []string
	for _, e := range all[:min(len(all), maxExtended)] {
		text, known := dns.ExtendedErrorCodeToString[e.InfoCode]
		if !known {
			text = fmt.Sprintf("extended error %d", e.InfoCode)
		}
		if said := e.ExtraText; said != "" {
			text += fmt.Sprintf(": %+q", said[:min(len(said), maxExtendedText)])
		}
		texts = append(texts, text)
	}
	if len(texts) == 0 {
		return ""
	}
	return " (" + strings.Join(texts, "; ") + ")"
}
