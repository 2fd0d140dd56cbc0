package starlib

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"palhm/runtime/plan"
)

// Error is one thing that is wrong in a site, or a warning about it.
type Error struct {
	Pos   plan.Pos // the zero Line means the file as a whole
	Msg   string   // one line, no full stop
	Hint  string   // the way out; "" = none is known
	Notes []Note   // other places that matter, such as an earlier declaration
	Calls []Call   // how the place was reached, the innermost call first
	More  []string // further lines, such as what a test got and what it wanted

	source string   // the line at Pos
	cause  error    // of a function that ran: what failed, or nil
	also   []*Error // what went wrong besides
}

// Note is another place that an error is about.
type Note struct {
	Pos plan.Pos
	Msg string // such as "first declared here"
}

// Call is a step on the way to an error.
type Call struct {
	Pos plan.Pos
	Msg string // such as "in dumps(), called here"
}

// Error gives the error on several lines: the place and the message, the source
// line with a caret, then the rest.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", place(e.Pos), e.Msg)
	if line, caret := excerpt(e.source, e.Pos.Col); line != "" {
		fmt.Fprintf(&b, "    %s\n    %s^\n", line, strings.Repeat(" ", caret))
	}
	for _, line := range e.More {
		fmt.Fprintf(&b, "  %s\n", line)
	}
	for _, n := range e.Notes {
		fmt.Fprintf(&b, "  %s: %s\n", place(n.Pos), n.Msg)
	}
	for _, c := range e.Calls {
		fmt.Fprintf(&b, "  %s %s\n", c.Msg, place(c.Pos))
	}
	if e.Hint != "" {
		fmt.Fprintf(&b, "  hint: %s\n", e.Hint)
	}
	if inner, ok := errors.AsType[*Error](e.cause); ok {
		fmt.Fprintf(&b, "  from %s\n", strings.ReplaceAll(inner.Error(), "\n", "\n  "))
	} else if e.cause != nil {
		if _, more, ok := strings.Cut(e.cause.Error(), "\n"); ok {
			fmt.Fprintf(&b, "  %s\n", strings.ReplaceAll(more, "\n", "\n  "))
		}
	}
	for _, other := range e.also {
		fmt.Fprintf(&b, "  also %s\n", strings.ReplaceAll(other.Error(), "\n", "\n  "))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Unwrap gives what failed, when that was no mistake in the site.
func (e *Error) Unwrap() error { return e.cause }

// Errors is everything that was found wrong in a site, sorted by place. It is
// never empty.
type Errors []*Error

// maxShown bounds the errors that are printed: a loop can make thousands of them.
const maxShown = 20

// Error gives all errors, with a blank line between two.
func (es Errors) Error() string {
	var texts []string
	for _, e := range es[:min(len(es), maxShown)] {
		texts = append(texts, e.Error())
	}
	if n := len(es) - maxShown; n > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", n))
	}
	return strings.Join(texts, "\n\n")
}

// Unwrap gives each error on its own.
func (es Errors) Unwrap() []error {
	all := make([]error, len(es))
	for i, e := range es {
		all[i] = e
	}
	return all
}

// sorted orders errors by the rank of their file, then by place, and drops those
// that say the same of the same place.
func (es Errors) sorted(rank func(file string) int) Errors {
	es = slices.Clone(es)
	slices.SortStableFunc(es, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(rank(a.Pos.File), rank(b.Pos.File)), cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Col, b.Pos.Col))
	})
	return slices.CompactFunc(es, func(a, b *Error) bool { return a.Pos == b.Pos && a.Msg == b.Msg })
}

func place(p plan.Pos) string {
	if p.Line == 0 {
		return p.File
	}
	return p.String()
}

const excerptWidth = 100

// excerpt prepares a source line for print: blanks in place of tabs and of what a
// terminal would obey, cut to a window around the caret. The result has no
// leading blanks; caret is an index into it.
func excerpt(source string, col int) (line string, caret int) {
	runes := []rune(strings.TrimRightFunc(source, unicode.IsSpace))
	caret = min(max(col-1, 0), len(runes))
	for i, r := range runes {
		if !unicode.IsPrint(r) {
			runes[i] = ' '
		}
	}
	start := 0
	for start < caret && runes[start] == ' ' {
		start++
	}
	end, prefix, suffix := len(runes), "", ""
	if end-start > excerptWidth {
		if from := caret - excerptWidth/2; from > start {
			start, prefix = from, "..."
		}
		if start+excerptWidth < end {
			end, suffix = start+excerptWidth, "..."
		}
	}
	return prefix + string(runes[start:end]) + suffix, len(prefix) + caret - start
}
