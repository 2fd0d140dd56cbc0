package simulate

import "strings"

// Joint stands between the stages of a pipeline.
const Joint = " | "

// Match reports whether a pattern is for an event. "*" stands for any text, also for none.
// What is no command is only matched by a pattern that begins with its kind, such as
// "task:*". A pattern with " | " in it is for a whole pipeline, and any other one for each
// command of it.
func Match(pattern string, e Event) bool {
	if e.Kind != Command {
		return strings.HasPrefix(pattern, string(e.Kind)+":") && matches(pattern, e.Text)
	}
	if strings.Contains(pattern, Joint) {
		return matches(pattern, e.Text)
	}
	for _, s := range e.Stages {
		if matches(pattern, s) {
			return true
		}
	}
	return false
}

// matches compares a text with a pattern. The first place that fits a part is the best
// one, so nothing is tried twice.
func matches(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	first, last := parts[0], parts[len(parts)-1]
	if len(parts) == 1 {
		return text == pattern
	}
	if len(text) < len(first)+len(last) || !strings.HasPrefix(text, first) || !strings.HasSuffix(text, last) {
		return false
	}
	text = text[len(first) : len(text)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return true
}
