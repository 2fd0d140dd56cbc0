package starlib

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"palhm/runtime/plan"
)

// A placedError is an error that other places are involved in.
type placedError struct {
	err   error
	notes []Note
}

func (e *placedError) Error() string { return e.err.Error() }
func (e *placedError) Unwrap() error { return e.err }

// pos translates a position; callPos does so for that of a call.
func (l *loader) pos(p syntax.Position) plan.Pos {
	return plan.Pos{File: p.Filename(), Line: int(p.Line), Col: int(p.Col)}
}

func (l *loader) callPos(p syntax.Position) plan.Pos {
	pos := l.pos(p)
	if m := l.byName[pos.File]; m != nil {
		return m.callStart(pos)
	}
	return pos
}

// at makes an error about a place in a module's text.
func (l *loader) at(m *module, p syntax.Position, msg string) *Error {
	return &Error{Pos: l.pos(p), Msg: msg, source: m.line(int(p.Line)), Calls: l.loadChain(m)}
}

// loadChain says how a module came to be loaded.
func (l *loader) loadChain(m *module) (chain []Call) {
	for seen := 0; m != nil && m.loadedBy.Line > 0 && seen < len(l.modules); seen++ {
		chain = append(chain, Call{m.loadedBy, "loaded at"})
		m = l.byName[m.loadedBy.File]
	}
	return chain
}

// blameStack makes an error from a stack of calls, the outermost first. The error
// is placed in the innermost file that is the site's own: in a standard module
// there is nothing that an administrator could change.
func (l *loader) blameStack(thread *module, stack starlark.CallStack) *Error {
	for len(stack) > 0 && stack[len(stack)-1].Pos.Line == 0 {
		stack = stack[:len(stack)-1] // a built-in
	}
	primary := len(stack) - 1
	for i := primary; i >= 0; i-- {
		if m := l.byName[stack[i].Pos.Filename()]; m != nil && m.own() {
			primary = i
			break
		}
	}
	e := &Error{}
	for i := len(stack) - 1; i >= 0; i-- {
		switch pos := l.callPos(stack[i].Pos); {
		case stack[i].Pos.Line == 0:
		case i > primary:
			e.Calls = append(e.Calls, Call{pos, fmt.Sprintf("inside %s, at", frameName(stack[i].Name))})
		case i == primary:
			e.Pos = pos
			if m := l.byName[pos.File]; m != nil {
				e.source = m.line(pos.Line)
			}
		default:
			e.Calls = append(e.Calls, Call{pos, fmt.Sprintf("in %s, called at", frameName(stack[i+1].Name))})
		}
	}
	e.Calls = append(e.Calls, l.loadChain(thread)...)
	return e
}

func frameName(name string) string {
	if name == "<toplevel>" {
		return "the top level"
	}
	if strings.Contains(name, " ") { // see strand.above
		return name
	}
	return name + "()"
}

// blame makes an error of a built-in, placed at the argument that is wrong.
func (c *call) blame(err error) *Error {
	stack := c.thread.CallStack()
	if c.strand != nil {
		stack = c.strand.below(stack)
	}
	e := c.l.blameStack(threadModule(c.thread), stack)
	if failed, ok := err.(*failedCall); ok {
		failed.describe(e, c.name)
		return e
	}
	msg := err.Error()
	if arg, ok := err.(*argError); ok {
		msg = arg.message()
		if p, ok := c.argPlace(arg); ok && p.File == e.Pos.File {
			e.Pos = p
			e.source = c.l.byName[p.File].line(p.Line)
		}
	}
	e.Msg = c.name + ": " + msg
	e.explain(err)
	return e
}

// explain adds what the cause knows besides its text. Of a text, what follows a
// semicolon is the way out.
func (e *Error) explain(cause error) {
	var placed *placedError
	if errors.As(cause, &placed) {
		e.Notes = placed.notes
	}
	var hint *hintError
	if errors.As(cause, &hint) {
		e.Hint = hint.hint
	}
	if e.Hint == "" {
		e.Msg, e.Hint = cutHint(e.Msg)
	}
}

// cutHint divides a message at its first semicolon that does not stand in quotes,
// which is one that the site has written.
func cutHint(msg string) (text, hint string) {
	quoted := false
	for i := 0; i < len(msg); i++ {
		switch {
		case quoted && msg[i] == '\\':
			i++
		case msg[i] == '"':
			quoted = !quoted
		case !quoted && strings.HasPrefix(msg[i:], "; "):
			return msg[:i], msg[i+len("; "):]
		}
	}
	return msg, ""
}

