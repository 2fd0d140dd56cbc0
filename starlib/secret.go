package starlib

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"palhm/runtime/plan"
)

func secretBuiltin() *builtin {
	return &builtin{
		Doc: Doc{
			Name: "secret",
			Text: `A value that palhm reads when a process starts, and prints and stores by name only.
It may stand in an exec's env (as a value) and in its stdin, and nowhere else. Exactly one of env and file is given.`,
			Params: []Param{
				{Name: "env", Type: "string", Default: "None", KeywordOnly: true, Doc: "a variable of palhm's own environment"},
				{Name: "file", Type: "string", Default: "None", KeywordOnly: true, Doc: "an absolute path, or the name of a file in $CREDENTIALS_DIRECTORY"},
			},
		},
		run: func(c *call) (starlark.Value, error) {
			s := &secretValue{secret: &plan.Secret{}}
			if err := c.unpack(s.set); err != nil {
				return nil, err
			}
			if (s.secret.Env == "") == (s.secret.File == "") {
				return nil, errors.New(`want exactly one of env and file, such as secret(env = "PGPASSWORD") or secret(file = "/etc/palhm/pw")`)
			}
			return s, nil
		},
		broken: func(*call) starlark.Value { return &secretValue{secret: &plan.Secret{Env: "?"}} },
	}
}

// secretValue is a secret as a site sees it: a name, never a value.
type secretValue struct{ secret *plan.Secret }

var _ starlark.HasBinary = (*secretValue)(nil)

func (s *secretValue) String() string        { return s.secret.String() }
func (s *secretValue) Type() string          { return "secret" }
func (s *secretValue) Freeze()               {}
func (s *secretValue) Truth() starlark.Bool  { return true }
func (s *secretValue) Hash() (uint32, error) { return unhashable(s) }

func (s *secretValue) set(name string, v starlark.Value) error {
	switch name {
	case "env":
		var err error
		s.secret.Env, err = envName(v)
		return err
	case "file":
		return toCredential(&s.secret.File, v)
	}
	panic("secret has no parameter " + name)
}

func toCredential(dst *string, v starlark.Value) error {
	var file string
	if err := toString(&file, v); err != nil {
		return err
	}
	if file == "" || file == "." || file == ".." || !path.IsAbs(file) && strings.Contains(file, "/") {
		return fmt.Errorf("got %s, want an absolute path, or the name of a file in $CREDENTIALS_DIRECTORY", short(v))
	}
	*dst = file
	return nil
}

// Binary refuses every operator: a secret has no text while a site loads.
func (s *secretValue) Binary(op syntax.Token, _ starlark.Value, _ starlark.Side) (starlark.Value, error) {
	return nil, fmt.Errorf("%s is not defined for a secret: it has no text before a process starts; pass it whole, in env or stdin of an exec", op)
}

// namesSecret reports whether a string was formatted from a secret: Starlark
// gives "%" and format() only what String returns.
func namesSecret(s string) bool {
	return strings.Contains(s, `secret(env = "`) || strings.Contains(s, `secret(file = "`)
}
