package starlib

import (
	"fmt"
	"strings"
)

// commandHint says how a command is written that somebody has given as one string,
// the way a shell takes it. It is "" for what is no command line.
func commandHint(line string) string {
	words := strings.Fields(line)
	switch {
	case len(words) == 0 || len(line) >= maxClip:
		return ""
	case strings.Contains(line, "$") && !strings.ContainsAny(line, "|&;<>`"):
		return `there is no shell: each argument has quotes of its own, and a variable of the environment is env("NAME")`
	case strings.ContainsAny(line, "|&;<>`"):
		return `there is no shell: commands are joined with | outside of the quotes, the steps of a routine follow each other, and a shell is exec("sh", "-c", "...")`
	}
	for i, w := range words {
		words[i] = fmt.Sprintf("%q", w)
	}
	return fmt.Sprintf("a command is written exec(%s)", strings.Join(words, ", "))
}

// shellPath refuses a path that a shell would have made another one of.
func shellPath(path string) error {
	switch {
	case path == "~" || strings.HasPrefix(path, "~/"):
		return &hintError{fmt.Errorf("got %q, and there is no shell to replace ~", clip(path)),
			fmt.Sprintf("the home directory is env(\"HOME\"): env(\"HOME\") + %q; a directory of that name is %q", strings.TrimPrefix(path, "~"), "./"+path)}
	case strings.HasPrefix(path, "$"):
		return &hintError{fmt.Errorf("got %q, and there is no shell to replace variables", clip(path)),
			`a variable of the environment is env("NAME"), as in env("HOME") + "/backup"`}
	}
	return nil
}
