package main

import (
	"io"
	"slices"
	"testing"

	"github.com/spf13/pflag"

	"palhm/runtime/plan"
)

// An option of palhm that a routine could take would be taken away from it.
func TestOptionsOfRunAreReserved(t *testing.T) {
	root := newApp(io.Discard, io.Discard).command()
	check := func(f *pflag.Flag) {
		if !slices.Contains(plan.ReservedFlags(), f.Name) {
			t.Errorf("plan.ReservedFlags does not list --%s", f.Name)
		}
	}
	root.PersistentFlags().VisitAll(check)
	findCommand(root, []string{"run"}).Flags().VisitAll(check)
	for _, name := range []string{"help", "version"} {
		check(&pflag.Flag{Name: name})
	}
}
