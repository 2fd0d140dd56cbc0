package starlib

import (
	"errors"
	"fmt"
	"time"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"

	"palhm/runtime/simulate"
)

// maxDays is how far t.rotation looks.
const maxDays = 3650

func testRotation(r *tester) *builtin {
	return &builtin{
		Doc: Doc{
			Name: "t.rotation",
			Text: `Looks into the future of a backup's copies: makes one after the other, and rotates after each with the limits of the site, as
palhm run does. The result has

- .left: the copies that are there at the end, the oldest first: each has .name, .time, .size (bytes) and .reason
- .removed: those that went, the first to go first: they have .removed, the time, too
- .peak_copies, .peak_size: the most copies and bytes that there were at a time; that is just before old ones go
- .notices: what palhm would report with exit code 4, a list of strings`,
			Params: []Param{
				{Name: "task", Type: "string", Doc: "the name of the backup"},
				{Name: "size", Type: "size, or list of sizes", KeywordOnly: true, Doc: `of a copy, such as "10GiB"; of a list, the last one is that of all further copies`},
				{Name: "days", Type: "int", Default: "90", KeywordOnly: true, Doc: "how far to look"},
				{Name: "every", Type: "duration", Default: `"1d"`, KeywordOnly: true, Doc: "between two copies"},
				{Name: "copies", Type: "list of sizes", Default: "[]", KeywordOnly: true, Doc: "of the copies that are there already, the oldest first"},
				{Name: "now", Type: "string", Default: `"` + testStart + `"`, KeywordOnly: true, Doc: "when the first copy is made"},
			},
		},
		run: func(c *call) (starlark.Value, error) {
			var name string
			f := simulate.Future{Now: startTime(), Days: 90, Every: 24 * time.Hour}
			err := c.unpack(func(param string, v starlark.Value) error {
				if param == "task" {
					return toTestTask(&name, v)
				}
				return setFuture(&f, param, v)
			})
			if err != nil {
				return nil, err
			}
			return r.rotation(c, name, f)
		},
	}
}

func setFuture(f *simulate.Future, param string, v starlark.Value) error {
	switch param {
	case "size":
		if _, ok := v.(*starlark.List); ok {
			return toSizes(&f.Sizes, v)
		}
		return addSize(&f.Sizes, v)
	case "days":
		return toInt(&f.Days, v, 1, maxDays)
	case "every":
		err := toDuration(&f.Every, v)
		if err == nil && f.Every < time.Minute {
			err = fmt.Errorf("got %s, want a minute or more", short(v))
		}
		return err
	case "copies":
		return toSizes(&f.Found, v)
	case "now":
		return toMoment(&f.Now, v)
	}
	panic("t.rotation has no parameter " + param)
}

func toSizes(dst *[]int64, v starlark.Value) error {
	return eachElement(v, "sizes", func(v starlark.Value) error { return addSize(dst, v) })
}

func addSize(dst *[]int64, v starlark.Value) error {
	var n int64
	err := toSize(&n, v)
	*dst = append(*dst, n)
	return err
}

func (r *tester) rotation(c *call, name string, f simulate.Future) (starlark.Value, error) {
	if len(f.Sizes) == 0 {
		return nil, errors.New("size: the list is empty")
	}
	_, task, err := r.find(c, r.facts, name)
	if err != nil {
		return nil, err
	}
	if task.Backup == nil {
		return nil, fmt.Errorf("task %q is a routine, and only a backup has copies", name)
	}
	out, err := r.player.Rotate(r.ctx, task, f)
	if err != nil {
		return nil, err
	}
	return starlarkstruct.FromStringDict(starlark.String("rotation"), starlark.StringDict{
		"left":        copyList(out.Left),
		"removed":     copyList(out.Removed),
		"peak_copies": starlark.MakeInt(out.PeakCopies),
		"peak_size":   starlark.MakeBigInt(out.PeakBytes),
		"notices":     stringList(out.Notices),
	}), nil
}

func copyList(copies []simulate.Copy) *starlark.List {
	list := make([]starlark.Value, len(copies))
	for i, c := range copies {
		fields := starlark.StringDict{
			"name":   starlark.String(c.Prefix),
			"time":   starlark.String(c.Time.Format(time.RFC3339)),
			"size":   starlark.MakeInt64(c.Size),
			"reason": starlark.String(c.Reason),
		}
		if !c.Removed.IsZero() {
			fields["removed"] = starlark.String(c.Removed.UTC().Format(time.RFC3339))
		}
		list[i] = starlarkstruct.FromStringDict(starlark.String("copy"), fields)
	}
	return starlark.NewList(list)
}

func testSize() *builtin {
	return &builtin{
		Doc: Doc{
			Name:   "t.size",
			Text:   `A size in bytes: t.size("10GiB") is 10737418240.`,
			Params: []Param{{Name: "size", Type: "size", Doc: `such as "10GiB"`}},
		},
		run: func(c *call) (starlark.Value, error) {
			var n int64
			err := c.unpack(func(_ string, v starlark.Value) error { return toSize(&n, v) })
			return starlark.MakeInt64(n), err
		},
	}
}