// message names the parameter, unless the text begins with it.
func (e *argError) message() string {
	text, param := e.err.Error(), e.param
	var element *elementError
	if errors.As(e.err, &element) {
		text, param = element.err.Error(), fmt.Sprintf("%s[%d]", param, element.index)
	}
	if param == "" || strings.HasPrefix(text, param) {
		return text
	}
	return param + ": " + text
}

// argPlace is where an argument stands, when the direct caller is Starlark code.
func (c *call) argPlace(arg *argError) (plan.Pos, bool) {
	if c.thread.CallStackDepth() < 2 {
		return plan.Pos{}, false
	}
	at := c.thread.CallFrame(1).Pos
	m := c.l.byName[at.Filename()]
	if m == nil {
		return plan.Pos{}, false
	}
	expr := m.callAt(at)
	if expr == nil {
		return plan.Pos{}, false
	}
	p, ok := argPos(expr, arg)
	return c.l.pos(p), ok
}

// reportAt adds an error that is about another place than the call.
func (c *call) reportAt(pos plan.Pos, err error) {
	c.failed = true
	e := &Error{Pos: pos, Msg: err.Error()}
	if m := c.l.byName[pos.File]; m != nil {
		e.source = m.line(pos.Line)
	}
	e.explain(err)
	c.l.add(e)
}

// blameEval adds the error that ended the top level of a module.
func (l *loader) blameEval(m *module, err error) {
	if errors.Is(err, errReported) {
		return
	}
	var eval *starlark.EvalError
	if !errors.As(err, &eval) {
		l.add(&Error{Pos: plan.Pos{File: m.name}, Msg: err.Error(), Calls: l.loadChain(m)})
		return
	}
	l.add(l.evalError(m, eval, eval.CallStack))
}

// evalError makes an error of one that ended Starlark code, with its stack of calls.
func (l *loader) evalError(m *module, eval *starlark.EvalError, stack starlark.CallStack) *Error {
	stack, hint := l.blameCaller(stack, eval.Msg)
	e := l.blameStack(m, stack)
	e.Msg = eval.Msg
	if text, failed := strings.CutPrefix(eval.Msg, "fail: "); failed && text != "" {
		e.Msg = text
	}
	if cause, cancelled := strings.CutPrefix(e.Msg, "Starlark computation cancelled: "); cancelled {
		e.Msg = cause + "; it was here"
	}
	e.Msg = strings.Replace(e.Msg, "frozen hash table", "frozen dict or set", 1)
	e.Hint = cmp.Or(hint, evalHint(e.Msg))
	if !strings.HasPrefix(eval.Msg, "fail: ") { // whose text is the site's own
		e.explain(eval)
	}
	return e
}

// blameSyntax makes an error of the parser's.
func (l *loader) blameSyntax(m *module, err error) *Error {
	var syn syntax.Error
	if !errors.As(err, &syn) {
		return &Error{Pos: plan.Pos{File: m.name}, Msg: err.Error(), Calls: l.loadChain(m)}
	}
	at := syn.Pos
	if strings.HasPrefix(syn.Msg, "got newline") && at.Col == 1 && at.Line > 1 { // the parser has read it already
		at.Line--
		at.Col = codeEnd(m.line(int(at.Line)))
	}
	e := l.at(m, at, syn.Msg)
	if strings.HasPrefix(syn.Msg, "got ") && at == syn.Pos {
		e.Pos.Col = tokenStart([]rune(e.source), e.Pos.Col)
	}
	e.Hint = syntaxHint(syn.Msg, e.source, e.Pos.Col)
	if b, open := openBracket(m.text, e.Pos.Line, e.Pos.Col); open && b.line < e.Pos.Line && strings.HasPrefix(syn.Msg, "got ") {
		e.Notes = append(e.Notes, Note{plan.Pos{File: m.name, Line: b.line, Col: b.col}, "this bracket is still open"})
	}
	return e
}

// blameResolve adds the errors about names in a module.
func (l *loader) blameResolve(m *module, list resolve.ErrorList) {
	seen := map[string]bool{}
	for _, r := range list {
		if seen[r.Msg] {
			continue // one report of a misspelt name is enough
		}
		seen[r.Msg] = true
		e := l.at(m, r.Pos, r.Msg)
		if name, ok := strings.CutPrefix(r.Msg, "undefined: "); ok {
			name, _, _ = strings.Cut(name, " ")
			e.Msg = "undefined: " + name
			e.Hint = l.undefinedHint(m, name, int(r.Pos.Line))
		} else {
			e.Hint = syntaxHint(r.Msg, e.source, int(r.Pos.Col))
		}
		l.add(e)
	}
}
