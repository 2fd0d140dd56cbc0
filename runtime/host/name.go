package host

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Name returns what this host is called: $PALHM_HOST if it is not empty, else the name
// that the kernel has (gethostname(2)). That name may be anything: see CheckName. lookup
// reads the environment.
func Name(lookup func(string) (string, bool)) (string, error) {
	if name, _ := lookup("PALHM_HOST"); name != "" {
		return name, nil
	}
	name, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("read the host's name: %w", err)
	}
	return name, nil
}

const maxName = 255 // bytes, as POSIX has it (_POSIX_HOST_NAME_MAX); Linux takes 64

// CheckName reports why a copy cannot keep the name of its host as it is: only what
// reads back the same is known again by a later run.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("the host's name is empty")
	case len(name) > maxName:
		return fmt.Errorf("the host's name has %d bytes, want at most %d", len(name), maxName)
	case !utf8.ValidString(name):
		return fmt.Errorf("the host's name %q is not UTF-8", name)
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("the host's name %q has a character that cannot be printed", name)
	}
	return nil
}
