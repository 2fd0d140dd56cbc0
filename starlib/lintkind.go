package starlib

import (
	"slices"
	"strings"

	"go.starlark.net/resolve"
	"go.starlark.net/syntax"
)

// A kind is what sort of value an expression surely has.
type kind int

const (
	unknownKind kind = iota
	noneKind
	otherKind // known, and none of those below
	execKind
	pipelineKind
	taskKind
	groupKind
	ctxKind
	hostKind
	resultKind  // of ctx.run
	outcomeKind // of ctx.attempt
	functionKind
	builtinKind
	methodKind // of ctx
	argsKind   // ctx.args
	fieldKind  // what a result has
)

// A guess is what is known of a value.
type guess struct {
	kind  kind
	maybe bool      // it may be None as well
	fn    *lintFunc // of functionKind
	doc   *Doc      // of builtinKind and methodKind
}

// command reports whether the value is what a process is made of.
func (g guess) command() bool { return g.kind == execKind || g.kind == pipelineKind }

// noun names the kind, for a sentence.
func (g guess) noun() string {
	switch g.kind {
	case execKind, pipelineKind:
		return "a command"
	case taskKind:
		return "a task"
	case groupKind:
		return "a group"
	case ctxKind:
		return "ctx"
	case hostKind:
		return "host"
	case resultKind, outcomeKind:
		return "a result"
	case functionKind:
		if g.fn.name == "lambda" {
			return "a lambda"
		}
		return "the function " + g.fn.name
	case builtinKind:
		return "the function " + g.doc.Name
	case methodKind:
		return "the function " + g.doc.Name
	case argsKind:
		return "ctx.args"
	}
	return "a value"
}

// merge is what is known of a value that comes from either of two places.
func merge(a, b guess) guess {
	maybe := a.maybe || b.maybe || a.kind == noneKind || b.kind == noneKind
	switch {
	case a.kind == noneKind:
		a = b
	case b.kind != noneKind && (a.kind != b.kind || a.fn != b.fn || a.doc != b.doc):
		return guess{}
	}
	a.maybe = maybe && a.kind != noneKind
	return a
}

// kindOf says what an expression is, as far as the text shows it without doubt.
func (lt *linter) kindOf(x syntax.Expr) guess {
	switch x := x.(type) {
	case *syntax.ParenExpr:
		return lt.kindOf(x.X)
	case *syntax.Ident:
		return lt.kindOfName(x)
	case *syntax.LambdaExpr:
		return guess{kind: functionKind, fn: lt.funcs[x]}
	case *syntax.DotExpr:
		if id, ok := x.X.(*syntax.Ident); ok && id.Name == nativeName && lt.natives[x.Name.Name] != nil {
			return guess{kind: builtinKind, doc: lt.natives[x.Name.Name]} // in a standard module
		}
		return lt.kindOfAttribute(lt.kindOf(x.X), x.Name.Name)
	case *syntax.CallExpr:
		return lt.kindOfCall(x)
	case *syntax.CondExpr:
		return merge(lt.kindOf(x.True), lt.kindOf(x.False))
	case *syntax.BinaryExpr:
		return lt.kindOfOperation(x)
	case *syntax.Literal, *syntax.ListExpr, *syntax.TupleExpr, *syntax.DictExpr, *syntax.Comprehension:
		return guess{kind: otherKind}
	}
	return guess{}
}

func (lt *linter) kindOfName(id *syntax.Ident) guess {
	b, ok := id.Binding.(*resolve.Binding)
	switch {
	case !ok:
		return guess{}
	case b.Scope == resolve.Universal && id.Name == "None":
		return guess{kind: noneKind}
	case b.Scope == resolve.Predeclared && id.Name == "host":
		return guess{kind: hostKind}
	case b.Scope == resolve.Predeclared && lt.docs[id.Name] != nil:
		return guess{kind: builtinKind, doc: lt.docs[id.Name]}
	case b.First == nil:
		return guess{}
	}
	return lt.kindOfVariable(lt.vars[b.First])
}

