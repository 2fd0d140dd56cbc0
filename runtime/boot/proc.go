package boot

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"palhm/runtime/host"
	"palhm/runtime/report"
)

// file reads a small file of the host.
func (s *Source) file(path string) ([]byte, error) { return os.ReadFile(s.Root + path) }

// since is when the kernel started: btime of proc_stat(5), which follows the clock
// when that is set.
func (s *Source) since() report.Fact[time.Time] {
	text, err := s.file("/proc/stat")
	if err != nil {
		return report.Unknown[time.Time](err.Error())
	}
	for line := range bytes.Lines(text) {
		if number, ok := strings.CutPrefix(string(line), "btime "); ok {
			seconds, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
			if err == nil {
				return report.Known(time.Unix(seconds, 0))
			}
		}
	}
	return report.Unknown[time.Time]("/proc/stat has no btime")
}

// uptime is the first number of proc_uptime(5), in seconds.
func (s *Source) uptime() report.Fact[time.Duration] {
	text, err := s.file("/proc/uptime")
	if err != nil {
		return report.Unknown[time.Duration](err.Error())
	}
	number, _, _ := strings.Cut(string(text), " ")
	d, err := time.ParseDuration(number + "s")
	if err != nil {
		return report.Unknown[time.Duration](fmt.Sprintf("/proc/uptime begins with %.40q", text))
	}
	return report.Known(d)
}

func (s *Source) bootID() report.Fact[string] {
	id, err := host.BootID(s.Root)
	if err != nil {
		return report.Unknown[string](err.Error())
	}
	return report.Known(id)
}

func (s *Source) kernel() report.Fact[string] { return s.line("/proc/sys/kernel/osrelease") }

func (s *Source) line(path string) report.Fact[string] {
	text, err := s.file(path)
	if err != nil {
		return report.Unknown[string](err.Error())
	}
	if line := strings.TrimSpace(string(text)); line != "" {
		return report.Known(line)
	}
	return report.Unknown[string](path + " is empty")
}

// zone names the time zone: what $TZ or /etc/localtime names, and what holds now.
func zone(now time.Time, root string) string {
	name := strings.TrimPrefix(os.Getenv("TZ"), ":")
	if name == "" {
		target, _ := os.Readlink(root + "/etc/localtime")
		if _, after, ok := strings.Cut(filepath.ToSlash(target), "zoneinfo/"); ok {
			name = after
		}
	}
	abbreviation, _ := now.Zone()
	if abbreviation == "UTC" {
		return "UTC"
	}
	text := abbreviation + now.Format(", -07:00")
	if strings.HasPrefix(abbreviation, "+") || strings.HasPrefix(abbreviation, "-") {
		text = now.Format("-07:00")
	}
	if name != "" {
		return name + " (" + text + ")"
	}
	return text
}
