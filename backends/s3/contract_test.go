package s3_test

import (
	"testing"

	"palhm/backends"
	"palhm/backends/backendtest"
	"palhm/backends/s3"
	"palhm/backends/s3/s3test"
)

// TestContract on stores with each of the ways in which they are known to differ.
func TestContract(t *testing.T) {
	for name, q := range map[string]s3test.Quirks{
		"AWS":           {},
		"SmallPages":    {Page: 3},
		"NoChecksums":   {NoChecksums: true},
		"NoConditions":  {IgnoreConditions: true},
		"Refuses501":    {RefuseConditions: true, NoMultiDelete: true},
		"RefusesMarker": {RefuseUploadMarkers: true, Page: 2},
		"Versioned":     {Versioned: true},
		"PlainKeys":     {IgnoreEncoding: true},
		"LaxEncoding":   {LaxEncoding: true, Page: 3},
	} {
		t.Run(name, func(t *testing.T) { contract(t, q) })
	}
}

func contract(t *testing.T, q s3test.Quirks) {
	type opened struct {
		srv *s3test.Server
		opt s3.Options
	}
	stores := map[backends.Store]opened{}
	backendtest.Run(t, backendtest.Config{
		Objects: 200,
		New: func(t testing.TB) backends.Store {
			srv := s3test.New(t, q)
			o := options(t, srv)
			s := open(t, o)
			s.SetHost("a", "boot", 1<<30) // no process has this id
			stores[s] = opened{srv, o}
			return s
		},
		Reopen: func(t testing.TB, s backends.Store) backends.Store {
			again := open(t, stores[s].opt)
			again.SetHost("a", "boot", 1<<30+1)
			stores[again] = stores[s]
			return again
		},
		Plant: func(t testing.TB, s backends.Store, path, content string) {
			stores[s].srv.Put("web1/daily/"+path, content)
		},
		Peek: func(t testing.TB, s backends.Store, path string) (string, bool) {
			return stores[s].srv.Get("web1/daily/" + path)
		},
	})
}
