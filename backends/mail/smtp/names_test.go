package smtp

import (
	"net"
	"strings"
	"testing"
	"time"

	"palhm/runtime/plan"
)

// Whatever a host is called, what palhm says of itself is what a server can read.
func TestNames(t *testing.T) {
	for name, want := range map[string]struct{ greets, sends bool }{
		"web1": {true, true}, "web1.example.org": {true, true}, "1-2.x": {true, true},
		"my_host": {false, true}, "-x": {false, true},
		"": {}, "a b": {}, "h\xffst": {}, "höst": {}, "a\nb": {}, "a..b": {}, "x>": {}, "[::1]": {}, " ": {},
	} {
		if got := domainName.MatchString(name); got != want.greets {
			t.Errorf("%q as a greeting: got %v", name, got)
		}
		if got := mailDomain.MatchString(name); got != want.sends {
			t.Errorf("%q as a domain: got %v", name, got)
		}
	}
	if err := (plan.MUA{Kind: plan.MUASMTP}).CheckRecipient(sender()); err != nil {
		t.Error(err)
	}
}

func TestGreetingWithoutAName(t *testing.T) {
	for address, want := range map[string]string{"192.0.2.1": "[192.0.2.1]", "2001:db8::1": "[IPv6:2001:db8::1]"} {
		if got := literal(&net.TCPAddr{IP: net.ParseIP(address)}); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// The minimum of RFC 5321, 4.5.3.2 for each step, and for the answer to a message.
func TestPatience(t *testing.T) {
	if DefaultTimeout < 5*time.Minute || 2*DefaultTimeout < 10*time.Minute {
		t.Errorf("got %v", DefaultTimeout)
	}
}

func FuzzFoldable(f *testing.F) {
	f.Add(strings.Repeat("ä", 700))
	f.Fuzz(func(t *testing.T, s string) {
		for _, word := range strings.Fields(foldable(s)) {
			if len(s) > maxSubject && len(word) > 75 {
				t.Errorf("%q has a word of %d bytes", s, len(word))
			}
		}
	})
}
