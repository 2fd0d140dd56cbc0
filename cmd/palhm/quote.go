package main

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// shellQuote joins argv as a POSIX shell would read it. Words with characters that
// do not show are written as $'...', so that what is printed is safe to look at.
func shellQuote(argv []string) string {
	words := make([]string, len(argv))
	for i, w := range argv {
		words[i] = quoteWord(w)
	}
	return strings.Join(words, " ")
}

func quoteWord(w string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:=@_"
	switch {
	case w != "" && strings.Trim(w, plain) == "":
		return w
	case visible(w) == w && !strings.Contains(w, "\t"):
		return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
	}
	w = strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(w)
	return "$'" + visible(strings.ReplaceAll(w, "\t", `\t`)) + "'"
}

// visible returns one line of text with whatever could move a terminal's cursor,
// and whatever is not UTF-8, written as an escape such as \x1b.
func visible(s string) string {
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
