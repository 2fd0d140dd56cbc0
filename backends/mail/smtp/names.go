package smtp

import (
	"net"
	"os"
	"os/user"
	"regexp"
	"strings"

	"palhm/runtime/plan"
)

// A host may be called anything: sethostname(2) checks nothing.
var (
	domainName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$`) // RFC 5321, 4.1.2
	mailDomain = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)                                                 // what mail servers take besides
)

func hostName() string {
	name, _ := os.Hostname() // without a name there is none that is good
	return strings.TrimSuffix(name, ".")
}

// greeting is what palhm says that it is called: the name of the host, or the address of
// the connection when the name is none that a server may be told (RFC 5321, 4.1.4).
func greeting(local net.Addr) string {
	if name := hostName(); domainName.MatchString(name) {
		return name
	}
	return literal(local)
}

func literal(local net.Addr) string {
	tcp, ok := local.(*net.TCPAddr)
	switch {
	case !ok:
		return "localhost"
	case tcp.IP.To4() != nil:
		return "[" + tcp.IP.String() + "]"
	}
	return "[IPv6:" + tcp.IP.String() + "]"
}

// domain is what stands behind the "@" of addresses and ids of this host.
func domain() string {
	if name := hostName(); mailDomain.MatchString(name) {
		return name
	}
	return "localhost"
}

// sender is the account at this host, as a local mailer would say. An account without a
// name, as in a container, or with one that makes no address, is "palhm".
func sender() string {
	u, err := user.Current()
	if err == nil && isASCII(u.Username) {
		from := u.Username + "@" + domain()
		if (plan.MUA{Kind: plan.MUASMTP}).CheckRecipient(from) == nil {
			return from
		}
	}
	return "palhm@" + domain()
}
