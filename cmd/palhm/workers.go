package main

import (
	"errors"
	"strconv"
)

// workers is the value of -j. It knows whether it was given, because 0 has a
// meaning of its own.
type workers struct{ flags *globalFlags }

func (w *workers) String() string { return "" }
func (w *workers) Type() string   { return "N" }

func (w *workers) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil {
		return errors.New("want a whole number")
	}
	w.flags.workers, w.flags.workersSet = n, true
	return nil
}
