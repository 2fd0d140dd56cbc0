// Package starlib is palhm's language: it loads a site written in Starlark, offers
// the built-ins, and produces a plan. It starts no process and touches no backend.
package starlib

import (
	"context"

	"palhm/runtime/plan"
)

// Config is what a site may know of the world while it loads.
type Config struct {
	Dir       string                      // current directory, absolute: what a relative root is meant from
	LookupEnv func(string) (string, bool) // as os.LookupEnv
	Host      Host
	Print     func(pos plan.Pos, msg string) // gets what print() prints
}

// Host is the built-in value "host".
type Host struct {
	Name string
	Arch string
	CPUs int
	OS   map[string]string // the fields of os-release, in lower case
}

// Load reads a site and everything it loads. The error is an Errors when the site
// is to blame.
func Load(ctx context.Context, cfg Config, file string) (*plan.Site, error) {
	panic("to be written")
}
