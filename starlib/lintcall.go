package starlib

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// attributes are what a value of a kind has. A kind without an entry is not looked
// at.
func (lt *linter) attributes(k kind) []string {
	switch k {
	case ctxKind:
		return slices.Sorted(maps.Keys(lt.ctx))
	case resultKind:
		return (&resultValue{}).AttrNames()
	case outcomeKind:
		return (&outcomeValue{}).AttrNames()
	case execKind:
		return (&execValue{}).AttrNames()
	case pipelineKind:
		return (&pipelineValue{}).AttrNames()
	case taskKind:
		return (&taskValue{}).AttrNames()
	case groupKind:
		return (&groupValue{}).AttrNames()
	case hostKind:
		return []string{"name", "arch", "cpus", "os"}
	}
	return nil
}

// lintAttribute warns of what a value does not have.
func (lt *linter) lintAttribute(x *syntax.DotExpr) {
	g, name := lt.kindOf(x.X), x.Name.Name
	names := lt.attributes(g.kind)
	if g.kind == argsKind {
		names = lt.argNames(x)
	}
	if names == nil || slices.Contains(names, name) {
		return
	}
	msg := fmt.Sprintf("%s has no %s", g.noun(), name)
	hint := "it has " + joinWords(names)
	if len(names) == 0 {
		hint = fmt.Sprintf(`declare it: routine(..., args = {"%s": "default"})`, name)
	}
	if n := Nearest(name, names); n != "" {
		hint = fmt.Sprintf("did you mean %s?", n)
	} else if (g.command() || g.kind == taskKind) && slices.Contains(lt.attributes(resultKind), name) {
		hint = "what it comes to is known when it has run: ctx.run(...)." + name
	}
	lt.warn(x.Name.NamePos, msg, hint)
}

// lintCall compares the arguments of a call with the parameters of what is called.
func (lt *linter) lintCall(x *syntax.CallExpr) {
	g := lt.kindOf(x.Fn)
	var d Doc
	switch g.kind {
	case execKind:
		d = Doc{Name: "exec", Params: execParams()}
	case functionKind:
		d = Doc{Name: g.fn.name, Params: g.fn.params}
	case builtinKind:
		d = *g.doc
		lt.lintLoading(x, &d)
		if len(d.Params) == 0 {
			return // it is not said in a table what it takes
		}
	case methodKind:
		d = *g.doc
		lt.lintNow(x, d.Name)
		switch d.Name {
		case "ctx.skip":
			lt.lintSkip(x)
		case "ctx.defer":
			lt.lintDeferred(x)
		}
	case unknownKind, noneKind:
		return
	case fieldKind:
		lt.warn(syntax.Start(x.Fn), shortText(x.Fn)+" is not a function", "write it without ()")
		return
	default:
		lt.warn(syntax.Start(x.Fn), g.noun()+" is not a function", "")
		return
	}
	hint := ""
	if def, ok := lt.definition(g); ok {
		hint = "it is called " + functionSignature(def)
	}
	lt.lintArguments(x, &d, hint)
}

func (lt *linter) definition(g guess) (*syntax.DefStmt, bool) {
	if g.kind != functionKind || g.fn == nil {
		return nil, false
	}
	def, ok := g.fn.node.(*syntax.DefStmt)
	return def, ok
}

// lintArguments uses the words that the call itself would use.
func (lt *linter) lintArguments(x *syntax.CallExpr, d *Doc, hint string) {
	c := &call{b: &builtin{Doc: *d}}
	say := func(at syntax.Position, err error) {
		way := hint
		var withHint *hintError
		if errors.As(err, &withHint) && way == "" {
			way = withHint.hint
		}
		lt.warn(at, d.Name+": "+err.Error(), way)
	}
	variadic, anyKeyword, spread := false, false, false
	positional := 0
	for _, p := range d.Params {
		switch {
		case strings.HasPrefix(p.Name, "**"):
			anyKeyword = true
		case strings.HasPrefix(p.Name, "*"):
			variadic = true
		case !p.KeywordOnly:
			positional++
		}
	}
	given := map[string]bool{}
	c.args = make(starlark.Tuple, countPositional(x))
	for i, a := range x.Args {
		if kw, ok := keywordArg(a); ok {
			name := kw.X.(*syntax.Ident)
			switch {
			case c.param(name.Name) < 0 && !anyKeyword:
				say(name.NamePos, c.unknownKeyword(name.Name))
			case given[name.Name]:
				say(name.NamePos, fmt.Errorf("%s is given twice", name.Name))
			}
			given[name.Name] = true
			lt.lintValue(d, c.param(name.Name), kw.Y)
			continue
		}
		if isSpread(a) {
			spread = true
			continue
		}
		if !variadic && !spread && i == positional {
			say(syntax.Start(a), c.tooMany(i))
		}
		if i < positional && !spread && d.Params[i].Name[0] != '*' {
			given[d.Params[i].Name] = true
			lt.lintValue(d, i, a)
		}
	}
	for _, p := range d.Params {
		if !spread && !given[p.Name] && p.Default == "" && p.Name[0] != '*' {
			err := fmt.Errorf("missing argument %s", p.Name)
			if p.Type != "" {
				err = fmt.Errorf("missing argument %s: %s", p.Name, p.Type)
			}
			say(syntax.Start(x.Fn), err)
		}
	}
}

func isSpread(a syntax.Expr) bool {
	u, ok := a.(*syntax.UnaryExpr)
	return ok && (u.Op == syntax.STAR || u.Op == syntax.STARSTAR)
}

func countPositional(x *syntax.CallExpr) (n int) {
	for _, a := range x.Args {
		if _, ok := keywordArg(a); !ok && !isSpread(a) {
			n++
		}
	}
	return n
}
