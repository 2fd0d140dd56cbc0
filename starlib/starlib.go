// Package starlib is palhm's language: it loads a site written in Starlark, offers
// the built-ins, and produces a plan. It starts no process and touches no backend.
package starlib

import (
	"context"

	"palhm/runtime/plan"
)

// Config is what a site may know of the world while it loads.
type Config struct {
	Dir       string                         // current directory, absolute: what a relative root is meant from; "" = it was removed
	LookupEnv func(string) (string, bool)    // as os.LookupEnv; nil = an empty environment
	Host      Host                           // see HostFacts
	Print     func(pos plan.Pos, msg string) // gets what print() prints; nil = nobody does
}

// Host is the built-in value "host".
type Host struct {
	Name string
	Arch string
	CPUs int
	OS   map[string]string // the fields of os-release, in lower case
}

// Load reads a site and everything it loads. The error is an Errors when the site
// is to blame, and that of ctx when ctx was cancelled. It may be called from any
// number of goroutines.
func Load(ctx context.Context, cfg Config, file string) (*plan.Site, error) {
	site, _, err := load(ctx, cfg, file, limits{timeLimit, maxMemory}, false)
	return site, err
}

// Findings are what a look at the text of a site shows besides its plan.
type Findings struct {
	Warnings Errors       // what looks like a mistake and is none to Load
	Execs    []*plan.Exec // that the functions of its tasks are seen to run, each placed where the site mentions it
}

// Check loads a site like Load, and also looks for mistakes in what did not run
// while it loaded. There are findings only when there is no error.
func Check(ctx context.Context, cfg Config, file string) (*plan.Site, *Findings, error) {
	return load(ctx, cfg, file, limits{timeLimit, maxMemory}, true)
}
