package starlib

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.starlark.net/starlark"

	"palhm/runtime/plan"
)

// defaultWarnBefore is how long before its end a signature is a failure.
const defaultWarnBefore = 7 * 24 * time.Hour

// defaultProbe is a name that is kept broken for such tests.
const defaultProbe = "dnssec-failed.org"

func dnssecCheckNative() *builtin {
	return &builtin{
		Doc: Doc{
			Name: "dnssec_check",
			Text: `A step of a routine: asks a validating resolver for a signed name, and fails when something is wrong or soon will be.
All that is found is reported together: an answer that does not validate, that is missing, or that is not authenticated, because the
zone is not signed or because the resolver does not validate; a signature of the records, of the zone's keys or of the DS that ends
soon; a DS that no key of the zone belongs to. Without trouble only a line of information is printed.`,
			Params: []Param{
				{Name: "name", Type: "string", Doc: `the domain name, such as "example.org", or "." for the root; one that is not ASCII in its form with xn--`},
				{Name: "types", Type: "list of strings", Default: `["SOA"]`, Doc: `the types of the records to ask for, such as ["SOA", "MX"]`},
				{Name: "resolver", Type: "string", Default: "None", Doc: `the resolver to ask: "192.0.2.1", "[::1]:53", "host:port", an IPv6 address best in brackets; None is those of /etc/resolv.conf. Its answers are as good as the way to it: best it is on this host`},
				{Name: "warn_before", Type: "duration", Default: `"7d"`, Doc: "how long before its end a signature is a failure. Less than what the zone's signer leaves until it signs again. Of a DS, which the parent signs, it is at most a quarter of the signature's whole time"},
				{Name: "probe", Type: "string", Default: `"dnssec-failed.org"`, TakesNone: true, Doc: "a name whose signatures are broken: a resolver that answers it does not validate, whatever it calls authenticated. One that does not exist or is not answered tells nothing, which is said and is no failure. None asks for no such name"},
			},
		},
		run:    runDNSSECCheck,
		broken: func(*call) starlark.Value { return &dnssecValue{check: &plan.DNSSECCheck{Name: "?"}} },
	}
}

func runDNSSECCheck(c *call) (starlark.Value, error) {
	v := &dnssecValue{pos: c.caller(), check: &plan.DNSSECCheck{Types: []string{"SOA"}, WarnBefore: defaultWarnBefore, Probe: defaultProbe}}
	if err := c.unpack(v.set); err != nil {
		return nil, err
	}
	if v.check.Probe == v.check.Name {
		return nil, &argError{-1, "probe", "probe", fmt.Errorf("%s is the name that is checked, and cannot be known to be broken", v.check.Name)}
	}
	return v, nil
}

// dnssecValue is a DNSSEC check as a site sees it.
type dnssecValue struct {
	check *plan.DNSSECCheck
	pos   plan.Pos
}

func (d *dnssecValue) String() string        { return fmt.Sprintf("dnssec_check(%q)", d.check.Name) }
func (d *dnssecValue) Type() string          { return "dnssec_check" }
func (d *dnssecValue) Freeze()               {}
func (d *dnssecValue) Truth() starlark.Bool  { return true }
func (d *dnssecValue) Hash() (uint32, error) { return unhashable(d) }

func (d *dnssecValue) set(name string, v starlark.Value) error {
	switch name {
	case "name":
		return toDomainName(&d.check.Name, v)
	case "types":
		return toRecordTypes(&d.check.Types, v)
	case "resolver":
		return toParsed(&d.check.Resolver, v, plan.ParseResolver)
	case "warn_before":
		return toDuration(&d.check.WarnBefore, v)
	case "probe":
		if v == starlark.None {
			d.check.Probe = ""
			return nil
		}
		return toDomainName(&d.check.Probe, v)
	}
	panic("dnssec_check has no parameter " + name)
}

func toDomainName(dst *string, v starlark.Value) error {
	return toParsed(dst, v, plan.ParseDomainName)
}

func toParsed(dst *string, v starlark.Value, parse func(string) (string, error)) error {
	var text string
	err := toString(&text, v)
	if err == nil {
		*dst, err = parse(text)
	}
	return err
}

func toRecordTypes(dst *[]string, v starlark.Value) error {
	if s, ok := starlark.AsString(v); ok {
		return fmt.Errorf("got the string %s, want a list; write [%s]", short(v), starlark.String(s))
	}
	var types []string
	err := eachElement(v, "types of records", func(v starlark.Value) error {
		var t string
		if err := toString(&t, v); err != nil {
			return err
		}
		if known := plan.RecordTypes(); !slices.Contains(known, t) {
			if n := Nearest(t, known); n != "" {
				return fmt.Errorf("got %s (did you mean %q?)", short(v), n)
			}
			return fmt.Errorf("got %s, want a type of records, such as \"SOA\"; there are %s", short(v), joinWords(known))
		}
		if slices.Contains(types, t) {
			return fmt.Errorf("%s is listed twice", t)
		}
		types = append(types, t)
		return nil
	})
	if err == nil && len(types) == 0 {
		return errors.New(`is empty, want at least one type of records, such as ["SOA"]`)
	}
	*dst = types
	return err
}
