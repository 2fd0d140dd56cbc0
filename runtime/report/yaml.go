package report

import (
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"palhm/runtime/words"
)

// yamlWriter writes mappings, lists of texts and of mappings, and comments. Whatever
// a text has in it stays a text, and a line is never so long that a mailer breaks it.
type yamlWriter struct {
	b     strings.Builder
	depth int
	dash  bool // the next key begins an element of a list
}

func (y *yamlWriter) String() string { return y.b.String() }

// maxLine is how many bytes of a text stand on a line. With what stands around it the
// line fits in a mail: 998 bytes (RFC 5322, 2.1.1), of which mailers may leave some.
const maxLine = 800

// lineBreaks are what a reader of YAML 1.1 or 1.2 takes for the end of a line.
var lineBreaks = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n", "\t", " ")

// comment writes each line of a text behind a "#".
func (y *yamlWriter) comment(text string) {
	text = strings.TrimRight(lineBreaks.Replace(strings.ToValidUTF8(text, "\ufffd")), " \n")
	if text == "" {
		return
	}
	for line := range strings.SplitSeq(text, "\n") {
		part, rest := breakLine(strings.Map(printable, line))
		for ; rest != ""; part, rest = breakLine(rest) {
			y.b.WriteString(strings.TrimRight("# "+part, " ") + "\n")
		}
		y.b.WriteString(strings.TrimRight("# "+part, " ") + "\n")
	}
}

// breakLine takes from a text what stands on its first line, which it ends at a blank
// if it can.
func breakLine(s string) (line, rest string) {
	if len(s) <= maxLine {
		return s, ""
	}
	line = head(s, maxLine)
	if blank := strings.LastIndexByte(line, ' '); blank > 0 {
		return line[:blank], s[blank+1:]
	}
	return line, s[len(line):]
}

// head is the beginning of a text, of at most n bytes and in whole characters.
func head(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func printable(r rune) rune {
	if !unicode.IsPrint(r) {
		return '\ufffd'
	}
	return r
}

// open begins a mapping or a list of mappings below a key, which close ends.
func (y *yamlWriter) open(key string) {
	y.line(key + ":")
	y.depth++
}

func (y *yamlWriter) close() { y.depth-- }

// item begins a mapping that is an element of a list, which close ends. The next
// thing written is a key of it.
func (y *yamlWriter) item() {
	y.depth++
	y.dash = true
}

func (y *yamlWriter) text(key, value string) { y.line(key + ": " + y.scalar(value)) }

// time writes a time as YAML's own type of it.
func (y *yamlWriter) time(key string, t time.Time) { y.line(key + ": " + t.Format(time.RFC3339)) }

func (y *yamlWriter) list(key string, values []string) {
	if len(values) == 0 {
		y.line(key + ": []")
		return
	}
	y.open(key)
	for _, v := range values {
		y.line("- " + y.scalar(v))
	}
	y.close()
}

// block writes lines as a text that is shown as it is, for a person to read. What
// cannot be printed becomes U+FFFD, and a line that is too long is cut in its middle.
func (y *yamlWriter) block(key string, text []string) {
	y.line(key + ": |2") // the 2 allows for a first line that begins with blanks
	indent := strings.Repeat("  ", y.depth+1)
	for _, l := range text {
		l = strings.Map(printable, strings.ReplaceAll(strings.ToValidUTF8(l, "\ufffd"), "\t", "    "))
		y.b.WriteString(strings.TrimRight(indent+words.Shorten(l, maxLine), " ") + "\n")
	}
}

func (y *yamlWriter) line(text string) {
	indent := strings.Repeat("  ", y.depth)
	if y.dash {
		indent = strings.Repeat("  ", y.depth-1) + "- "
		y.dash = false
	}
	y.b.WriteString(indent + text + "\n")
}

// harmless is a text that is no number, date or mark of YAML's and needs no quotes.
var harmless = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./@+()-]*(,? [A-Za-z0-9_./@+()-]+)*$`)

// scalar writes a text so that it is read as just that text. The escapes of Go's
// quoting are all YAML's too (YAML 1.2, 5.7).
func (y *yamlWriter) scalar(s string) string {
	switch strings.ToLower(s) {
	case "true", "false", "yes", "no", "on", "off", "y", "n", "null":
		return strconv.Quote(s)
	}
	if len(s) <= maxLine && harmless.MatchString(s) {
		return s
	}
	return fold(strconv.Quote(s), strings.Repeat("  ", y.depth+1))
}

// fold breaks a quoted text where it is too long for a line. The break, which is
// escaped, and the indent below it are no part of the text; a blank that follows them
// is one only when it is escaped (YAML 1.2, 7.3.1).
func fold(quoted, indent string) string {
	var b strings.Builder
	for width := 0; quoted != ""; {
		n := character(quoted)
		if width+n > maxLine {
			b.WriteString("\\\n" + indent)
			width = 0
			if quoted[0] == ' ' {
				b.WriteByte('\\')
			}
		}
		b.WriteString(quoted[:n])
		width, quoted = width+n, quoted[n:]
	}
	return b.String()
}

// character is the length of the first one of a quoted text, as strconv.Quote writes it.
func character(quoted string) int {
	if quoted[0] != '\\' {
		_, n := utf8.DecodeRuneInString(quoted)
		return n
	}
	switch quoted[1] {
	case 'x':
		return len(`\x00`)
	case 'u':
		return len(`\u0000`)
	case 'U':
		return len(`\U00000000`)
	}
	return len(`\n`)
}
