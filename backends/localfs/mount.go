package localfs

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// checkMount enforces Options.RequireMount.
func (s *Store) checkMount() error {
	if !s.opt.RequireMount {
		return nil
	}
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("find what is mounted on %s: %w", s.root, err)
	}
	if mountPoint(string(info), resolve(s.root)) == "/" {
		return fmt.Errorf("%s is not on a mounted file system, and require_mount asks for one: mount it first", s.root)
	}
	return nil
}

// resolve follows the links in path as far as it exists.
func resolve(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil || path == "/" {
		return real
	}
	return filepath.Join(resolve(filepath.Dir(path)), filepath.Base(path))
}

// mountPoint finds the longest mount point that path is at or below. mountinfo is
// as proc_pid_mountinfo(5) describes it: the fifth field is the mount point, and
// the type follows a field "-".
func mountPoint(mountinfo, path string) string {
	found := "/"
	for line := range strings.Lines(mountinfo) {
		fields := strings.Fields(line)
		_, after, _ := strings.Cut(line, " - ")
		if len(fields) < 5 || strings.HasPrefix(after, "autofs ") {
			continue
		}
		point := unescape(fields[4])
		rest, ok := strings.CutPrefix(path, point)
		if ok && (rest == "" || rest[0] == '/') && len(point) > len(found) {
			found = point
		}
	}
	return found
}

// unescape undoes the octal escapes, such as \040 for a blank.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