func (lt *linter) kindOfVariable(v *variable) guess {
	if v == nil || v.state == 1 {
		return guess{}
	}
	if v.state == 0 {
		v.state = 1
		v.known = lt.findKind(v)
		v.state = 2
	}
	return v.known
}

func (lt *linter) findKind(v *variable) guess {
	switch {
	case v.isCtx && !v.never && len(v.bound) == 1:
		return guess{kind: ctxKind}
	case v.opaque:
		return guess{}
	case v.imported != nil && len(v.bound) == 1:
		return lt.kindOfVariable(v.imported)
	case v.defs == 1 && len(v.bound) == 1:
		return guess{kind: functionKind, fn: v.def}
	case v.defs > 0 || v.imported != nil || len(v.sources) == 0:
		return guess{}
	}
	g := lt.kindOf(v.sources[0])
	for _, source := range v.sources[1:] {
		g = merge(g, lt.kindOf(source))
	}
	return g
}

func (lt *linter) kindOfAttribute(of guess, name string) guess {
	switch {
	case of.kind == ctxKind && name == "host":
		return guess{kind: hostKind}
	case of.kind == ctxKind && name == "args":
		return guess{kind: argsKind}
	case of.kind == resultKind && slices.Contains(lt.attributes(resultKind), name):
		return guess{kind: fieldKind}
	case of.kind == ctxKind && lt.ctx[name] != nil && strings.Contains(lt.ctx[name].Signature, "("):
		return guess{kind: methodKind, doc: lt.ctx[name]}
	case of.kind == execKind && name == "inverse":
		return guess{kind: execKind, maybe: true}
	}
	return guess{}
}

func (lt *linter) kindOfCall(x *syntax.CallExpr) guess {
	switch fn := lt.kindOf(x.Fn); fn.kind {
	case execKind:
		return guess{kind: execKind}
	case functionKind:
		return lt.kindOfResult(fn.fn)
	case methodKind:
		return guess{kind: map[string]kind{"ctx.run": resultKind, "ctx.attempt": outcomeKind}[fn.doc.Name]}
	case builtinKind:
		switch fn.doc.Name {
		case "exec":
			return guess{kind: execKind}
		case "pipeline":
			return guess{kind: pipelineKind}
		case "backup", "routine":
			return guess{kind: taskKind}
		case "group":
			return guess{kind: groupKind}
		case "struct", "object", "secret":
			return guess{kind: otherKind}
		}
	}
	return guess{}
}

// kindOfResult is what a function returns.
func (lt *linter) kindOfResult(fn *lintFunc) guess {
	if fn == nil || fn.state == 1 {
		return guess{} // it calls itself, which fails when it runs
	}
	fn.state = 1
	defer func() { fn.state = 0 }()
	if lambda, ok := fn.node.(*syntax.LambdaExpr); ok {
		return lt.kindOf(lambda.Body)
	}
	g := guess{}
	for i, x := range fn.returns {
		one := guess{kind: noneKind}
		if x != nil {
			one = lt.kindOf(x)
		}
		if i == 0 {
			g = one
		} else {
			g = merge(g, one)
		}
	}
	if !lt.ends(fn.body) {
		if len(fn.returns) == 0 {
			return guess{kind: noneKind}
		}
		g = merge(g, guess{kind: noneKind})
	}
	return g
}

func (lt *linter) kindOfOperation(x *syntax.BinaryExpr) guess {
	switch x.Op {
	case syntax.PIPE:
		if lt.kindOf(x.X).command() || lt.kindOf(x.Y).command() {
			return guess{kind: pipelineKind}
		}
	case syntax.AND, syntax.OR:
		return merge(lt.kindOf(x.X), lt.kindOf(x.Y))
	case syntax.EQL, syntax.NEQ, syntax.LT, syntax.GT, syntax.LE, syntax.GE, syntax.IN, syntax.NOT_IN:
		return guess{kind: otherKind}
	}
	return guess{}
}
