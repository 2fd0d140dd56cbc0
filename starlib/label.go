package starlib

import (
	"fmt"
	"path"
	"strings"
	"unicode"
)

// A label is the normalised name of a file that takes part in a site. Two labels
// are equal when they name the same file.
type label struct {
	owner string // "" = the site, "palhm" = the standard modules
	path  string // clean and relative, separated by slashes
}

const standardOwner = "palhm"

// String gives the label as a site may write it.
func (l label) String() string {
	if l.owner == "" {
		return "//" + l.path
	}
	return "@" + l.owner + "//" + l.path
}

const labelForms = `a label is "@palhm//x.star" (shipped with palhm), "//x.star" (from the site's directory), "./x.star" or "../x.star" (from this file's)`

// badForm is the error for what is no label at all.
func badForm(s string) error {
	meant := ""
	if s != "" && s[0] != '/' && s[0] != '@' && !strings.Contains(s, ":") {
		meant = fmt.Sprintf("did you mean %q? ", "./"+clip(s))
	}
	if rest, ok := strings.CutPrefix(s, "@"+standardOwner+"/"); ok && rest != "" {
		meant = fmt.Sprintf("did you mean %q? ", clip("@"+standardOwner+"//"+rest))
	}
	return &hintError{fmt.Errorf("label %q has none of the forms of a label", clip(s)), meant + labelForms}
}

// resolve reads a label that stands in the file from.
func (from label) resolve(s string) (label, error) {
	if strings.ContainsFunc(s, func(r rune) bool { return r == '\\' || unicode.IsControl(r) }) {
		return label{}, fmt.Errorf("label %q has a backslash or a control character", clip(s))
	}
	to := label{owner: from.owner}
	switch {
	case strings.HasPrefix(s, "@"):
		name, rest, ok := strings.Cut(s[1:], "//")
		if !ok || name == "" || strings.Contains(name, "/") {
			return label{}, badForm(s)
		}
		to.owner, to.path = name, rest
	case strings.HasPrefix(s, "//"):
		to.path = s[2:]
	case strings.HasPrefix(s, "./"), strings.HasPrefix(s, "../"):
		to.path = path.Join(path.Dir(from.path), s)
	default:
		return label{}, badForm(s)
	}
	to.path = path.Clean(to.path)
	switch {
	case to.path == ".." || strings.HasPrefix(to.path, "../"):
		return label{}, fmt.Errorf("label %q leaves the site's directory", clip(s))
	case to.path == "." || to.path[0] == '/':
		return label{}, fmt.Errorf("label %q names no file", clip(s))
	case to.owner != "" && to.owner != standardOwner:
		return label{}, &hintError{fmt.Errorf("label %q: there is no @%s", clip(s), clip(to.owner)), labelForms}
	}
	return to, nil
}
