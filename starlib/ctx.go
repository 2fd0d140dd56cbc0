package starlib

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"

	"palhm/runtime/host"
	"palhm/runtime/plan"
)

// ctxBuiltins is every method of ctx, in the order of the reference.
func ctxBuiltins() []*builtin {
	return []*builtin{
		ctxRun(), ctxAttempt(), ctxParallel(), ctxDefer(),
		ctxFail(), ctxSkip(), ctxLog(), ctxWarn(),
		ctxSleep(), ctxNow(), ctxTempDir(), ctxExists(), ctxRead(), ctxSigmask(),
	}
}

// ctxFields are the attributes of ctx that are no methods.
func ctxFields() []Doc {
	return []Doc{
		{Name: "ctx.host", Signature: "ctx.host", Text: "This host: the same as host."},
		{Name: "ctx.args", Signature: "ctx.args", Text: "The arguments of the routine: ctx.args.service is what --service=nginx says, or the default."},
	}
}

// ctxValue is what a function gets to act with.
type ctxValue struct{ inv *invocation }

var _ starlark.HasAttrs = (*ctxValue)(nil)

func (*ctxValue) String() string          { return "ctx" }
func (*ctxValue) Type() string            { return "ctx" }
func (*ctxValue) Freeze()                 {}
func (*ctxValue) Truth() starlark.Bool    { return true }
func (x *ctxValue) Hash() (uint32, error) { return unhashable(x) }

// Attr gives a method or a fact.
func (x *ctxValue) Attr(name string) (starlark.Value, error) {
	switch name {
	case "host":
		return x.inv.l.predeclared["host"], nil
	case "args":
		return argsValue(x.inv.rt.Args())
	}
	return x.inv.l.ctxMethods[name], nil
}

// AttrNames lists the methods and facts.
func (x *ctxValue) AttrNames() []string {
	names := slices.Collect(maps.Keys(x.inv.l.ctxMethods))
	names = append(names, "args", "host")
	slices.Sort(names)
	return names
}

// argsValue makes a struct of a routine's arguments.
func argsValue(args map[string]any) (starlark.Value, error) {
	fields := starlark.StringDict{}
	for name, v := range args {
		switch v := v.(type) {
		case string:
			fields[name] = starlark.String(v)
		case int64:
			fields[name] = starlark.MakeInt64(v)
		case bool:
			fields[name] = starlark.Bool(v)
		default:
			return nil, fmt.Errorf("argument %s: got a %T, want a string, an int or a bool", name, v)
		}
	}
	return starlarkstruct.FromStringDict(starlark.String("args"), fields), nil
}

func ctxFail() *builtin {
	return &builtin{
		Doc: Doc{
			Name:    "ctx.fail",
			Returns: "nothing, it ends the function",
			Text:    `Ends the routine as a failure.`,
			Params:  []Param{{Name: "msg", Type: "string", Doc: "why, for the error"}},
		},
		run: func(c *call) (starlark.Value, error) {
			msg, err := c.message()
			if err != nil {
				return nil, err
			}
			return nil, &failedCall{err: &plan.Failure{Pos: c.caller(), Msg: msg}, bare: true}
		},
	}
}

func ctxSkip() *builtin {
	return &builtin{
		Doc: Doc{
			Name:    "ctx.skip",
			Returns: "nothing, it ends the function",
			Text: `Ends the routine, and all its steps, because there is nothing to do: it is well. In a function that ctx.parallel calls it ends
that function only, whose result is None. ctx.attempt does not catch it. It has no use in a deferred function, nor in one that gives the
objects of a group.`,
			Params: []Param{{Name: "msg", Type: "string", Doc: "why, for the log"}},
		},
		run: func(c *call) (starlark.Value, error) {
			msg, err := c.message()
			switch {
			case err != nil:
				return nil, err
			case c.strand.objects:
				return nil, errSkipInGroup
			case c.strand.cleaning:
				return nil, errors.New("the routine has ended already; this is a deferred function")
			}
			return nil, &failedCall{err: &plan.Skip{Pos: c.caller(), Msg: msg}, bare: true}
		},
	}
}

func ctxLog() *builtin {
	return &builtin{
		Doc: Doc{
			Name:   "ctx.log",
			Text:   `Says something in the log. With -q it is not shown.`,
			Params: []Param{{Name: "msg", Type: "string", Doc: "what to say"}},
		},
		run: func(c *call) (starlark.Value, error) { return c.say(plan.LogInfo) },
	}
}

func ctxWarn() *builtin {
	return &builtin{
		Doc: Doc{
			Name:   "ctx.warn",
			Text:   `Warns in the log. It is no failure, and with -q it is not shown.`,
			Params: []Param{{Name: "msg", Type: "string", Doc: "what to say"}},
		},
		run: func(c *call) (starlark.Value, error) { return c.say(plan.LogWarn) },
	}
}

func (c *call) say(level plan.LogLevel) (starlark.Value, error) {
	msg, err := c.message()
	if err != nil {
		return nil, err
	}
	c.strand.rt.Log(c.caller(), level, msg)
	return starlark.None, nil
}

// message reads the one argument of a built-in that says something. What is no string
// is printed as str() does.
func (c *call) message() (string, error) {
	var msg string
	err := c.unpack(func(_ string, v starlark.Value) error {
		if s, ok := starlark.AsString(v); ok {
			msg = s
		} else {
			msg = v.String()
		}
		return nil
	})
	return msg, err
}

