package report

// The exit codes of palhm, as "palhm help exit" explains them.
const (
	ExitOK     = 0
	ExitFailed = 1
	ExitUsage  = 2
	ExitSite   = 3
	ExitAfter  = 4
	ExitLocked = 5
	ExitSignal = 128 // plus the signal's number
)
