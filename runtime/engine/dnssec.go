package engine

import (
	"context"
	"errors"

	"palhm/runtime/plan"
)

// dnssec makes a DNSSEC check: what is wrong is its error.
func (e *Engine) dnssec(ctx context.Context, check *plan.DNSSECCheck) error {
	if e.DNSSEC == nil {
		return errors.New("DNSSEC checks are not available here")
	}
	summary, err := e.DNSSEC(ctx, check)
	if err == nil {
		e.Log.Info(summary)
	}
	return err
}
