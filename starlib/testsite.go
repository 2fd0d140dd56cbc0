package starlib

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"go.starlark.net/starlark"

	"palhm/runtime/plan"
)

func testSite(r *tester) *builtin {
	return &builtin{
		Doc: Doc{
			Name: "t.site",
			Text: `Says which site the rest of the test is about, and which host. Without it that is the site of palhm test -f SITE, else FILE.star beside
FILE_test.star, else site.star beside it; and this host. A site that reads facts of the host gives the same results everywhere when the test
has them.`,
			Params: []Param{
				{Name: "label", Type: "string", Default: "None", Doc: `"//web1.star" or "./web1.star": from the directory of the test file`},
				{Name: "host", Type: "dict", Default: "{}", KeywordOnly: true, Doc: hostDoc},
				{Name: "env", Type: "dict", Default: "{}", KeywordOnly: true, Doc: envDoc},
			},
		},
		run: func(c *call) (starlark.Value, error) {
			var f facts
			err := c.unpack(func(name string, v starlark.Value) error {
				switch name {
				case "host":
					return f.toHost(v)
				case "env":
					return f.toEnv(v)
				}
				return r.choose(v)
			})
			if err != nil {
				return nil, err
			}
			r.facts = f
			_, err = r.load(c, f)
			return starlark.None, err
		},
	}
}

const (
	hostDoc = `what the site sees in host, such as {"name": "web1", "os": {"id": "debian"}}; what is not given is that of this host`
	envDoc  = `what env(name) gives to the site, None for a variable that is not set; others are those of palhm's environment`
)

// choose makes a site the one of the test.
func (r *tester) choose(v starlark.Value) error {
	var s string
	if err := toString(&s, v); err != nil {
		return err
	}
	at, err := r.l.site.label.resolve(s)
	if err == nil && at.owner != "" {
		err = fmt.Errorf("%q is a module of palhm, want a site", s)
	}
	r.chosen = filepath.Join(filepath.Dir(r.l.file), at.path)
	return err
}

// facts are what a site sees of the host, where a test has its own.
type facts struct {
	host map[string]starlark.Value
	os   map[string]string
	env  map[string]*string // nil = not set
}

// loadedSite is a site that was loaded for a test.
type loadedSite struct {
	site *plan.Site
	err  error
	seen bool // the error was shown
}

// load loads the site of the test, once for the same facts. An error is reported.
func (r *tester) load(c *call, f facts) (*plan.Site, error) {
	if r.chosen == "" {
		return nil, &hintError{errors.New("there is no site to test"), `name it: t.site("//web1.star"), or palhm test -f SITE`}
	}
	key := fmt.Sprintf("%q %v %v %v", r.chosen, f.host, f.os, f.envText())
	s := r.sites[key]
	if s == nil {
		s = new(loadedSite)
		s.site, s.err = Load(r.ctx, f.config(r.cfg), r.chosen)
		r.sites[key] = s
	}
	switch {
	case r.ctx.Err() != nil:
		delete(r.sites, key)
		return nil, errReported // the thread is cancelled
	case s.err == nil:
		return s.site, nil
	}
	text := strings.Split(s.err.Error(), "\n")
	if s.seen {
		text = []string{"as said above"}
	}
	s.seen = true
	return nil, r.end(c, fmt.Errorf("the site %s cannot be loaded", r.chosen), text...)
}

func (f facts) envText() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(f.env)) {
		if v := f.env[name]; v != nil {
			fmt.Fprintf(&b, "%q=%q ", name, *v)
		} else {
			fmt.Fprintf(&b, "%q ", name)
		}
	}
	return b.String()
}

// config is what the site sees: this host, but for the facts.
func (f facts) config(cfg Config) Config {
	lookup := cfg.LookupEnv
	cfg.LookupEnv = func(name string) (string, bool) {
		if v, ok := f.env[name]; !ok {
			return lookup(name)
		} else if v == nil {
			return "", false
		} else {
			return *v, true
		}
	}
	if s, ok := starlark.AsString(f.host["name"]); ok {
		cfg.Host.Name = s
	}
	if s, ok := starlark.AsString(f.host["arch"]); ok {
		cfg.Host.Arch = s
	}
	if n, ok := f.host["cpus"].(starlark.Int); ok {
		cfg.Host.CPUs, _ = starlark.AsInt32(n)
	}
	if f.os != nil {
		cfg.Host.OS = f.os
	}
	return cfg
}

// toHost reads the facts of a host that are other than those of this one.
func (f *facts) toHost(v starlark.Value) error {
	f.host = map[string]starlark.Value{}
	return eachEntry(v, "facts", func(name string, v starlark.Value) error {
		var text string
		var n int
		switch name {
		case "name", "arch":
			f.host[name] = v
			return toString(&text, v)
		case "cpus":
			f.host[name] = v
			return toInt(&n, v, 1, 1<<20)
		case "os":
			f.os = map[string]string{}
			return eachEntry(v, "fields", func(field string, v starlark.Value) error {
				err := toString(&text, v)
				f.os[field] = text
				return err
			})
		}
		return fmt.Errorf("there is no host.%s; there are host.name, host.arch, host.cpus and host.os", clip(name))
	})
}

// toEnv reads variables. None is one that is not set.
func (f *facts) toEnv(v starlark.Value) error {
	f.env = map[string]*string{}
	return eachEntry(v, "variables", func(name string, v starlark.Value) error {
		if v == starlark.None {
			f.env[name] = nil
			return nil
		}
		text := new(string)
		f.env[name] = text
		return toString(text, v)
	})
}

// eachEntry calls visit with the entries of a dict that has strings as keys, in their
// order. All are visited; their errors are joined.
func eachEntry(v starlark.Value, want string, visit func(string, starlark.Value) error) error {
	d, ok := v.(*starlark.Dict)
	if !ok {
		return fmt.Errorf("got %s, want a dict of %s", describe(v), want)
	}
	var errs []error
	for _, item := range d.Items() {
		key, ok := starlark.AsString(item[0])
		if !ok {
			errs = append(errs, fmt.Errorf("got the key %s, want a string", short(item[0])))
			continue
		}
		if err := visit(key, item[1]); err != nil {
			errs = append(errs, &entryError{key, err})
		}
	}
	return errors.Join(errs...)
}

// An entryError is what is wrong with an entry of a dict.
type entryError struct {
	key string
	err error
}

func (e *entryError) Error() string { return fmt.Sprintf("%q: %v", clip(e.key), e.err) }
func (e *entryError) Unwrap() error { return e.err }
