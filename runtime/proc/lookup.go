package proc

import (
	"errors"

	"palhm/runtime/host"
)

// prepare checks every command and finds its program, so that nothing starts when
// one cannot.
func prepare(cmds []Command) ([]*stage, error) {
	if len(cmds) == 0 {
		return nil, &Error{Reason: errors.New("start a pipeline: it has no stage")}
	}
	stages := make([]*stage, len(cmds))
	for i := range cmds {
		s := &stage{cmd: &cmds[i], index: i, count: len(cmds), exit: exit{code: -1}}
		if err := s.resolve(); err != nil {
			return nil, s.startError(err)
		}
		stages[i] = s
	}
	return stages, nil
}

// resolve sets path to what is to be executed. Like every relative path of a stage,
// one that begins with no slash is meant from the stage's directory.
func (s *stage) resolve() error {
	c := s.cmd
	if len(c.Argv) == 0 || c.Argv[0] == "" {
		return errors.New("start: no program is given")
	}
	if c.Stdin != nil && s.index > 0 {
		return errors.New("start: only the first stage can have a stdin of its own")
	}
	var err error
	s.path, err = host.FindProgram(c.Argv[0], c.Dir, c.Env)
	return err
}
