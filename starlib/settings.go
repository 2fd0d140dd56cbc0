package starlib

import (
	"errors"
	"math"

	"go.starlark.net/starlark"

	"palhm/runtime/host"
	"palhm/runtime/plan"
)

func settingsBuiltin() *builtin {
	return &builtin{
		Doc: Doc{
			Name: "settings",
			Text: `The site's own settings, at most once.`,
			Params: []Param{
				{Name: "nb_workers", Type: "int", Default: "0", KeywordOnly: true, Doc: "objects made at a time: 0 is the CPUs that palhm may use, negative is no limit"},
				{Name: "vl", Type: "int", Default: "3", KeywordOnly: true, Doc: "verbosity: 0 only why a run failed, 1 error, 2 warning, 3 info, 4 and above debug"},
				{Name: "host", Type: "string", Default: "None", KeywordOnly: true, Doc: "the name of this host in copies, locks and mails; None is host.name. Rotation counts the copies of one name only, so where the host's own changes, as in a container, give it one that stays"},
				{Name: "on_failure", Type: "notice", Default: "None", KeywordOnly: true, Doc: `sent when "palhm run" ends with 1, 4, 5 or by a signal other than SIGINT; notice() is in @palhm//mail.star`},
				{Name: "on_success", Type: "notice", Default: "None", KeywordOnly: true, Doc: `sent when "palhm run" ends with 0`},
			},
		},
		loading: "declare the settings at the top level",
		run: func(c *call) (starlark.Value, error) {
			s := plan.Settings{Verbosity: plan.DefaultVerbosity}
			err := c.unpack(func(name string, v starlark.Value) error {
				switch name {
				case "vl":
					return toInt(&s.Verbosity, v, 0, maxVerbosity)
				case "host":
					if err := toString(&s.Host, v); err != nil {
						return err
					}
					return host.CheckName(s.Host)
				case "on_failure":
					return toNotice(&s.OnFailure, v)
				case "on_success":
					return toNotice(&s.OnSuccess, v)
				}
				return toInt(&s.Workers, v, math.MinInt32, math.MaxInt32)
			})
			if regErr := c.registering(); regErr != nil {
				return nil, regErr
			}
			if first := c.l.settingsAt; first != (plan.Pos{}) {
				return nil, &placedError{err: errors.New("given for the second time"), notes: []Note{{first, "the first time"}}}
			}
			c.l.settingsAt, c.l.result.Settings = c.caller(), s
			return starlark.None, err
		},
		broken: func(*call) starlark.Value { return starlark.None },
	}
}
