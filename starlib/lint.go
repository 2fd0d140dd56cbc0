package starlib

import (
	"fmt"
	"strings"

	"go.starlark.net/syntax"

	"palhm/runtime/plan"
)

// warn adds a warning about a place in the site's own text.
func (l *loader) warn(pos plan.Pos, format string, args ...any) {
	m := l.byName[pos.File]
	if m == nil || !m.own() {
		return
	}
	l.warnings = append(l.warnings, &Error{Pos: pos, Msg: fmt.Sprintf(format, args...), source: m.line(pos.Line)})
}

// lint looks for what can be seen in the text of a site without running it. The
// site has loaded without an error.
func (l *loader) lint() {
	lt := l.newLinter()
	lt.findSteps()
	lt.learn()
	lt.telling = true
	lt.play()
	for _, f := range lt.files {
		if !f.m.own() {
			continue
		}
		lt.lintLoads(f)
		for _, fn := range f.funcs {
			lt.lintLocals(fn)
			lt.lintMaker(fn)
		}
		for _, loop := range f.loops {
			lt.lintCaptures(loop)
		}
	}
	l.execs = lt.reachedExecs()
}

// at is a warning with the way out, if there is one.
func (lt *linter) at(p syntax.Position, msg, hint string) *Error {
	return &Error{Pos: lt.l.pos(p), Msg: msg, Hint: hint}
}

// warn adds a warning while that is what the text is played for.
func (lt *linter) warn(at syntax.Position, msg, hint string) { lt.tell([]*Error{lt.at(at, msg, hint)}) }

// tell adds warnings about the site's own text.
func (lt *linter) tell(list []*Error) {
	for _, e := range list {
		if m := lt.l.byName[e.Pos.File]; lt.telling && m != nil && m.own() {
			e.source = m.line(e.Pos.Line)
			lt.l.warnings = append(lt.l.warnings, e)
		}
	}
}

// lintShell warns of arguments that only a shell would understand.
func (l *loader) lintShell(e *plan.Exec) {
	for i, arg := range e.Argv[1:] {
		switch arg {
		case ">", ">>", "&&", "||", "2>&1", "1>&2", ">&2", ">/dev/null", "2>/dev/null", "&>/dev/null":
		case "|":
			if strings.HasPrefix(e.Argv[i], "-") {
				continue // an option's value, as in cut -d "|"
			}
		default:
			if !strings.HasPrefix(arg, "~/") {
				continue
			}
		}
		l.warn(e.Pos, "there is no shell: %s gets the argument %q as it stands", clip(e.Argv[0]), clip(arg))
		return
	}
}

// lintUnused looks for groups and objects that no backup has.
func (l *loader) lintUnused() {
	if len(l.result.Tasks) == 0 && l.result.BootReport == nil {
		l.warnings = append(l.warnings, &Error{Pos: plan.Pos{File: l.site.name}, Msg: "the site declares no task"})
		return
	}
	for _, g := range l.groups {
		if l.usedGroups[g] {
			continue
		}
		l.warn(g.pos, "group %q is in no backup", g.name)
		for _, o := range g.objects {
			l.usedObjects[o] = true // one warning is enough
		}
	}
	for g := range l.usedGroups {
		for _, o := range g.objects {
			l.usedObjects[o] = true
		}
	}
	for _, o := range l.objects {
		if !l.usedObjects[o] {
			l.warn(o.o.Pos, "object %q is in no group and no backup", o.o.Path)
		}
	}
}
