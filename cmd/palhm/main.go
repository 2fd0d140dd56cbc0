package main

import (
	"context"
	"io"
	"log"
	"os"

	"github.com/spf13/cobra"

	"palhm/runtime/fault"
)

func main() {
	if code, done := runBelowInit(); done {
		os.Exit(code)
	}
	log.SetFlags(0)
	setLogin()
	quit()
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program: it does what args ask for and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	a := newApp(stdout, stderr)
	log.SetOutput(libraries{a})
	root := a.command()
	a.offerTaskFlags(ctx, root, args)
	root.SetArgs(append([]string{}, args...)) // nil would mean os.Args
	err := execute(ctx, root)
	if err != nil {
		if stack := fault.Stack(err); stack != nil {
			a.log.Debug(string(stack))
		}
		a.report(err)
	}
	return exitCode(err)
}

// execute runs a command. An internal error is a failure as any other.
func execute(ctx context.Context, c *cobra.Command) (err error) {
	defer fault.Catch(&err)
	return c.ExecuteContext(ctx)
}
