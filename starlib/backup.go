package starlib

import (
	"errors"
	"fmt"
	"time"

	"go.starlark.net/starlark"

	"palhm/runtime/plan"
)

// defaultGroup is the group that the objects given to backup() itself form.
const defaultGroup = "default"

func backupBuiltin() *builtin {
	return &builtin{
		Doc: Doc{
			Name: "backup",
			Text: `Declares a task that makes objects and sends them to a backend. Groups that are reached only through depends
belong to it too. Objects given to the backup itself form the group "default".
Declaring is allowed in the site file, or in a module's function that the site file calls.`,
			Params: []Param{
				{Name: "name", Type: "string", Doc: "the name of the task, for palhm run"},
				{Name: "backend", Type: "backend", Doc: "where the copies live: localfs(...), aws_s3(...) or null()"},
				{Name: "groups", Type: "list of groups", Default: "[]", KeywordOnly: true, Doc: "in the order in which they should start where depends leaves a choice"},
				{Name: "objects", Type: "list of objects", Default: "[]", KeywordOnly: true, Doc: `the group "default"`},
				{Name: "prefix", Type: "string", Default: `"iso"`, KeywordOnly: true, Doc: `names of copies: "iso" is 2022-05-01T06:59:17+00:00, "compact" is 20220501T065917Z, for file systems that refuse colons`},
				{Name: "timeout", Type: "duration", Default: "None", KeywordOnly: true, Doc: "of the whole backup; None is no limit"},
				{Name: "doc", Type: "string", Default: `""`, KeywordOnly: true, Doc: "what it is for, for lists of tasks"},
			},
		},
		loading: "declare the backup at the top level, and run it here with ctx.run(...)",
		run:     runBackup,
		broken:  func(c *call) starlark.Value { return brokenTask(c) },
	}
}

func runBackup(c *call) (starlark.Value, error) {
	args := backupArgs{task: &plan.Task{Pos: c.caller()}, prefix: plan.PrefixISO}
	t := args.task
	err := c.unpack(args.set)
	c.l.markUsed(args.groups, args.objects)
	if regErr := c.registering(); regErr != nil {
		c.report(regErr)
	} else if nameErr := c.l.declare(t); nameErr != nil {
		c.report(nameErr)
	}
	if err != nil || c.failed {
		return nil, errReported
	}
	groups, err := reach(args.groups, args.objects, t.Pos)
	if err != nil {
		return nil, err
	}
	if err := c.checkObjects(groups, args.backend, args.prefix); err != nil {
		return nil, err
	}
	t.Backup = &plan.Backup{Backends: []plan.Backend{args.backend}, Groups: planGroups(groups), Prefix: args.prefix}
	return &taskValue{task: t}, nil
}

type backupArgs struct {
	task    *plan.Task
	backend plan.Backend
	groups  []*groupValue
	objects []*objectValue
	prefix  plan.PrefixFormat
}

func (a *backupArgs) set(name string, v starlark.Value) error {
	switch name {
	case "name":
		return toTaskName(&a.task.Name, v)
	case "backend":
		return toBackend(&a.backend, v)
	case "groups":
		return toGroups(&a.groups, v)
	case "objects":
		return toObjects(&a.objects, v)
	case "prefix":
		return toPrefix(&a.prefix, v)
	case "timeout":
		return toTimeout(&a.task.Timeout, v)
	case "doc":
		return toDoc(&a.task.Doc, v)
	}
	panic("backup has no parameter " + name)
}

func toPrefix(dst *plan.PrefixFormat, v starlark.Value) error {
	s, _ := starlark.AsString(v)
	switch p := plan.PrefixFormat(s); p {
	case plan.PrefixISO, plan.PrefixCompact:
		*dst = p
		return nil
	}
	return fmt.Errorf(`got %s, want "iso" or "compact"`, describe(v))
}

