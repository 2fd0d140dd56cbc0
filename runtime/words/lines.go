package words

import (
	"strings"
	"unicode/utf8"
)

// cut stands for what is left out of a line.
const cut = "[...]"

// LastLines returns at most the given number of lines, the last ones of what a process
// has written, without those that are empty at its end. Each is as Final returns it.
func LastLines(text []byte, most int) []string {
	s := strings.TrimRight(string(text), "\r\n")
	if s == "" {
		return nil
	}
	all := strings.Split(s, "\n")
	last := all[max(0, len(all)-most):]
	for i, l := range last {
		last[i] = Final(l)
	}
	return last
}

// Final returns what a terminal shows of a line in the end: what follows its last
// carriage return, those at its end aside. A bar of progress writes over the rest.
func Final(line string) string {
	line = strings.TrimRight(line, "\r")
	return line[strings.LastIndexByte(line, '\r')+1:]
}

// Shorten cuts a line in the middle when it has more than most bytes, because programs
// tell at either end what went wrong. The result has at most that many, and at least
// those of "[...]", and no half characters unless the line has them.
func Shorten(line string, most int) string {
	if len(line) <= most {
		return line
	}
	rest := max(0, most-len(cut))
	head, tail := (rest+1)/2, len(line)-rest/2
	for n := 0; n < utf8.UTFMax-1 && head > 0 && !utf8.RuneStart(line[head]); n++ {
		head--
	}
	for n := 0; n < utf8.UTFMax-1 && tail < len(line) && !utf8.RuneStart(line[tail]); n++ {
		tail++
	}
	return line[:head] + cut + line[tail:]
}
