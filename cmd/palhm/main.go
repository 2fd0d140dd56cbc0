package main

import (
	"context"
	"io"
	"log"
	"os"
)

func main() {
	log.SetFlags(0)
	setLogin()
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program: it does what args ask for and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	a := newApp(stdout, stderr)
	log.SetOutput(libraries{a})
	root := a.command()
	a.offerTaskFlags(ctx, root, args)
	root.SetArgs(append([]string{}, args...)) // nil would mean os.Args
	err := root.ExecuteContext(ctx)
	if err != nil {
		a.report(err)
	}
	return exitCode(err)
}
