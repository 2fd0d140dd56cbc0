package s3_test

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"palhm/backends"
	"palhm/backends/s3"
	"palhm/backends/s3/s3test"
)

// oddNames are what other programs may put into a bucket. XML 1.0 has no way to write
// the first ones.
var oddNames = []string{"\x01", "\x1b[2J", "a\nb", "a\rb", "\ufffe", "a b+c%41&<:>", "100%", "%zz", "é"}

// oddLife puts foreign keys everywhere in a root, makes copies beside them, and removes
// what is palhm's.
func oddLife(t *testing.T, s *s3.Store, plant func(key string)) {
	for _, name := range oddNames {
		plant(name)
		plant("0" + name + "/x") // first of all keys
		plant("1999/" + name)
		plant(copy1 + name + "/x") // no copy
	}
	if err := s.Recover(t.Context()); err != nil {
		t.Fatalf("recover: %v", err)
	}
	makeCopy(t, s, copy1)
	makeCopy(t, s, copy2)
	for _, name := range oddNames {
		plant(copy1 + "/" + name)
		plant(copy1 + "/.palhm/" + name)
	}
	wantCopies(t, s, copy1, copy2)
	if err := s.Remove(t.Context(), copy1); err != nil {
		t.Errorf("remove: %v", err)
	}
	wantCopies(t, s, copy2)
}

// TestOddKeys break neither a listing nor a removal nor recovery, and an upload of such
// a key in a dead run's copy is aborted.
func TestOddKeys(t *testing.T) {
	for name, q := range map[string]s3test.Quirks{"AWS": {}, "small pages": {Page: 2}, "lax": {LaxEncoding: true}} {
		t.Run(name, func(t *testing.T) {
			srv := s3test.New(t, q)
			s := open(t, small(t, srv))
			var foreign []string
			oddLife(t, s, func(key string) {
				key = "web1/daily/" + key
				srv.Put(key, "x")
				foreign = append(foreign, key)
			})
			wantGone(t, srv, s, copy1+"/")
			foreign = slices.DeleteFunc(foreign, func(key string) bool { return strings.HasPrefix(key, "web1/daily/"+copy1+"/") })
			left := slices.DeleteFunc(srv.Keys(), func(key string) bool { return strings.HasPrefix(key, "web1/daily/"+copy2+"/") })
			slices.Sort(foreign)
			if !slices.Equal(left, foreign) {
				t.Errorf("left %q, want %q", left, foreign)
			}
			var others []string
			for _, name := range oddNames {
				srv.Begin("web1/daily/" + copy2 + "/" + name)
				srv.Begin("web1/daily/" + name)
				others = append(others, "web1/daily/"+name)
			}
			if err := s.Recover(t.Context()); err != nil {
				t.Error(err)
			}
			slices.Sort(others)
			if got := srv.Uploads(); !slices.Equal(got, others) {
				t.Errorf("open uploads %q, want %q", got, others)
			}
		})
	}
}

// TestServersOddKeys: MinIO encodes keys. versitygw does not, and what it cannot write
// in XML it cannot name: there such a key may keep a removal from its end, and breaks
// nothing else.
func TestServersOddKeys(t *testing.T) {
	onServers(t, func(t *testing.T, srv *server) {
		s := open(t, srv.options(t, "odd"))
		c := srv.client(t)
		planted := 0
		oddLife(t, s, func(key string) {
			if srv.name == "versitygw" && strings.Contains(key, copy1+"/") && !plain(key) {
				return
			}
			_, err := c.PutObject(t.Context(), &awss3.PutObjectInput{Bucket: aws.String("bucket"), Key: aws.String("odd/" + key), Body: strings.NewReader("x")})
			if err == nil {
				planted++
			} else {
				t.Logf("%s does not take %q: %v", srv.name, key, err)
			}
		})
		if planted < 3*len(oddNames) {
			t.Errorf("only %d keys were taken", planted)
		}
		settle(t, s)
		for _, key := range srv.left(t, "odd/"+copy1+"/") {
			t.Errorf("%q is left", key)
		}
	})
}

func plain(key string) bool {
	return !strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r == '\ufffe' })
}

// TestOddPaths: objects of every name that a site may give are stored, moved to another
// class in one request and in parts, read and removed.
func TestOddPaths(t *testing.T) {
	for name, q := range map[string]s3test.Quirks{"AWS": {}, "lax": {LaxEncoding: true}, "not encoded": {IgnoreEncoding: true}} {
		t.Run(name, func(t *testing.T) {
			srv := s3test.New(t, q)
			o := small(t, srv)
			o.RotClass = "GLACIER_IR"
			o.Tags = map[string]string{"a+b": "c d&e=f"}
			s := open(t, o)
			s.SetLargestCopy(2)
			c := begin(t, s, copy1)
			srv.Set(func(q *s3test.Quirks) { q.MinPart = 1 }) // as those of a copy
			paths := []string{"a+b", "a b", "a%2Bb", "a%20b", "%", "a&b=c?d#e", "é/ü+", "~!*'()", "$@:,;", "<&>\"", "a++ b+"}
			m := manifest(copy1)
			for _, path := range paths {
				m.Objects = append(m.Objects, put(t, c, path, "xyz"))
			}
			if err := backends.Commit(t.Context(), c, m); err != nil {
				t.Fatal(err)
			}
			if err := s.Finish(t.Context(), copy1); err != nil {
				t.Error(err)
			}
			for _, path := range paths {
				if at := srv.Attributes("web1/daily/" + copy1 + "/" + path); at.Class != "GLACIER_IR" || at.Tags != "a%2Bb=c%20d%26e%3Df" {
					t.Errorf("%s: got class %q and tags %q", path, at.Class, at.Tags)
				}
				r, err := s.Open(t.Context(), copy1, path)
				if err != nil {
					t.Errorf("%s: %v", path, err)
					continue
				}
				if got, err := io.ReadAll(r); string(got) != "xyz" || err != nil {
					t.Errorf("%s: got %q, %v", path, got, err)
				}
				r.Close()
			}
			if err := s.Remove(t.Context(), copy1); err != nil {
				t.Error(err)
			}
			wantNothing(t, srv, copy1)
		})
	}
}
