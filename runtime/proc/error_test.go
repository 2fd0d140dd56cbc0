package proc_test

import (
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"palhm/runtime/proc"
)

func TestQuoteShortens(t *testing.T) {
	if got := proc.Quote([]string{"echo", "a b"}); got != "echo 'a b'" {
		t.Errorf("got %s", got)
	}
	long := proc.Quote([]string{"tar", strings.Repeat("é", 1000)})
	if n := utf8.RuneCountInString(long); n != 160 || !strings.HasSuffix(long, "é ...") || !utf8.ValidString(long) {
		t.Errorf("got %d characters: %s", n, long)
	}
}

func TestSignalName(t *testing.T) {
	if got := proc.SignalName(syscall.SIGKILL); got != "SIGKILL" {
		t.Errorf("got %s", got)
	}
	if got := proc.SignalName(40); got != "signal 40" {
		t.Errorf("got %s", got)
	}
}
