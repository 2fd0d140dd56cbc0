package engine_test

import (
	"os"
	"testing"

	"palhm/runtime/plan"
)

// A secret never comes from the directory in which palhm happens to be started.
func TestNoCredentialsDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	os.WriteFile("db", []byte("pw"), 0o600)
	for _, dir := range []string{"", "."} {
		f := newFixture(t)
		f.Environ = []string{"CREDENTIALS_DIRECTORY=" + dir}
		x := sh("cat")
		x.Stdin = &plan.Stdin{Content: &plan.Value{Secret: &plan.Secret{File: "db"}}}
		wantError(t, f.run(t, backupTask(object("a", x))), "object a", `secret(file = "db")`, "CREDENTIALS_DIRECTORY is not set")
	}
}
