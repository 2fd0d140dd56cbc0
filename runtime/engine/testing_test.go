package engine_test

import (
	"math/big"

	"palhm/runtime/plan"
)

func limit(n int64) plan.Limit { return plan.NewLimit(big.NewInt(n)) }