func ctxSleep() *builtin {
	return &builtin{
		Doc: Doc{
			Name:   "ctx.sleep",
			Text:   `Waits. A signal or a time limit of the task ends it.`,
			Params: []Param{{Name: "duration", Type: "duration", Doc: `such as "5s"; "0s" does not wait`}},
		},
		run: func(c *call) (starlark.Value, error) {
			var d time.Duration
			if err := c.unpack(func(_ string, v starlark.Value) error { return toPause(&d, v) }); err != nil {
				return nil, err
			}
			if err := c.strand.rt.Sleep(c.strand.ctx, d); err != nil {
				return nil, c.strand.failed(err)
			}
			return starlark.None, nil
		},
	}
}

// toPause reads a duration that may be zero: it may have been computed.
func toPause(dst *time.Duration, v starlark.Value) error {
	err := toDuration(dst, v)
	if errors.Is(err, errZeroDuration) {
		return nil
	}
	return err
}

// failed is a failure of the host, or the end of the strand when that is the reason.
func (s *strand) failed(err error) error {
	if ended := s.ended(nil); ended != nil {
		return ended
	}
	return &failedCall{err: err}
}

func ctxNow() *builtin {
	return &builtin{
		Doc: Doc{
			Name:    "ctx.now",
			Returns: "struct",
			Text: `The time, as a struct. In the host's time zone: .year, .month, .day, .hour, .minute, .second (ints), .weekday ("Monday"), .date
("2022-05-01") and .zone ("CEST"). The same everywhere: .utc ("2022-05-01T06:59:17Z", for names) and .unix (seconds since 1970, an int, for
comparisons and differences).`,
		},
		run: func(c *call) (starlark.Value, error) {
			if err := c.unpack(noArguments); err != nil {
				return nil, err
			}
			return timeValue(c.strand.rt.Now()), nil
		},
	}
}

func timeValue(t time.Time) starlark.Value {
	zone, _ := t.Zone()
	return starlarkstruct.FromStringDict(starlark.String("time"), starlark.StringDict{
		"year": starlark.MakeInt(t.Year()), "month": starlark.MakeInt(int(t.Month())), "day": starlark.MakeInt(t.Day()),
		"hour": starlark.MakeInt(t.Hour()), "minute": starlark.MakeInt(t.Minute()), "second": starlark.MakeInt(t.Second()),
		"weekday": starlark.String(t.Weekday().String()),
		"date":    starlark.String(t.Format(time.DateOnly)),
		"zone":    starlark.String(zone),
		"utc":     starlark.String(t.UTC().Format("2006-01-02T15:04:05Z")),
		"unix":    starlark.MakeInt64(t.Unix()),
	})
}

func ctxTempDir() *builtin {
	return &builtin{
		Doc: Doc{
			Name:    "ctx.temp_dir",
			Returns: "string",
			Text: `The path of a new directory that only palhm's user can enter. It is removed with all that is in it when the function
has ended and its deferred functions too; when the function gives the objects of a group, when the backup has ended.`,
		},
		run: func(c *call) (starlark.Value, error) {
			if err := c.unpack(noArguments); err != nil {
				return nil, err
			}
			dir, err := host.Await(c.strand.ctx, c.strand.rt.TempDir, nil)
			if err != nil {
				return nil, c.strand.failed(err)
			}
			return starlark.String(dir), nil
		},
	}
}

func ctxExists() *builtin {
	return &builtin{
		Doc: Doc{
			Name:    "ctx.exists",
			Returns: "bool",
			Text:    `Whether there is a file or directory now. Symbolic links are followed.`,
			Params:  []Param{{Name: "path", Type: "string", Doc: "an absolute path of the host"}},
		},
		run: func(c *call) (starlark.Value, error) {
			path, err := c.hostPath()
			if err != nil {
				return nil, err
			}
			found, err := host.Await(c.strand.ctx, func() (bool, error) { return c.strand.rt.Exists(path) }, nil)
			if err != nil {
				return nil, c.strand.failed(err)
			}
			return starlark.Bool(found), nil
		},
	}
}

func ctxRead() *builtin {
	return &builtin{
		Doc: Doc{
			Name:    "ctx.read",
			Returns: "string",
			Text:    `The text of a file as it is now. It is a regular file of at most 1 MiB.`,
			Params:  []Param{{Name: "path", Type: "string", Doc: "an absolute path of the host"}},
		},
		run: func(c *call) (starlark.Value, error) {
			path, err := c.hostPath()
			if err != nil {
				return nil, err
			}
			text, err := host.Await(c.strand.ctx, func() ([]byte, error) { return c.strand.rt.ReadFile(c.strand.ctx, path) }, nil)
			if err != nil {
				return nil, c.strand.failed(err)
			}
			return starlark.String(text), nil
		},
	}
}

// hostPath reads the one argument of a method that looks at a file.
func (c *call) hostPath() (string, error) {
	var path string
	err := c.unpack(func(_ string, v starlark.Value) error { return toHostPath(&path, v) })
	return path, err
}

func toHostPath(dst *string, v starlark.Value) error {
	err := toAbsolute(dst, v)
	if err == nil && strings.HasPrefix(*dst, "//") {
		return fmt.Errorf("got %s; labels are for while the site loads, with read_file(%s)", short(v), short(v))
	}
	return err
}

func ctxSigmask() *builtin {
	return &builtin{
		Doc: Doc{
			Name:   "ctx.sigmask",
			Text:   "The same as the step sigmask(...), now.",
			Params: sigmaskParams(),
		},
		run: func(c *call) (starlark.Value, error) {
			m, err := c.sigmask()
			if err != nil {
				return nil, err
			}
			if err := c.strand.rt.Sigmask(c.strand.ctx, c.caller(), m); err != nil {
				return nil, c.strand.failed(err)
			}
			return starlark.None, nil
		},
	}
}
