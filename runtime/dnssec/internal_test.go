package dnssec

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// The time of a signature has 32 bits, and goes round in the year 2106.
func TestSignatureTimesGoRound(t *testing.T) {
	for _, c := range []struct {
		now     int64
		seconds uint32
		want    int64
	}{
		{1_800_000_000, 1_800_000_000, 1_800_000_000},
		{1_800_000_000, 1_799_999_999, 1_799_999_999},
		{1_800_000_000, 2_500_000_000, 2_500_000_000},
		{1<<32 - 10, 5, 1<<32 + 5},
		{1<<32 + 10, 1<<32 - 5, 1<<32 - 5},
		{1<<32 + 10, 20, 1<<32 + 20},
	} {
		if got := serial(c.seconds, time.Unix(c.now, 0)).Unix(); got != c.want {
			t.Errorf("%d at %d: got %d, want %d", c.seconds, c.now, got, c.want)
		}
	}
}

// The next resolver is asked when one says nothing of use, and kept then.
func TestNextResolver(t *testing.T) {
	servers := map[string]func(query *dns.Msg) (*dns.Msg, error){
		"silent":  func(*dns.Msg) (*dns.Msg, error) { return nil, errors.New("no answer") },
		"refuses": func(q *dns.Msg) (*dns.Msg, error) { return new(dns.Msg).SetRcode(q, dns.RcodeRefused), nil },
		"broken":  func(q *dns.Msg) (*dns.Msg, error) { return new(dns.Msg).SetRcode(q, dns.RcodeServerFailure), nil },
		"well":    func(q *dns.Msg) (*dns.Msg, error) { return new(dns.Msg).SetReply(q), nil },
		"bogus": func(q *dns.Msg) (*dns.Msg, error) {
			if q.CheckingDisabled {
				return new(dns.Msg).SetReply(q), nil
			}
			return new(dns.Msg).SetRcode(q, dns.RcodeServerFailure), nil
		},
	}
	for _, c := range []struct {
		order, asked []string
		silent       bool
	}{
		{order: []string{"well", "silent"}, asked: []string{"well", "well"}},
		{order: []string{"silent", "refuses", "well"}, asked: []string{"silent", "refuses", "well", "well"}},
		{order: []string{"broken", "well"}, asked: []string{"broken", "broken", "well", "well"}},
		{order: []string{"bogus", "well"}, asked: []string{"bogus", "bogus", "bogus", "bogus"}},
		{order: []string{"silent"}, asked: []string{"silent", "silent", "silent", "silent"}, silent: true},
		{order: []string{"silent", "refuses"}, asked: []string{"silent", "refuses", "silent", "refuses", "silent", "refuses", "silent", "refuses"}},
	} {
		var asked []string
		r := &resolver{servers: slices.Clone(c.order), tries: 2}
		r.exchange = func(_ context.Context, server string, query *dns.Msg, _ time.Duration) (*dns.Msg, error) {
			asked = append(asked, server)
			return servers[server](query)
		}
		for range 2 {
			r.ask(t.Context(), question{"example.", dns.TypeSOA}) //nolint:errcheck // who was asked is what matters
		}
		if !slices.Equal(asked, c.asked) || r.silent != c.silent {
			t.Errorf("%q: got %q, silent %v, want %q, %v", c.order, asked, r.silent, c.asked, c.silent)
		}
	}
}
