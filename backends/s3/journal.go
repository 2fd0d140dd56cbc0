package s3

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The journal is a file of this host, one for each root: a line for each key that an
// upload in parts was begun for, and one more before and after the request that makes
// the object. It outlives the process and the boot, and is removed when the copy has
// ended. Only who holds the lock of the root uses it.

// What a line of the journal says of a key after its name.
const (
	uploadBegun      = ""
	uploadCompleting = " completing %d" // bytes
	uploadEnded      = " ended"
)

// fileName is what stands for the root in the names of files, however its endpoint is
// spelt.
func (s *Store) fileName(endpoint string) string {
	sum := sha256.Sum256([]byte(spelling(endpoint) + "\n" + s.opt.Bucket + "\n" + s.opt.Root))
	return hex.EncodeToString(sum[:8])
}

// spelling is the one way to write an endpoint: host in lower case, neither the port that
// the scheme implies nor a slash at the end.
func spelling(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return endpoint
	}
	u.Host = strings.ToLower(u.Host)
	if u.Port() == map[string]string{"http": "80", "https": "443"}[u.Scheme] {
		u.Host = strings.TrimSuffix(u.Host, ":"+u.Port())
	}
	u.Path = strings.TrimRight(u.Path, "/")
	return u.String()
}

// journalPath is known when there is a client.
func (s *Store) journalPath() (string, error) {
	dir := s.opt.StateDir
	if dir == "" {
		dir = os.Getenv("STATE_DIRECTORY")
	}
	if dir == "" && os.Geteuid() == 0 {
		dir = "/var/lib/palhm"
	}
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(home, ".local", "state", "palhm")
	}
	return filepath.Join(dir, "s3-uploads-"+s.fileName(s.endpoint)), nil
}

// journal adds a line.
func (s *Store) journal(key, event string) error {
	path, err := s.journalPath()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strconv.Quote(key) + event + "\n")
	return errors.Join(err, f.Close())
}

// readJournal returns the last event of each key. A line that was cut, by a full disk
// or a lost power, is left out.
func (s *Store) readJournal() (events map[string]string, err error) {
	path, err := s.journalPath()
	if err != nil {
		return nil, nil // then nothing was written either
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the journal of uploads: %w", err)
	}
	defer f.Close()
	events = map[string]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		quoted, err := strconv.QuotedPrefix(lines.Text())
		if err != nil {
			continue
		}
		if key, err := strconv.Unquote(quoted); err == nil {
			events[key] = lines.Text()[len(quoted):]
		}
	}
	return events, nil
}

// forgetJournal is called when no upload can be open. That the file stays costs the
// next run a request for each key.
func (s *Store) forgetJournal() {
	if path, err := s.journalPath(); err == nil {
		_ = os.Remove(path)
	}
}
