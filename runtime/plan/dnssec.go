package plan

import "time"

// DNSSECCheck is a step that asks a validating resolver for a signed name.
type DNSSECCheck struct {
	Name       string        `json:"name"`               // a domain name
	Types      []string      `json:"types"`              // of records, such as "SOA"
	Resolver   string        `json:"resolver,omitempty"` // "host" or "host:port"; "" = of /etc/resolv.conf
	WarnBefore time.Duration `json:"warn_before"`        // a signature that ends earlier is a failure
	Probe      string        `json:"probe,omitempty"`    // a name known to be broken; "" = do not ask for it
}
