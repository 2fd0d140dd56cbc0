package starlib

import (
	"fmt"
	"time"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"

	"palhm/runtime/plan"
)

// resultValue is what ctx.run gives.
type resultValue struct {
	r   *plan.Result
	err error
}

var _ starlark.HasAttrs = (*resultValue)(nil)

func (r *resultValue) String() string {
	if r.err != nil {
		return fmt.Sprintf("result(ok = False, error = %q)", firstLine(r.err))
	}
	return "result(ok = True)"
}
func (r *resultValue) Type() string          { return "result" }
func (r *resultValue) Freeze()               {}
func (r *resultValue) Truth() starlark.Bool  { return true }
func (r *resultValue) Hash() (uint32, error) { return unhashable(r) }

// Attr gives what ctx.run documents.
func (r *resultValue) Attr(name string) (starlark.Value, error) {
	switch name {
	case "ok":
		return starlark.Bool(r.err == nil), nil
	case "code":
		return codeValue(r.r.Code), nil
	case "signal":
		return textOrNone(r.r.Signal), nil
	case "stdout":
		return starlark.String(r.r.Stdout), nil
	case "stderr":
		return starlark.String(r.r.Stderr), nil
	case "error":
		if r.err == nil {
			return starlark.None, nil
		}
		return starlark.String(firstLine(r.err)), nil
	case "duration":
		return seconds(r.r.Duration), nil
	case "stages":
		return stagesValue(r.r.Stages), nil
	case "warnings":
		return stringList(r.r.Warnings), nil
	}
	return nil, nil
}

// AttrNames lists the attributes.
func (r *resultValue) AttrNames() []string {
	return []string{"code", "duration", "error", "ok", "signal", "stages", "stderr", "stdout", "warnings"}
}

func stagesValue(stages []plan.StageResult) starlark.Tuple {
	list := make(starlark.Tuple, len(stages))
	for i, s := range stages {
		list[i] = starlarkstruct.FromStringDict(starlark.String("stage"), starlark.StringDict{
			"argv":     texts(s.Argv),
			"ok":       starlark.Bool(s.OK),
			"code":     codeValue(s.Code),
			"signal":   textOrNone(s.Signal),
			"stderr":   starlark.String(s.Stderr),
			"duration": seconds(s.Duration),
		})
	}
	return list
}

func texts(list []string) starlark.Tuple {
	t := make(starlark.Tuple, len(list))
	for i, s := range list {
		t[i] = starlark.String(s)
	}
	return t
}

// codeValue is None where there is no exit code, so that no comparison takes it for one.
func codeValue(code int) starlark.Value {
	if code < 0 {
		return starlark.None
	}
	return starlark.MakeInt(code)
}

func textOrNone(s string) starlark.Value {
	if s == "" {
		return starlark.None
	}
	return starlark.String(s)
}

func seconds(d time.Duration) starlark.Value { return starlark.Float(d.Seconds()) }

// outcomeValue is what ctx.attempt gives.
type outcomeValue struct {
	value starlark.Value
	err   *Error
}

var _ starlark.HasAttrs = (*outcomeValue)(nil)

func (o *outcomeValue) String() string {
	if o.err != nil {
		return fmt.Sprintf("outcome(ok = False, error = %q)", o.err.Msg)
	}
	return fmt.Sprintf("outcome(ok = True, value = %s)", o.value)
}
func (o *outcomeValue) Type() string          { return "outcome" }
func (o *outcomeValue) Freeze()               { o.value.Freeze() }
func (o *outcomeValue) Truth() starlark.Bool  { return true }
func (o *outcomeValue) Hash() (uint32, error) { return unhashable(o) }

// Attr gives what ctx.attempt documents.
func (o *outcomeValue) Attr(name string) (starlark.Value, error) {
	switch name {
	case "ok":
		return starlark.Bool(o.err == nil), nil
	case "value":
		return o.value, nil
	case "error":
		if o.err == nil {
			return starlark.None, nil
		}
		return starlark.String(o.err.line()), nil
	}
	return nil, nil
}

// AttrNames lists the attributes.
func (o *outcomeValue) AttrNames() []string { return []string{"error", "ok", "value"} }
