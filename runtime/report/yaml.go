package report

import (
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// yamlWriter writes mappings, lists of texts and of mappings, and comments. Whatever
// a text has in it stays a text.
type yamlWriter struct {
	b     strings.Builder
	depth int
	dash  bool // the next key begins an element of a list
}

func (y *yamlWriter) String() string { return y.b.String() }

// lineBreaks are what a reader of YAML 1.1 or 1.2 takes for the end of a line.
var lineBreaks = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n", "\t", " ")

// comment writes each line of a text behind a "#".
func (y *yamlWriter) comment(text string) {
	text = strings.TrimRight(lineBreaks.Replace(strings.ToValidUTF8(text, "\ufffd")), " \n")
	if text == "" {
		return
	}
	for line := range strings.SplitSeq(text, "\n") {
		y.b.WriteString(strings.TrimRight("# "+strings.Map(printable, line), " ") + "\n")
	}
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

func (y *yamlWriter) text(key, value string) { y.line(key + ": " + scalar(value)) }

// time writes a time as YAML's own type of it.
func (y *yamlWriter) time(key string, t time.Time) { y.line(key + ": " + t.Format(time.RFC3339)) }

func (y *yamlWriter) list(key string, values []string) {
	if len(values) == 0 {
		y.line(key + ": []")
		return
	}
	y.open(key)
	for _, v := range values {
		y.line("- " + scalar(v))
	}
	y.close()
}

// maxBlockLine is what a line of a block is cut to, in characters: mail has lines
// of at most 998 bytes (RFC 5322, 2.1.1).
const maxBlockLine = 240

// block writes lines as a text that is shown as it is, for a person to read. What
// cannot be printed becomes U+FFFD, and a line that is too long is cut.
func (y *yamlWriter) block(key string, lines []string) {
	y.line(key + ": |2") // the 2 allows for a first line that begins with blanks
	indent := strings.Repeat("  ", y.depth+1)
	for _, l := range lines {
		l = strings.Map(printable, strings.ReplaceAll(strings.ToValidUTF8(l, "\ufffd"), "\t", "    "))
		if r := []rune(l); len(r) > maxBlockLine {
			l = string(r[:maxBlockLine]) + " ..."
		}
		y.b.WriteString(strings.TrimRight(indent+l, " ") + "\n")
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
func scalar(s string) string {
	switch strings.ToLower(s) {
	case "true", "false", "yes", "no", "on", "off", "y", "n", "null":
		return strconv.Quote(s)
	}
	if harmless.MatchString(s) {
		return s
	}
	return strconv.Quote(s)
}
