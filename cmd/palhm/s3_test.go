package main

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"palhm/backends/s3/s3test"
)

// TestS3Scripts runs the command lines in testdata/script/s3, each with a store in
// memory of its own at $S3_URL, which has one bucket, "bucket".
func TestS3Scripts(t *testing.T) {
	var servers servers
	testscript.Run(t, testscript.Params{
		Dir:                 "../../testdata/script/s3",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			srv := s3test.New(env.T().(testing.TB), s3test.Quirks{})
			env.Values[&servers] = srv
			for name, value := range map[string]string{
				"PALHM_SITE": "site.star", "S3_URL": srv.URL, "STATE_DIRECTORY": env.WorkDir + "/state", "XDG_RUNTIME_DIR": env.WorkDir,
			} {
				env.Setenv(name, value)
			}
			for name, value := range s3Environ {
				env.Setenv(name, value)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":     exits,
			"signalled": signalled,
			"keys":      servers.keys,
			"uploads":   servers.uploads,
			"refuse":    servers.refuse,
			"later":     servers.later,
		},
	})
}

// s3Environ has the credentials, so that nobody's real ones are found.
var s3Environ = map[string]string{
	"AWS_ACCESS_KEY_ID": "palhmtest", "AWS_SECRET_ACCESS_KEY": "palhmsecret", "AWS_EC2_METADATA_DISABLED": "true",
	"AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent", "AWS_REGION": "us-east-1",
}

// servers finds the store of a script. Its address is the key.
type servers struct{ _ byte }

func (s *servers) of(ts *testscript.TestScript) *s3test.Server {
	return ts.Value(s).(*s3test.Server)
}

// keys counts the keys that match: keys NUMBER REGEXP.
func (s *servers) keys(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: keys NUMBER REGEXP")
	}
	pattern, err := regexp.Compile(args[1])
	ts.Check(err)
	all := s.of(ts).Keys()
	n := 0
	for _, key := range all {
		if pattern.MatchString(key) {
			n++
		}
	}
	if strconv.Itoa(n) != args[0] {
		ts.Fatalf("%d keys match %s, want %s, of\n%s", n, args[1], args[0], strings.Join(all, "\n"))
	}
}

// uploads wants so many open uploads: uploads NUMBER.
func (s *servers) uploads(ts *testscript.TestScript, neg bool, args []string) {
	if open := s.of(ts).Uploads(); neg || len(args) != 1 || strconv.Itoa(len(open)) != args[0] {
		ts.Fatalf("open uploads: %q, want %q", open, args)
	}
}

// later sets the store's clock forward: later DURATION.
func (s *servers) later(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: later DURATION")
	}
	d, err := time.ParseDuration(args[0])
	ts.Check(err)
	s.of(ts).Advance(d)
}

// refuse makes the store refuse something from now on: "classes", operations that
// begin with a word, such as "Delete", or with "! refuse" nothing. "answers" are those
// to requests that clean up: they never come. "silence" is refused by a store that
// says something after the answer to a listing, once.
func (s *servers) refuse(ts *testscript.TestScript, neg bool, args []string) {
	s.of(ts).Set(func(q *s3test.Quirks) {
		q.NoClasses, q.Deny, q.Fault = false, nil, nil
		switch {
		case neg:
		case args[0] == "classes":
			q.NoClasses = true
		case args[0] == "silence":
			var once sync.Once
			q.Fault = func(op, _ string) (f s3test.Fault) {
				if op == "ListObjectsV2" {
					once.Do(func() { f = s3test.Babble })
				}
				return f
			}
		case args[0] == "answers":
			q.Fault = func(op, _ string) s3test.Fault {
				if strings.HasPrefix(op, "Abort") || strings.HasPrefix(op, "Delete") {
					return s3test.Stall
				}
				return s3test.None
			}
		default:
			q.Deny = func(op, _ string) bool { return strings.HasPrefix(op, args[0]) }
		}
	})
}
