// Package dnssec asks a validating resolver whether a signed name is well, and
// will be for a while: whether its records validate (RFC 4035), how long their
// signatures hold, and whether the DS at the parent belongs to the zone's keys.
//
// It does not validate by itself: that is what resolvers are for, and what their
// users depend on. What it is told is data of strangers: an answer that does not
// belong to the question is passed over, and no text of an answer is shown as it is.
package dnssec

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"palhm/runtime/plan"
)

// Checker makes checks. The zero value is ready; its methods may be called
// concurrently.
type Checker struct {
	ResolvConf string           // "" = /etc/resolv.conf
	Timeout    time.Duration    // of one question to one resolver; 0 = as ResolvConf says, else 5 s
	Now        func() time.Time // nil = time.Now
}

// Result is what a check without findings has seen.
type Result struct {
	Name     string
	Until    time.Time // when the first of the signatures ends, UTC
	What     string    // whose signature that is: "DNSKEY of example.org"
	Resolver string    // that was asked, "host:port"
	Untold   string    // why the probe told nothing of the resolver; "" = it did, or none was asked for
	Unproven []string  // answers that no resolver can authenticate: "A of x.example.org"
}

// String is one line.
func (r *Result) String() string {
	text := fmt.Sprintf("DNSSEC of %s is well until %s (signature of the %s), says the resolver %s",
		r.Name, r.Until.Format(time.RFC3339), r.What, r.Resolver)
	if r.Untold != "" {
		text += ", of which the probe tells nothing: " + r.Untold
	}
	if len(r.Unproven) > 0 {
		text += "; nobody can authenticate the " + strings.Join(r.Unproven, " and the ") + ", because the zone leaves room for unsigned names (NSEC3 opt-out, RFC 5155, 9.2)"
	}
	return text
}

// Error is all that a check has found.
type Error struct {
	Name     string
	Findings []string // at least one, each a line; what is worst comes first
}

// Error gives the first finding in the first line, and each other in one of its own.
func (e *Error) Error() string {
	return fmt.Sprintf("DNSSEC of %s: %s", e.Name, strings.Join(e.Findings, "\n  also "))
}

// Check makes one check. It returns an *Error when something is wrong, or will be
// within c.WarnBefore, and the cause of ctx when that ended the check.
func (c *Checker) Check(ctx context.Context, p *plan.DNSSECCheck) (*Result, error) {
	servers, err := c.resolver(ctx, p.Resolver)
	if err != nil {
		return nil, fmt.Errorf("check DNSSEC of %s: %w", p.Name, err)
	}
	k := &check{
		plan: p, resolver: servers, now: c.now(), name: dns.Fqdn(p.Name),
		asked: map[question]*answer{}, zones: map[string]*zone{},
	}
	err = k.run(ctx)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil && len(k.findings) == 0:
		return nil, fmt.Errorf("check DNSSEC of %s: %w", p.Name, err)
	case len(k.findings) > 0:
		return nil, &Error{Name: p.Name, Findings: k.findings}
	}
	return &Result{Name: p.Name, Until: k.until.UTC(), What: k.untilOf, Resolver: k.resolver.servers[0], Untold: k.untold, Unproven: k.unproven}, nil
}

func (c *Checker) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

// check is one check while it goes on.
type check struct {
	plan     *plan.DNSSECCheck
	resolver *resolver
	now      time.Time
	name     string // with the dot at its end

	asked    map[question]*answer
	answers  []*answer        // to what the site asks for
	zones    map[string]*zone // by name
	order    []*zone          // in the order in which they were met
	sets     []*rrset         // whose signatures matter
	unsigned []string         // names of records without signatures
	insecure bool             // a zone is not signed, which has been found
	findings []string

	until   time.Time // the earliest end of a signature; zero = none was seen
	untilOf string

	untold   string   // see Result
	unproven []string // see Result
}

func (k *check) find(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(k.findings, text) {
		k.findings = append(k.findings, text)
	}
}

// run asks all that there is to ask. Its error is the end of ctx, or that no
// resolver answers, which has been found then: there is no use in asking on.
func (k *check) run(ctx context.Context) error {
	for _, t := range k.plan.Types {
		a, err := k.ask(ctx, k.name, dns.StringToType[t])
		if err != nil {
			return err
		}
		if a != nil {
			k.answers = append(k.answers, a)
			k.judge(a)
		}
	}
	if len(k.answers) == 0 {
		return nil
	}
	for _, name := range k.unsigned {
		apex, err := k.apex(ctx, name)
		if err != nil {
			return err
		}
		if apex != "" {
			k.addZone(apex, question{})
		}
	}
	for _, z := range k.order {
		if err := k.inspect(ctx, z); err != nil {
			return err
		}
	}
	if err := k.authenticated(ctx); err != nil {
		return err
	}
	k.signatures()
	if k.until.IsZero() && len(k.findings) == 0 {
		k.find("the resolver %s gives no signatures; ask one that knows DNSSEC", k.resolver.servers[0])
	}
	return nil
}

// ask asks once for what is asked several times. It returns nil for an answer
// that a resolver could not give, which has been found then.
func (k *check) ask(ctx context.Context, name string, qtype uint16) (*answer, error) {
	q := question{dns.CanonicalName(name), qtype}
	if a, ok := k.asked[q]; ok {
		return a, nil
	}
	a, err := k.resolver.ask(ctx, q)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	k.asked[q] = a
	if err != nil {
		k.find("%v", err)
		if k.resolver.silent {
			return nil, err
		}
	}
	return a, nil
}

// question is what a resolver is asked for.
type question struct {
	name  string // canonical, with the dot at its end
	qtype uint16
}

// String gives "SOA of example.org".
func (q question) String() string { return dns.TypeToString[q.qtype] + " of " + shown(q.name) }

// shown is a name for a person. The library has escaped what is not printable.
func shown(name string) string {
	if name == "." {
		return "the root zone"
	}
	return strings.TrimSuffix(name, ".")
}
