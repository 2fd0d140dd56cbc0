package starlib

import (
	"errors"
	"fmt"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"palhm/runtime/plan"
)

func pipelineBuiltin() *builtin {
	return &builtin{
		Doc: Doc{
			Name: "pipeline",
			Text: `Execs joined stdout to stdin: pipeline(a, b) is a | b. Pipelines among the stages are flattened.`,
			Params: []Param{
				{Name: "*stages", Type: "execs and pipelines", Doc: "at least one"},
			},
		},
		run: func(c *call) (starlark.Value, error) {
			if err := c.unpack(noArguments); err != nil {
				return nil, err
			}
			if len(c.args) == 0 {
				return nil, errors.New("has no stages; it would make an empty file")
			}
			p := &pipelineValue{}
			for i, v := range c.args {
				stage, err := toCommand(v)
				if err == nil {
					p, err = p.join(stage)
				}
				if err != nil {
					c.report(&argError{i, "", fmt.Sprintf("stage %d", i+1), err})
				}
			}
			return p, nil
		},
		broken: func(*call) starlark.Value { return brokenPipeline() },
	}
}

func brokenPipeline() *pipelineValue {
	return &pipelineValue{stages: plan.Pipeline{{Argv: []string{"?"}}}, broken: true}
}

// pipelineValue is a pipeline as a site sees it. It never changes.
type pipelineValue struct {
	stages plan.Pipeline
	broken bool
}

var (
	_ starlark.HasBinary = (*pipelineValue)(nil)
	_ starlark.HasAttrs  = (*pipelineValue)(nil)
)

func (p *pipelineValue) String() string {
	texts := make([]string, len(p.stages))
	for i, s := range p.stages {
		texts[i] = commandLine(s)
	}
	return strings.Join(texts, " | ")
}
func (p *pipelineValue) Type() string          { return "pipeline" }
func (p *pipelineValue) Freeze()               {}
func (p *pipelineValue) Truth() starlark.Bool  { return true }
func (p *pipelineValue) Hash() (uint32, error) { return unhashable(p) }

// Attr gives the stages as strings.
func (p *pipelineValue) Attr(name string) (starlark.Value, error) {
	if name != "stages" {
		return nil, nil
	}
	t := make(starlark.Tuple, len(p.stages))
	for i, s := range p.stages {
		t[i] = starlark.String(commandLine(s))
	}
	return t, nil
}

// AttrNames lists the attributes.
func (p *pipelineValue) AttrNames() []string { return []string{"stages"} }

// Binary joins commands with |.
func (p *pipelineValue) Binary(op syntax.Token, y starlark.Value, side starlark.Side) (starlark.Value, error) {
	return commandBinary(p, op, y, side)
}

// join gives a new pipeline, with the stages of next behind those of p.
func (p *pipelineValue) join(next *pipelineValue) (*pipelineValue, error) {
	if in := next.stages[0].Stdin; in != nil && len(p.stages) > 0 {
		return p, fmt.Errorf("stdin is given for %s, which reads what %s writes; only a first stage may have it",
			clip(commandLine(next.stages[0])), clip(commandLine(p.stages[len(p.stages)-1])))
	}
	stages := make(plan.Pipeline, 0, len(p.stages)+len(next.stages))
	stages = append(append(stages, p.stages...), next.stages...)
	return &pipelineValue{stages: stages, broken: p.broken || next.broken}, nil
}

// toCommand reads an exec or a pipeline.
func toCommand(v starlark.Value) (*pipelineValue, error) {
	switch v := v.(type) {
	case *pipelineValue:
		return v, nil
	case *execValue:
		return &pipelineValue{stages: plan.Pipeline{v.e}, broken: v.broken}, nil
	case *starlark.List, starlark.Tuple:
		return nil, fmt.Errorf("got %s, want an exec or a pipeline; stages are joined with |, or pipeline(*stages)", describe(v))
	}
	return nil, fmt.Errorf("got %s, want an exec or a pipeline%s", describe(v), callHint(v))
}

// callHint helps where a value that makes an exec is given in place of one.
func callHint(v starlark.Value) string {
	switch v := v.(type) {
	case *starlark.Function:
		return fmt.Sprintf("; call the function: %s(...)", v.Name())
	case *starlark.Builtin:
		return fmt.Sprintf("; call it: %s(...)", v.Name())
	case starlark.String:
		if hint := commandHint(string(v)); hint != "" {
			return "; " + hint
		}
	}
	return ""
}

// commandBinary is what operators do with an exec or a pipeline. A nil result
// without an error leaves the answer to Starlark.
func commandBinary(x starlark.Value, op syntax.Token, y starlark.Value, side starlark.Side) (starlark.Value, error) {
	switch {
	case op == syntax.PIPE && side == starlark.Right:
		return nil, &hintError{fmt.Errorf("cannot join %s | %s: got %s, want an exec or a pipeline", y.Type(), x.Type(), describe(y)), trimHint(callHint(y))}
	case op == syntax.PIPE:
		next, err := toCommand(y)
		if err != nil {
			return nil, fmt.Errorf("right of |: %w", err)
		}
		p, err := toCommand(x)
		if err != nil {
			return nil, err
		}
		return p.join(next)
	case op == syntax.PLUS:
		return nil, &hintError{fmt.Errorf("%s + %s is not defined", x.Type(), y.Type()),
			`arguments are appended by a call, such as tar("-C", "/"), and commands are joined with |`}
	}
	return nil, nil
}

func trimHint(s string) string { return strings.TrimPrefix(s, "; ") }

// A hintError is an error with a way out.
type hintError struct {
	err  error
	hint string
}

func (e *hintError) Error() string { return e.err.Error() }
func (e *hintError) Unwrap() error { return e.err }
