package all_test

import (
	"testing"

	"palhm/backends"
	"palhm/backends/all"
	"palhm/runtime/plan"
)

func TestOpen(t *testing.T) {
	root := t.TempDir() + "/not/yet"
	s, err := all.Open(plan.Backend{Kind: "localfs", LocalFS: &plan.LocalFS{Root: root, DirMode: 0o700, FileMode: 0o600, BlockSize: 4096}})
	if err != nil || s.Root() != root {
		t.Errorf("localfs: got %v, %v", s, err)
	}
	if _, ok := s.(backends.Locker); !ok {
		t.Error("localfs has no lock")
	}
	s, err = all.Open(plan.Backend{Kind: "null"})
	if err != nil || s == nil {
		t.Errorf("null: got %v, %v", s, err)
	}
	for _, b := range []plan.Backend{{}, {Kind: "tape"}, {Kind: "localfs"}, {Kind: "localfs", LocalFS: &plan.LocalFS{}}} {
		if s, err := all.Open(b); err == nil || s != nil {
			t.Errorf("%+v: got %v, %v, want an error and no store", b, s, err)
		}
	}
}

// TestRequireMountIsPassedOn: the one option whose loss nobody would see.
func TestRequireMountIsPassedOn(t *testing.T) {
	b := plan.Backend{Kind: "localfs", LocalFS: &plan.LocalFS{Root: "/palhm-test-no-such-mount", RequireMount: true}}
	s, err := all.Open(b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.List(t.Context()); err == nil {
		t.Error("list on the root file system: got no error")
	}
}
