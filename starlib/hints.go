package starlib

import (
	"fmt"
	"regexp"
	"strings"
)

// unsupported are names of Python and of PALHM's configuration that people write
// out of habit.
var unsupported = map[string]string{
	"open":       "a file is read with read_file(path), while the site loads",
	"os":         "facts of the host are in host, environment variables in env(name)",
	"subprocess": "a command is exec(...), and runs when its task runs",
	"sys":        "a site sees host, env(), read_file(), glob(), path_exists() and which()",
	"ctx":        "it is the parameter of a routine's function: def nightly(ctx):",
	"format":     `write "db/%s.sql" % name, or "db/{}.sql".format(name)`,
}

// syntaxHint helps with what people who know Python write. The parser's message
// alone seldom tells.
func syntaxHint(msg, line string, col int) string {
	word := ""
	if col >= 1 && col <= len([]rune(line))+1 {
		word = wordAt([]rune(line), col-1)
	}
	switch {
	case (msg == "got newline, want ':'" || msg == "got end of file, want ':'") && blockLine.MatchString(line):
		return "a line that begins with def, if, elif, else or for ends in a colon"
	case strings.Contains(msg, "while loops"):
		return "write for i in range(n): ... and break"
	case strings.Contains(msg, "load statement within"):
		return "load statements stand at the left margin, best at the top of the file"
	case strings.Contains(msg, "newline in string"):
		return `a string ends on its line; a longer one stands between """ and """`
	case strings.Contains(msg, "must have form name=expr") && strings.Contains(line, "-"):
		return "names are written with _ and not with -"
	case strings.Contains(msg, "input character '$'") || strings.Contains(msg, "input character `$`"):
		return `there is no shell; a variable of the environment is env("NAME")`
	case strings.Contains(msg, "without else clause"):
		return "write a if condition else b, or an if statement"
	case strings.HasPrefix(msg, "got '//'"):
		return "a comment begins with #"
	case word == "print" || printStatement.MatchString(line):
		return "print is a function: print(...)"
	case strings.Contains(msg, "octal literal"):
		return `modes are strings: "750"`
	case fString.MatchString(line) && strings.Contains(msg, "string literal"):
		return `there are no f-strings; write "db/%s.sql" % name`
	case word == "import" || word == "from":
		return `modules are loaded: load("@palhm//core.star", "tar", "zstd")`
	case word == "try" || word == "except" || word == "raise" || word == "assert":
		return "there are no exceptions; fail(message) ends the load"
	case word == "class" || word == "with" || word == "async" || word == "yield" || word == "nonlocal" || word == "global" || word == "is" || word == "del":
		return fmt.Sprintf("Starlark is a small Python, without %s", word)
	case strings.Contains(msg, "unindent") || strings.Contains(msg, "indent"):
		return "lines of one block begin in the same column; top-level lines have no blanks in front"
	case strings.HasPrefix(msg, "got ") && strings.HasPrefix(strings.TrimLeft(line, " \t"), word) && word != "":
		return "is a comma missing at the end of the line above, or a bracket left open there?"
	case strings.HasPrefix(msg, "got string literal"):
		return "is there a comma missing in front of it, or a + between two strings?"
	case strings.HasPrefix(msg, "got identifier, want"):
		return "is there a comma missing in front of it?"
	case strings.HasPrefix(msg, "got newline, want"):
		return "is a bracket or a quote left open?"
	case strings.HasPrefix(msg, "positional argument may not follow named"):
		return "arguments without a name come first"
	}
	return ""
}

// tokenStart moves a column from the end of a word or a string to its beginning:
// the parser has read a token when it complains of it.
func tokenStart(line []rune, col int) int {
	i := min(col-1, len(line))
	if i <= 0 {
		return col
	}
	if quote := line[i-1]; quote == '"' || quote == '\'' {
		for start := i - 2; start >= 0; start-- {
			if line[start] == quote {
				return start + 1
			}
		}
		return col
	}
	for i > 0 && line[i-1] < 128 && isNameByte(byte(line[i-1])) {
		i--
	}
	return i + 1
}

var blockLine = regexp.MustCompile(`^\s*(def|if|elif|else|for)\b`)

var printStatement = regexp.MustCompile(`^\s*print\s+["'\w]`)

var fString = regexp.MustCompile(`\bf["']`)

// wordAt is the word that begins at index i, or that ends there.
func wordAt(line []rune, i int) string {
	isWord := func(r rune) bool { return r < 128 && isNameByte(byte(r)) && r != '.' }
	start, end := i, i
	for start > 0 && isWord(line[start-1]) {
		start--
	}
	for end < len(line) && isWord(line[end]) {
		end++
	}
	return string(line[start:end])
}

// evalHint helps with errors of Starlark's own that have a usual cause.
func evalHint(msg string) string {
	switch {
	case strings.HasSuffix(msg, "referenced before assignment"):
		return "a name is defined before it is used; inside a function, an assignment makes the name a local one"
	case strings.HasPrefix(msg, "invalid call of non-function (pipeline)"):
		return "arguments go to an exec, before it is joined: tar(\"-C\", \"/\") | zstd"
	case strings.HasPrefix(msg, "invalid call of non-function"):
		return "is there a comma missing, or a name that is used twice?"
	case strings.Contains(msg, " frozen "):
		return "what a module defines cannot be changed by others; change a copy, list(x) or dict(x)"
	case strings.Contains(msg, "not implemented") && strings.Contains(msg, "exec"):
		return "commands are joined with |; palhm has no redirection, an object's path says where the output goes"
	case strings.HasPrefix(msg, "unknown binary op: ") && strings.Contains(msg, "NoneType"):
		return `env(name) and which(name) are None where there is nothing; env("NAME", "default") is not`
	case strings.Contains(msg, "invalid literal with base") && strings.HasSuffix(msg, "\n"):
		return "it ends with a newline: int(r.stdout.strip())"
	case strings.Contains(msg, "called recursively"):
		return "a function cannot call itself; write a loop"
	}
	return ""
}
