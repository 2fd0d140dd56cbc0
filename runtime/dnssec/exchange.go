package dnssec

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/miekg/dns"
)

// udpSize is the longest answer that is asked for over UDP: what passes without
// being cut into fragments (DNS Flag Day 2020). What is longer comes over TCP.
const udpSize = 1232

// exchange asks one server one question, over TCP when UDP is too small.
func exchange(ctx context.Context, server string, query *dns.Msg, timeout time.Duration) (*dns.Msg, error) {
	m, err := transfer(ctx, "udp", server, query, timeout)
	if err != nil || !m.Truncated {
		return m, err
	}
	m, err = transfer(ctx, "tcp", server, query, timeout)
	switch {
	case err != nil:
		return nil, fmt.Errorf("its answer is too long for UDP, and over TCP: %w", err)
	case m.Truncated:
		return nil, errors.New("its answer is cut, over TCP too")
	}
	return m, nil
}

// newQuery asks for the signatures too (DO, RFC 3225), and with cd for what does
// not validate as well (RFC 4035, 3.2.2).
func newQuery(q question, cd bool) *dns.Msg {
	m := new(dns.Msg)
	m.SetQuestion(q.name, q.qtype)
	m.SetEdns0(udpSize, true)
	m.AuthenticatedData, m.CheckingDisabled = true, cd
	return m
}

func transfer(ctx context.Context, network, server string, query *dns.Msg, timeout time.Duration) (*dns.Msg, error) {
	packet, err := query.Pack()
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(limited, network, server)
	if err != nil {
		return nil, transportError(err, timeout, nil)
	}
	defer conn.Close()
	// Also when ctx ends earlier: a deadline in the past ends what waits.
	defer context.AfterFunc(limited, func() { conn.SetDeadline(time.Unix(1, 0)) })() //nolint:errcheck // the wait is bounded anyway
	if network == "tcp" {
		return overTCP(conn, packet, query, timeout)
	}
	return overUDP(conn, packet, query, timeout)
}

// overUDP waits until an answer comes that belongs to the question: others may be
// forged, or late ones.
func overUDP(conn net.Conn, packet []byte, query *dns.Msg, timeout time.Duration) (*dns.Msg, error) {
	if _, err := conn.Write(packet); err != nil {
		return nil, transportError(err, timeout, nil)
	}
	var passedOver error
	buf := make([]byte, dns.MaxMsgSize)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return nil, transportError(err, timeout, passedOver)
		}
		m, err := parse(buf[:n], query)
		if err == nil {
			return m, nil
		}
		passedOver = err
	}
}

// overTCP reads one answer, each message after its length (RFC 1035, 4.2.2).
func overTCP(conn net.Conn, packet []byte, query *dns.Msg, timeout time.Duration) (*dns.Msg, error) {
	framed := binary.BigEndian.AppendUint16(nil, uint16(len(packet)))
	if _, err := conn.Write(append(framed, packet...)); err != nil {
		return nil, transportError(err, timeout, nil)
	}
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return nil, transportError(err, timeout, nil)
	}
	buf := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, buf); err != nil {
		return nil, transportError(err, timeout, nil)
	}
	return parse(buf, query)
}

const headerSize = 12

// parse reads an answer, and refuses one that does not belong to the question or
// is not whole.
func parse(packet []byte, query *dns.Msg) (*dns.Msg, error) {
	m := new(dns.Msg)
	if err := m.Unpack(packet); err != nil {
		return nil, errors.New("a packet came that is no DNS message")
	}
	if m.Id != query.Id || !m.Response || m.Opcode != dns.OpcodeQuery || len(m.Question) != 1 || !sameQuestion(m.Question[0], query.Question[0]) {
		return nil, errors.New("an answer came that belongs to another question")
	}
	// The library takes a message that ends early, between two records, for a short one.
	for i, records := range [][]dns.RR{m.Answer, m.Ns, m.Extra} {
		if want := binary.BigEndian.Uint16(packet[headerSize-6+2*i:]); int(want) != len(records) && !m.Truncated {
			return nil, errors.New("an answer came that is cut")
		}
	}
	return m, nil
}

func sameQuestion(a, b dns.Question) bool {
	return a.Qtype == b.Qtype && a.Qclass == b.Qclass && strings.EqualFold(a.Name, b.Name)
}

// transportError says what went wrong without the addresses of both ends.
func transportError(err error, timeout time.Duration, passedOver error) error {
	var errno syscall.Errno
	var lookup *net.DNSError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		if passedOver != nil {
			return fmt.Errorf("no answer within %v (%w)", timeout, passedOver)
		}
		return fmt.Errorf("no answer within %v", timeout)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it ends the connection in the middle of the answer")
	case errors.As(err, &lookup):
		return fmt.Errorf("its name cannot be resolved: %s", lookup.Err)
	case errors.As(err, &errno):
		return errno
	}
	return err
}