// reach lists the groups of a backup: those given, each once, then those that
// they depend on, nearest first. It does not recurse, so that a chain of any
// length is fine.
func reach(listed []*groupValue, objects []*objectValue, pos plan.Pos) ([]*groupValue, error) {
	if len(objects) > 0 {
		listed = append(listed[:len(listed):len(listed)], &groupValue{name: defaultGroup, pos: pos, objects: objects})
	}
	var all []*groupValue
	seen := map[*groupValue]bool{}
	byName := map[string]*groupValue{}
	var errs []error
	visit := func(groups []*groupValue) {
		for _, g := range groups {
			if seen[g] {
				continue
			}
			seen[g] = true
			all = append(all, g)
			if other := byName[g.name]; other != nil && !g.broken && !other.broken {
				errs = append(errs, sameGroupName(g, other, pos))
			}
			byName[g.name] = g
		}
	}
	visit(listed)
	for i := 0; i < len(all); i++ {
		visit(all[i].depends)
	}
	return all, errors.Join(errs...)
}

func sameGroupName(g, other *groupValue, pos plan.Pos) error {
	if g.pos == pos || other.pos == pos {
		declared := g
		if g.pos == pos {
			declared = other
		}
		return &placedError{
			err:   fmt.Errorf(`objects = [...] form the group %q, and there is another group of that name`, g.name),
			notes: []Note{{declared.pos, "the other one"}},
		}
	}
	return &placedError{
		err:   fmt.Errorf("two groups are named %q", g.name),
		notes: []Note{{other.pos, "one"}, {g.pos, "the other"}},
	}
}

// checkObjects reports what is wrong with the objects of a backup together.
func (c *call) checkObjects(groups []*groupValue, backend plan.Backend, prefix plan.PrefixFormat) error {
	var objects []*objectValue
	var paths []string
	later := false // a function gives more
	for _, g := range groups {
		later = later || g.make != nil
		if g.broken {
			return errReported // what it lacks is not known
		}
		for _, o := range g.objects {
			if o.broken {
				c.failed = true
				continue
			}
			objects = append(objects, o)
			paths = append(paths, o.o.Path)
		}
	}
	if len(objects) == 0 && !later && !c.failed {
		return &hintError{errors.New("has no objects"), "an empty copy would rotate real ones away; give it groups = [...] or objects = [...]"}
	}
	for _, conflict := range plan.CheckPaths(paths) {
		c.reportConflict(objects[conflict.Index], objects[conflict.Other])
	}
	for _, o := range objects {
		if err := backend.CheckKey(prefix, o.o.Path); err != nil {
			c.reportAt(o.o.Pos, err)
		}
	}
	if c.failed {
		return errReported
	}
	return nil
}

func (c *call) reportConflict(o, other *objectValue) {
	err := &placedError{notes: []Note{{other.o.Pos, "the first one"}, {c.caller(), "both are in this backup"}}}
	switch {
	case o == other:
		err.err = fmt.Errorf("object %q is listed twice in one backup", o.o.Path)
		err.notes = err.notes[1:]
	case o.o.Path == other.o.Path:
		err.err = fmt.Errorf("two objects have the path %q", o.o.Path)
	default:
		err.err = fmt.Errorf("paths %q and %q cannot be in one copy: one is a directory of the other", o.o.Path, other.o.Path)
	}
	c.reportAt(o.o.Pos, err)
}

// planGroups turns groups into data: edges become indices.
func planGroups(groups []*groupValue) []*plan.Group {
	index := make(map[*groupValue]int, len(groups))
	for i, g := range groups {
		index[g] = i
	}
	list := make([]*plan.Group, len(groups))
	for i, g := range groups {
		p := &plan.Group{Name: g.name, Pos: g.pos, Objects: make([]*plan.Object, len(g.objects)), Make: g.make}
		for j, o := range g.objects {
			p.Objects[j] = o.o
		}
		seen := map[*groupValue]bool{}
		for _, d := range g.depends {
			if !seen[d] {
				seen[d] = true
				p.Depends = append(p.Depends, index[d])
			}
		}
		list[i] = p
	}
	return list
}

// markUsed notes which groups and objects some backup names, even a wrong one.
func (l *loader) markUsed(groups []*groupValue, objects []*objectValue) {
	for _, o := range objects {
		l.usedObjects[o] = true
	}
	todo := groups
	for len(todo) > 0 {
		g := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !l.usedGroups[g] {
			l.usedGroups[g] = true
			todo = append(todo[:len(todo):len(todo)], g.depends...)
		}
	}
}

func toDoc(dst *string, v starlark.Value) error { return toString(dst, v) }

func brokenTask(c *call) starlark.Value {
	return &taskValue{task: &plan.Task{Name: "?", Pos: c.caller(), Timeout: time.Duration(0)}, broken: true}
}
