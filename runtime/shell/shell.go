// Package shell writes commands the way a person types them.
package shell

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Quote gives a command as a shell would read it, in one line, and safe to look at
// on a terminal.
func Quote(argv []string) string {
	words := make([]string, len(argv))
	for i, arg := range argv {
		words[i] = quoteWord(arg)
	}
	return strings.Join(words, " ")
}

const maxBrief = 160 // characters of a command line in an error

// Brief is Quote for an error: a very long command is shortened and ends in "...".
func Brief(argv []string) string {
	line := Quote(argv)
	if utf8.RuneCountInString(line) <= maxBrief {
		return line
	}
	return string([]rune(line)[:maxBrief-4]) + " ..."
}

// quoteWord quotes in the three ways of a shell: not at all, with '...', and with
// $'...' (POSIX.1-2024, "Dollar-Single-Quotes") for what would not print.
func quoteWord(s string) string {
	plain := func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_./,:=+@%^", r)
	}
	hidden := func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
	switch {
	case strings.ContainsFunc(s, hidden):
		return quoteHidden(s)
	case s == "" || strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }):
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}

func quoteHidden(s string) string {
	var b strings.Builder
	b.WriteString("$'")
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\'' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case (r == utf8.RuneError && n == 1) || !unicode.IsPrint(r):
			for _, c := range []byte(s[i : i+n]) {
				fmt.Fprintf(&b, `\%03o`, c)
			}
		default:
			b.WriteRune(r)
		}
		i += n
	}
	b.WriteByte('\'')
	return b.String()
}
