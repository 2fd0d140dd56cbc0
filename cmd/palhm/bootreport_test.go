package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// mailServer takes mail for everybody but nobody@example.org, and counts the messages.
func mailServer(t *testing.T) (port int, messages *atomic.Int32) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	messages = new(atomic.Int32)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go takeMail(conn, messages)
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port, messages
}

func takeMail(conn net.Conn, messages *atomic.Int32) {
	defer conn.Close()
	answer := func(line string) { fmt.Fprint(conn, line+"\r\n") }
	answer("220 ready")
	data := false
	for in := bufio.NewScanner(conn); in.Scan(); {
		line := in.Text()
		switch {
		case data && line != ".":
		case data:
			data = false
			messages.Add(1)
			answer("250 taken")
		case line == "DATA":
			data = true
			answer("354 go on")
		case strings.Contains(line, "<nobody@example.org>"):
			answer("550 no such user")
		default:
			answer("250 ok")
		}
	}
}

// A recipient who is refused is no reason to send the report to the others again.
func TestBootReportIsSentOnceToWhoeverGetsIt(t *testing.T) {
	for to, want := range map[string][]int{
		`"root@example.org", "nobody@example.org"`: {1, 1}, // messages after each call
		`"nobody@example.org"`:                     {0, 0},
	} {
		port, messages := mailServer(t)
		t.Setenv("STATE_DIRECTORY", t.TempDir())
		site := filepath.Join(t.TempDir(), "site.star")
		text := fmt.Sprintf(`load("@palhm//mail.star", "boot_report", "smtp")
boot_report(smtp("127.0.0.1", port = %d, tls = "none", from_addr = "palhm@example.org"), [%s],
    last_boot = False, kernel = False, failed_units = False, cause = False)
`, port, to)
		if err := os.WriteFile(site, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for i, want := range want {
			var stderr strings.Builder
			code := run(t.Context(), []string{"boot-report", "--once", site}, io.Discard, &stderr)
			if i == 0 && (code != exitFailed || !strings.Contains(stderr.String(), "no such user")) {
				t.Errorf("%s: got exit code %d and %s, want that one is refused", to, code, &stderr)
			}
			if got := int(messages.Load()); got != want {
				t.Errorf("%s: %d messages were sent after call %d, want %d\n%s", to, got, i+1, want, &stderr)
			}
		}
	}
}
