package starlib

import (
	"strings"

	"go.starlark.net/starlark"
)

// testBuiltins is every method of t, in the order of the reference. For the reference
// alone r may be nil.
func testBuiltins(r *tester) []*builtin {
	return []*builtin{
		testSimulate(r), testExit(), testKilled(), testSite(r),
		testRan(r), testNotRan(r), testOrder(r), testOK(r), testFails(r), testEq(r), testTrue(r),
		testRotation(r), testSize(),
	}
}

// testValue is what a test gets to act with, or to look at.
type testValue struct {
	name  string
	attrs starlark.StringDict
}

var _ starlark.HasAttrs = (*testValue)(nil)

func (v *testValue) String() string        { return v.name }
func (v *testValue) Type() string          { return v.name }
func (v *testValue) Freeze()               {}
func (v *testValue) Truth() starlark.Bool  { return true }
func (v *testValue) Hash() (uint32, error) { return unhashable(v) }

// Attr gives a method or a value.
func (v *testValue) Attr(name string) (starlark.Value, error) { return v.attrs[name], nil }

// AttrNames lists the methods and values.
func (v *testValue) AttrNames() []string { return v.attrs.Keys() }

// value makes the t of a test.
func (r *tester) value() *testValue {
	t := &testValue{"t", starlark.StringDict{}}
	for _, b := range testBuiltins(r) {
		t.attrs[strings.TrimPrefix(b.Name, "t.")] = b.bind(r.l)
	}
	return t
}
