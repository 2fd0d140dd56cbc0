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

// One signature that is good is enough: that which holds longest of those that hold
// now, and one of the future only when there is no other.
func TestBestSignature(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	sig := func(begin, end int) *dns.RRSIG {
		at := func(days int) uint32 { return uint32(now.Unix() + int64(days)*24*60*60) }
		return &dns.RRSIG{Inception: at(begin), Expiration: at(end)}
	}
	ended, short, long, future, later := sig(-9, -1), sig(-5, 5), sig(-6, 6), sig(1, 30), sig(2, 40)
	for _, c := range []struct {
		sigs []*dns.RRSIG
		want *dns.RRSIG
	}{
		{[]*dns.RRSIG{ended, short, long, future}, long},
		{[]*dns.RRSIG{future, long, short, ended}, long},
		{[]*dns.RRSIG{short, future}, short},
		{[]*dns.RRSIG{future, short}, short},
		{[]*dns.RRSIG{future, ended}, ended},
		{[]*dns.RRSIG{future, later}, later},
		{[]*dns.RRSIG{later, future}, later},
	} {
		if got := best(c.sigs, now); got != c.want {
			t.Errorf("got the signature until %s, want that until %s", at(ends(got, now)), at(ends(c.want, now)))
		}
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		45*time.Second + 1:               "45s",
		3*time.Hour + 20*time.Minute + 1: "3h20m",
		47 * time.Hour:                   "47h0m",
		2 * day:                          "2 days",
		2*day + 59*time.Minute:           "2 days",
		2*day + time.Hour:                "2 days 1 hour",
		3*day - time.Minute:              "2 days 23 hours",
		12 * day:                         "12 days",
	} {
		if got := span(d); got != want {
			t.Errorf("%v: got %s, want %s", d, got, want)
		}
	}
}
