// Package words writes values for people: text that is safe on a terminal, sizes, time
// spans and numbers of things.
package words

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Visible returns one line of text with whatever could move a terminal's cursor,
// and whatever is not UTF-8, written as an escape such as \x1b.
func Visible(s string) string {
	if !hasInvisible(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[0])|0x100, 16)[1:])
		case shown(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		s = s[n:]
	}
	return b.String()
}

func hasInvisible(s string) bool {
	for i, r := range s {
		if !shown(r) {
			return true
		}
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return true
			}
		}
	}
	return false
}

func shown(r rune) bool { return r == '\t' || strconv.IsPrint(r) }
