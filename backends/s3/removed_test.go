package s3_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"palhm/backends"
	"palhm/backends/s3"
	"palhm/backends/s3/s3test"
)

// lives are the ways in which a copy ends, as what is done before and what is looked at.
var lives = map[string]struct {
	before func(t *testing.T, srv *s3test.Server, s *s3.Store) backends.Copy
	ends   func(t *testing.T, s *s3.Store, c backends.Copy) error
}{
	"killed": {
		func(t *testing.T, srv *s3test.Server, s *s3.Store) backends.Copy {
			c := begin(t, s, copy2)
			put(t, c, "a", "x")
			put(t, c, "b", "x")
			s3.Drop(c)
			return nil
		},
		func(t *testing.T, s *s3.Store, _ backends.Copy) error { return s.Recover(t.Context()) },
	},
	"aborted": {
		func(t *testing.T, srv *s3test.Server, s *s3.Store) backends.Copy {
			c := begin(t, s, copy2)
			put(t, c, "a", "x")
			put(t, c, "b", "x")
			return c
		},
		func(t *testing.T, s *s3.Store, c backends.Copy) error { return c.Abort(t.Context()) },
	},
	"removed": {
		func(t *testing.T, srv *s3test.Server, s *s3.Store) backends.Copy { makeCopy(t, s, copy2); return nil },
		func(t *testing.T, s *s3.Store, _ backends.Copy) error { return s.Remove(t.Context(), copy2) },
	},
	"late": {
		func(t *testing.T, srv *s3test.Server, s *s3.Store) backends.Copy {
			if err := begin(t, s, copy2).Abort(t.Context()); err != nil {
				t.Fatal(err)
			}
			srv.Put(strings.Replace(objectKey, copy1, copy2, 1), "late")
			srv.Advance(2 * time.Hour)
			return nil
		},
		func(t *testing.T, s *s3.Store, _ backends.Copy) error { return s.Recover(t.Context()) },
	},
}

// TestOneListingLies: whichever listing of a clean-up says that nothing is there, what it
// leaves is no copy of the Python program, and goes later.
func TestOneListingLies(t *testing.T) {
	for name, life := range lives {
		t.Run(name, func(t *testing.T) {
			for lie, asked, most := 1, 0, 1; lie <= most; lie++ {
				srv := s3test.New(t, s3test.Quirks{})
				o := small(t, srv)
				s := open(t, o)
				s.SetHost("a", "boot", 1<<30) // no process has this id
				c := life.before(t, srv, s)
				makeCopy(t, s, copy1)
				next := open(t, o)
				next.SetHost("a", "boot", 1<<30+1)
				asked = 0
				srv.Set(func(q *s3test.Quirks) {
					q.Fault = func(op, _ string) s3test.Fault {
						if op != "ListObjectsV2" {
							return s3test.None
						}
						if asked++; asked == lie {
							return s3test.EmptyList
						}
						return s3test.None
					}
				})
				err := life.ends(t, next, c)
				most = max(most, asked)
				srv.Set(func(q *s3test.Quirks) { q.Fault = nil })
				infos, listErr := next.List(t.Context())
				if listErr != nil {
					t.Fatal(listErr)
				}
				kept := false // a removal that has found nothing
				for _, i := range infos {
					kept = kept || i.Prefix == copy2
					if i.Foreign {
						t.Errorf("after listing %d of %d: %s is taken for a copy of the Python program (%v)", lie, asked, i.Prefix, err)
					}
				}
				if !kept {
					wantGone(t, srv, next, copy2)
				}
				wantCopies(t, next, append([]string{copy1}, map[bool][]string{true: {copy2}}[kept]...)...)
			}
		})
	}
}

