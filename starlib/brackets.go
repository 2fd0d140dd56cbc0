package starlib

import (
	"strings"
	"unicode/utf8"
)

// A bracket is where a bracket stands in a text.
type bracket struct{ line, col int }

// openBracket finds the innermost bracket that is still open before a place in a
// text. The parser only says what it met instead of the closing one.
func openBracket(text string, line, col int) (b bracket, found bool) {
	var open []bracket
	at := bracket{1, 1}
	for i := 0; i < len(text) && (at.line < line || at.line == line && at.col < col); {
		n := 1
		switch c := text[i]; {
		case c == '#':
			n = len(text) - i
			if end := strings.IndexByte(text[i:], '\n'); end >= 0 {
				n = end
			}
		case c == '"' || c == '\'':
			n = stringLength(text[i:])
		case c == '(' || c == '[' || c == '{':
			open = append(open, at)
		case (c == ')' || c == ']' || c == '}') && len(open) > 0:
			open = open[:len(open)-1]
		}
		at = at.after(text[i : i+n])
		i += n
	}
	if len(open) == 0 {
		return bracket{}, false
	}
	return open[len(open)-1], true
}

// codeEnd is the column behind the last character of a line that is neither a blank
// nor in a comment.
func codeEnd(line string) int32 {
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '#':
			line = line[:i]
		case '"', '\'':
			i += stringLength(line[i:]) - 1
		}
	}
	return int32(utf8.RuneCountInString(strings.TrimRight(line, " \t\r"))) + 1
}

// after is the place behind a piece of text.
func (b bracket) after(s string) bracket {
	if i := strings.LastIndexByte(s, '\n'); i >= 0 {
		b.line += strings.Count(s, "\n")
		b.col, s = 1, s[i+1:]
	}
	for i := range len(s) {
		if s[i]&0xc0 != 0x80 { // a column is a character
			b.col++
		}
	}
	return b
}

// stringLength is the length of the string literal that s begins with.
func stringLength(s string) int {
	quote := s[:1]
	if strings.HasPrefix(s, strings.Repeat(quote, 3)) {
		quote = s[:3]
	}
	for i := len(quote); i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case strings.HasPrefix(s[i:], quote):
			return i + len(quote)
		case s[i] == '\n' && len(quote) == 1:
			return i
		}
	}
	return len(s)
}
