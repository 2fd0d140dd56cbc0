package history

import (
	"os"
	"path/filepath"
	"strings"
)

// reported is the file below Dir with the id of the boot that was reported last.
const reported = "boot-report"

// Reported tells whether MarkReported was called with the id of a boot. When that
// cannot be found out it was not: two reports are better than none.
func Reported(dir, bootID string) bool {
	text, err := os.ReadFile(filepath.Join(dir, reported))
	return err == nil && bootID != "" && strings.TrimSpace(string(text)) == bootID
}

// MarkReported records below a directory that a boot has been reported.
func MarkReported(dir, bootID string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return replace(filepath.Join(dir, reported), []byte(bootID+"\n"))
}