// world is a root of two hosts, in a store whose listings lag by up to nine minutes, and
// by another time for each key.
type world struct {
	t       *testing.T
	rand    *rand.Rand
	srv     *s3test.Server
	options map[string]s3.Options // by host
	pid     int
	calm    atomic.Bool // listings do not lag

	at        time.Time // of the next copy
	committed map[string]bool
	over      map[string]time.Time // when a copy was given up, by the store's clock
	now       time.Time
	did       []string
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, rand: rand.New(rand.NewPCG(seed, 0)), at: time.Date(2022, 5, 1, 0, 0, 0, 0, time.UTC), committed: map[string]bool{}, over: map[string]time.Time{}}
	lags := rand.New(rand.NewPCG(seed, 1)) // the server asks under its lock
	kind := w.rand.IntN(3)
	w.srv = s3test.New(t, s3test.Quirks{Page: 4, IgnoreConditions: seed%4 == 0, Lag: func(key string) time.Duration {
		own := strings.Contains(key, "/.palhm/")
		if w.calm.Load() || kind == 1 && own || kind == 2 && !own {
			return 0
		}
		return time.Duration(lags.IntN(10)) * time.Minute
	}})
	w.options = map[string]s3.Options{"a": small(t, w.srv), "b": small(t, w.srv)}
	w.srv.Put("web1/daily/2021-01-01T00:00:00+00:00/python", "x")
	return w
}

// open is a store of the next process of a host.
func (w *world) open(host string) *s3.Store {
	w.pid++
	s := open(w.t, w.options[host])
	s.SetHost(host, "boot-"+host, 1<<30+w.pid) // no process has this id
	return s
}

func (w *world) log(format string, args ...any) { w.did = append(w.did, fmt.Sprintf(format, args...)) }

func (w *world) pass(d time.Duration) {
	w.srv.Advance(d)
	w.now = w.now.Add(d)
}

