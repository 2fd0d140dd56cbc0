package main

import (
	"context"

	"palhm/runtime/dnssec"
	"palhm/runtime/plan"
)

// checkDNSSEC makes a DNSSEC check for the engine, which reaches no network by itself.
func checkDNSSEC(ctx context.Context, check *plan.DNSSECCheck) (string, error) {
	result, err := new(dnssec.Checker).Check(ctx, check)
	if err != nil {
		return "", err
	}
	return result.String(), nil
}
