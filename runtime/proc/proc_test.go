package proc_test

import (
	"os"

	"palhm/runtime/proc"
)

func commands(argvs ...[]string) []proc.Command {
	cmds := make([]proc.Command, len(argvs))
	for i, argv := range argvs {
		cmds[i] = proc.Command{Argv: argv, Env: os.Environ()}
	}
	return cmds
}