// run makes a copy and ends it in some way.
func (w *world) run(host string) {
	s := w.open(host)
	w.at = w.at.Add(time.Second)
	prefix := backends.FormatPrefix(w.at, "iso")
	end := []string{"commit", "commit", "abort", "killed"}[w.rand.IntN(4)]
	w.log("%s: %s %s", host, end, prefix)
	w.calm.Store(end == "commit") // which waits for a listing
	defer w.calm.Store(false)
	c := begin(w.t, s, prefix)
	var objects []backends.ObjectRecord
	for i := range 1 + w.rand.IntN(6) {
		objects = append(objects, put(w.t, c, string('a'+rune(i)), "x"))
		w.pass(time.Duration(w.rand.IntN(4)) * time.Minute)
	}
	switch end {
	case "commit":
		if err := backends.Commit(w.t.Context(), c, manifest(prefix, objects...)); err != nil {
			w.t.Fatal(err)
		}
		w.committed[prefix] = true
		return
	case "abort":
		if err := c.Abort(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
	s3.Drop(c)
	w.over[prefix] = w.now
}

// remove removes the oldest copy that is listed.
func (w *world) remove(host string) {
	s := w.open(host)
	infos, err := s.List(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, i := range infos {
		if !i.Foreign {
			w.log("%s: remove %s", host, i.Prefix)
			if err := s.Remove(w.t.Context(), i.Prefix); err != nil {
				w.t.Fatal(err)
			}
			delete(w.committed, i.Prefix)
			w.over[i.Prefix] = w.now
			return
		}
	}
}

// late lets an object appear in a copy that was given up less than an hour ago.
func (w *world) late() {
	for prefix, since := range w.over {
		if w.now.Sub(since) < 45*time.Minute && w.rand.IntN(2) == 0 {
			w.log("late in %s", prefix)
			w.srv.Put("web1/daily/"+prefix+"/late", "x")
		}
	}
}

// look checks what is listed.
func (w *world) look(host string) {
	infos, err := w.open(host).List(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, i := range infos {
		if i.Foreign && !strings.HasPrefix(i.Prefix, "2021") {
			w.t.Fatalf("%s is taken for a copy of the Python program, after\n%s", i.Prefix, strings.Join(w.did, "\n"))
		}
	}
	for prefix := range w.committed {
		for _, path := range []string{"/a", "/.palhm/manifest.json", "/.palhm/open.json"} {
			if _, there := w.srv.Get("web1/daily/" + prefix + path); !there {
				w.t.Fatalf("%s%s is gone, after\n%s", prefix, path, strings.Join(w.did, "\n"))
			}
		}
	}
}

// TestListingsThatLag by minutes, in random lives of a root: what palhm has written is
// never taken for a copy of the Python program, no committed copy is touched, and in the
// end nothing is left of the others.
func TestListingsThatLag(t *testing.T) {
	seeds := uint64(8)
	if n, err := strconv.ParseUint(os.Getenv("PALHM_TEST_KILLS"), 10, 32); err == nil && n > 100 { // scripts/test --full
		seeds = n / 4
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(t, seed)
			for range 25 {
				host := []string{"a", "b"}[w.rand.IntN(2)]
				switch w.rand.IntN(6) {
				case 0, 1:
					w.run(host)
				case 2:
					w.remove(host)
				case 3:
					w.late()
				default:
					w.log("%s: recover", host)
					if err := w.open(host).Recover(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				w.pass(time.Duration(w.rand.IntN(8)) * time.Minute)
				if w.rand.IntN(5) == 0 {
					w.pass(time.Hour)
				}
				w.look(host)
			}
			w.calm.Store(true)
			want := []string{"2021-01-01T00:00:00+00:00"}
			for prefix := range w.committed {
				want = append(want, prefix)
			}
			slices.Sort(want)
			s := w.open("a")
			wantGone(t, w.srv, s, slices.Collect(maps.Keys(w.over))...)
			wantCopies(t, s, want...)
		})
	}
}

// TestTakenLongAgo: a run sleeps in its commit until others have removed its copy, or have
// even forgotten that they did. What it has stored since is no copy, and goes.
func TestTakenLongAgo(t *testing.T) {
	for _, hours := range []int{2, 3} {
		srv := s3test.New(t, s3test.Quirks{})
		a, b := host(t, srv, "a", 1), host(t, srv, "b", 1)
		c := begin(t, a, copy1)
		m := manifest(copy1, put(t, c, "a", "x"))
		before(srv, "PutObject", "web1/daily/"+copy1+"/.palhm/SHA256SUMS", func() {
			for range hours {
				recoverLater(t, srv, b)
			}
		})
		if err := backends.Commit(t.Context(), c, m); err == nil {
			t.Error("commit of a copy that is gone: got no error")
		}
		put(t, c, "late", "x") // as one that was under way
		if err := c.Abort(t.Context()); err != nil {
			t.Error(err)
		}
		wantCopies(t, b)
		if _, there := srv.Get(openKey); !there {
			t.Errorf("%d hours: nothing says that what is left is garbage: %q", hours, srv.Keys())
		}
		wantGone(t, srv, b, copy1)
	}
}

// TestOneName that two runs have taken in the same second, on a store without conditions:
// one of them commits, and has lost nothing to the other, which stops. Neither deletes or
// replaces anything of the other's unnoticed.
func TestOneName(t *testing.T) {
	for name, stops := range map[string]func(t *testing.T, loser backends.Copy, m *backends.Manifest){
		"aborts": func(t *testing.T, loser backends.Copy, _ *backends.Manifest) {
			if err := loser.Abort(t.Context()); err != nil {
				t.Error(err)
			}
		},
		"commits": func(t *testing.T, loser backends.Copy, m *backends.Manifest) {
			if err := backends.Commit(t.Context(), loser, m); err == nil || !strings.Contains(err.Error(), "another host") {
				t.Errorf("commit: got %v", err)
			}
			if err := loser.Abort(t.Context()); err != nil {
				t.Error(err)
			}
		},
		"fails in an object": func(t *testing.T, loser backends.Copy, _ *backends.Manifest) {
			if _, err := backends.Put(t.Context(), loser, "big", stream(2*part, errors.New("exit code 1")), 0); err == nil {
				t.Error("put: got no error")
			}
			if err := loser.Abort(t.Context()); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv := s3test.New(t, s3test.Quirks{IgnoreConditions: true})
			a, b := host(t, srv, "a", 1), host(t, srv, "b", 1)
			var loser backends.Copy
			before(srv, "PutObject", openKey, func() { loser = begin(t, a, copy1) }) // both have found the name free
			winner := begin(t, b, copy1)
			other := put(t, loser, "other", "x")
			m := manifest(copy1, put(t, winner, "a", "winner"))
			big, err := backends.Put(t.Context(), winner, "big", stream(2*part, nil), 0)
			if err != nil {
				t.Fatal(err)
			}
			m.Objects = append(m.Objects, record("big", big))
			stops(t, loser, manifest(copy1, other))
			if err := backends.Commit(t.Context(), winner, m); err != nil {
				t.Error(err)
			}
			wantCopies(t, b, copy1)
			for _, p := range []string{"/a", "/big"} {
				if _, there := srv.Get("web1/daily/" + copy1 + p); !there {
					t.Errorf("%s was removed", p)
				}
			}
		})
	}
}

// TestReplaced: an object of the same length in the place of what was stored is found
// before the commit, on a store that gives ETags; a store whose listings give others than
// its answers is not misjudged.
func TestReplaced(t *testing.T) {
	for _, size := range []int64{6, 2 * part} {
		for _, odd := range []bool{false, true} {
			srv := s3test.New(t, s3test.Quirks{IgnoreConditions: true, OddETags: odd})
			c := begin(t, open(t, small(t, srv)), copy1)
			st, err := backends.Put(t.Context(), c, "a", stream(size, nil), 0)
			if err != nil {
				t.Fatal(err)
			}
			if !odd {
				srv.Put(objectKey, strings.Repeat("x", int(size)))
			}
			err = backends.Commit(t.Context(), c, manifest(copy1, record("a", st)))
			if (err == nil) != odd || err != nil && !strings.Contains(err.Error(), "replaced") {
				t.Errorf("%d bytes, odd ETags %t: got %v", size, odd, err)
			}
		}
	}
}

// TestCarriedBack: a copy that another program carries to the name of one that was just
// removed is a copy, and stays.
func TestCarriedBack(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	s := open(t, small(t, srv))
	makeCopy(t, s, copy1)
	object, _ := srv.Get(objectKey)
	text, _ := srv.Get(manifestKey)
	if err := s.Remove(t.Context(), copy1); err != nil {
		t.Fatal(err)
	}
	wantCopies(t, s)
	srv.Put(objectKey, object)
	srv.Put(manifestKey, text)
	for range 3 {
		recoverLater(t, srv, s)
	}
	infos, err := s.List(t.Context())
	if err != nil || len(infos) != 1 || infos[0].Damage != nil || infos[0].Foreign {
		t.Errorf("got %+v, %v, want the copy", infos, err)
	}
	if err := s.Remove(t.Context(), copy1); err != nil {
		t.Error(err)
	}
	wantCopies(t, s)
	wantGone(t, srv, s, copy1)
}

// TestForeignThatMayNotBeAskedFor: where these credentials may not ask whether palhm has
// made a copy, it is one of the Python program only when no listing can lag so far behind.
func TestForeignThatMayNotBeAskedFor(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{Deny: func(op, _ string) bool { return op == "HeadObject" }})
	s := open(t, small(t, srv))
	srv.Put("web1/daily/"+copy1+"/python", "x")
	wantCopies(t, s)
	srv.Advance(61 * time.Minute)
	wantCopies(t, s, copy1)
}

// TestOneWriteASecond of a key is all that some stores allow: a run writes its open.json
// once when it begins, and at most once more when it ends.
func TestOneWriteASecond(t *testing.T) {
	for name, ends := range map[string]func(c backends.Copy, m *backends.Manifest) error{
		"commit": func(c backends.Copy, m *backends.Manifest) error { return backends.Commit(t.Context(), c, m) },
		"abort":  func(c backends.Copy, _ *backends.Manifest) error { return c.Abort(t.Context()) },
	} {
		srv := s3test.New(t, s3test.Quirks{})
		writes := map[string]int{}
		srv.Set(func(q *s3test.Quirks) {
			q.Fault = func(op, key string) s3test.Fault {
				if op == "PutObject" || op == "CompleteMultipartUpload" {
					writes[key]++
				}
				return s3test.None
			}
		})
		c := begin(t, open(t, small(t, srv)), copy1)
		m := manifest(copy1, put(t, c, "a", "x"))
		if writes[openKey] != 1 {
			t.Errorf("%s: got %d writes of open.json in a row, want 1", name, writes[openKey])
		}
		if err := ends(c, m); err != nil {
			t.Error(err)
		}
		for key, n := range writes {
			if n > 1 && key != openKey || n > 2 {
				t.Errorf("%s: %s was written %d times", name, key, n)
			}
		}
	}
}

// TestUploadThatWasBegunTwice: something between palhm and the store has sent a request
// twice, and the store lists an upload only to a client that asks for its key.
func TestUploadThatWasBegunTwice(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{ExactUploads: true})
	s := open(t, small(t, srv))
	c := begin(t, s, copy1)
	before(srv, "CreateMultipartUpload", objectKey, func() { srv.Begin(objectKey) })
	st, err := backends.Put(t.Context(), c, "a", stream(2*part, nil), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := backends.Commit(t.Context(), c, manifest(copy1, record("a", st))); err != nil {
		t.Fatal(err)
	}
	if left := srv.Uploads(); len(left) > 0 {
		t.Errorf("open uploads: %q", left)
	}
}

// TestRequestsOfANight: what a run with one object costs in a root of three copies, of
// which it removes the oldest.
func TestRequestsOfANight(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{})
	o := small(t, srv)
	at := time.Date(2022, 5, 1, 3, 0, 0, 0, time.UTC)
	for night := range 6 {
		s := open(t, o)
		s.SetHost("a", "boot", 1<<30+night) // no process has this id
		srv.ResetCounts()
		if err := s.Recover(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := s.List(t.Context()); err != nil {
			t.Error(err)
		}
		makeCopy(t, s, backends.FormatPrefix(at, "iso"))
		infos, err := s.List(t.Context())
		if err != nil {
			t.Error(err)
		}
		if len(infos) > 3 {
			if err := s.Remove(t.Context(), infos[0].Prefix); err != nil {
				t.Error(err)
			}
		}
		t.Logf("night %d: %d requests, of them %d listings, %d of an object, %d that write and %d that delete", night, srv.Count(""),
			srv.Count("ListObjectsV2")+srv.Count("ListMultipartUploads"), srv.Count("GetObject")+srv.Count("HeadObject"), srv.Count("PutObject"), srv.Count("DeleteObject")+srv.Count("DeleteObjects"))
		srv.Advance(24 * time.Hour)
		at = at.Add(24 * time.Hour)
	}
	if n := srv.Count(""); n > 40 { // two of them for the mark of the last night's
		t.Errorf("got %d requests, want at most 40", n)
	}
}

// TestOnlySaysThatItDeletes: a store that keeps what it says it has deleted is found out by
// a later run.
func TestOnlySaysThatItDeletes(t *testing.T) {
	srv := s3test.New(t, s3test.Quirks{KeepDeleted: true})
	s := open(t, small(t, srv))
	srv.Put(objectKey, "of the Python program")
	if err := s.Remove(t.Context(), copy1); err != nil {
		t.Error(err)
	}
	wantCopies(t, s)
	srv.Advance(61 * time.Minute)
	if err := s.Recover(t.Context()); err == nil || !strings.Contains(err.Error(), "has it still") {
		t.Errorf("recover: got %v", err)
	}
}
