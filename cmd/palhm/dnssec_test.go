package main

import (
	"net"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"palhm/runtime/dnssec/dnssectest"
)

// TestDNSSECScripts runs the command lines in testdata/script/dnssec with real name
// servers: $RESOLVER validates, $TRUSTING does not, and $SILENT never answers.
func TestDNSSECScripts(t *testing.T) {
	heedSignals()
	world := dnssectest.Start(t)
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	testscript.Run(t, testscript.Params{
		Dir:                 "../../testdata/script/dnssec",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PALHM_SITE", "site.star")
			env.Setenv("STATE_DIRECTORY", filepath.Join(env.WorkDir, ".state"))
			env.Setenv("RESOLVER", world.Validating)
			env.Setenv("TRUSTING", world.Trusting)
			env.Setenv("SILENT", silent.LocalAddr().String())
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "signalled": signalled},
	})
}
