package s3

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"palhm/runtime/host"
)

// The journal is a file of this host, one for each root: a line for each key that an
// upload in parts was begun for. It is on the disk before the request is sent, so it
// outlives the process and the boot, and is removed when the copy has ended. Only the
// holder of the root's lock uses it.

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
		var err error
		if dir, err = host.StateDir(os.LookupEnv, os.Geteuid() == 0); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, "s3-uploads-"+s.fileName(s.endpoint)), nil
}

// journal adds a line, and an empty one before it: the last one may have been cut.
func (s *Store) journal(key string) error {
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
	at, _ := f.Seek(0, io.SeekEnd)
	_, err = f.WriteString("\n" + strconv.Quote(key) + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if at == 0 && err == nil {
		return syncDir(filepath.Dir(path))
	}
	return err
}

// syncDir writes out the name of a new file. Some file systems cannot.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOTSUP) {
		return err
	}
	return nil
}

// readJournal returns the keys. A line that was cut, by a full disk or a lost power, is
// left out.
func (s *Store) readJournal() (begun map[string]bool, err error) {
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
	begun = map[string]bool{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		quoted, err := strconv.QuotedPrefix(lines.Text())
		if err != nil {
			continue
		}
		if key, err := strconv.Unquote(quoted); err == nil {
			begun[key] = true
		}
	}
	return begun, nil
}

// owe says whether the journal is still needed for what dead runs have left.
func (s *Store) owe(still bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owes = still
}

// forgetJournal is called when no upload of this run can be open. That the file stays
// costs the next run a request for each key.
func (s *Store) forgetJournal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owes {
		return
	}
	if path, err := s.journalPath(); err == nil {
		_ = os.Remove(path)
	}
}
