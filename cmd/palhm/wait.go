package main

import (
	"errors"
	"time"

	"palhm/starlib"
)

// wait is the value of --wait, in the form of the durations of a site.
type wait struct{ d *time.Duration }

func (w wait) String() string { return "" }
func (w wait) Type() string   { return "DURATION" }

func (w wait) Set(s string) error {
	if s == "0" {
		*w.d = 0
		return nil
	}
	d, err := starlib.ParseDuration(s)
	if err != nil {
		return errors.New("want a time span such as 90s, 10m, 1h30m or 1d")
	}
	*w.d = d
	return nil
}
