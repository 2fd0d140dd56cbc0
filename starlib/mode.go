package starlib

import (
	"fmt"
	"strconv"
	"strings"

	"go.starlark.net/starlark"

	"palhm/runtime/plan"
)

// toMode reads permission bits. An int is refused because 750 and 0o750 are both
// ints, and only one of them is what was meant.
func toMode(dst *plan.Mode, v starlark.Value) error {
	s, ok := starlark.AsString(v)
	if !ok {
		if _, isInt := v.(starlark.Int); isInt {
			return fmt.Errorf(`got the int %s, want octal digits in quotes, such as "750"`, short(v))
		}
		return fmt.Errorf(`got %s, want octal digits in quotes, such as "750"`, describe(v))
	}
	digits := strings.TrimPrefix(s, "0o")
	if digits == "" || len(digits) > 4 || strings.Trim(digits, "01234567") != "" {
		return fmt.Errorf(`got %q, want octal digits such as "750"`, clip(s))
	}
	bits, err := strconv.ParseUint(digits, 8, 32)
	if err != nil || bits > 0o777 {
		return fmt.Errorf(`got %q, want permission bits from "0" to "777"`, clip(s))
	}
	*dst = plan.Mode(bits)
	return nil
}

// toFileMode reads the mode of files, which palhm has to be able to read again.
func toFileMode(dst *plan.Mode, v starlark.Value) error {
	if err := toMode(dst, v); err != nil {
		return err
	}
	if *dst&0o400 == 0 {
		return fmt.Errorf(`got %s, with which the owner cannot read what is kept; want "400" or more, such as "640"`, short(v))
	}
	return nil
}
