package all

import (
	"reflect"
	"testing"

	"palhm/backends"
	"palhm/backends/s3"
	"palhm/runtime/plan"
)

// TestEverySettingOfABucketIsPassedOn: a lock or an encryption that gets lost on the
// way is seen by nobody.
func TestEverySettingOfABucketIsPassedOn(t *testing.T) {
	p := new(plan.S3)
	fields := reflect.ValueOf(p).Elem()
	for i := range fields.NumField() {
		set(t, fields.Field(i))
	}
	o := reflect.ValueOf(s3Options(p))
	for i := range fields.NumField() {
		name := fields.Type().Field(i).Name
		if got := o.FieldByName(name); !got.IsValid() || !reflect.DeepEqual(got.Interface(), fields.Field(i).Interface()) {
			t.Errorf("%s is not passed on", name)
		}
	}
}

// set gives a field a value that is not its zero.
func set(t *testing.T, f reflect.Value) {
	switch f.Kind() {
	case reflect.String:
		f.SetString("x")
	case reflect.Int, reflect.Int64:
		f.SetInt(7)
	case reflect.Pointer:
		f.Set(reflect.New(f.Type().Elem()))
	case reflect.Map:
		f.Set(reflect.ValueOf(map[string]string{"a": "b"}))
	default:
		t.Fatalf("the test cannot set a %s", f.Type())
	}
}

// TestStoresShare: without that, each task has the memory of all, and takes the copy
// that another task is making for garbage.
func TestStoresShare(t *testing.T) {
	opener := new(Opener)
	a, b := opener.shared(s3.Options{}), opener.shared(s3.Options{})
	if a.Memory == nil || a.Memory != b.Memory || a.Runs == nil || a.Runs != b.Runs {
		t.Errorf("got %+v and %+v", a, b)
	}
}

func TestOpenBucket(t *testing.T) {
	opener := new(Opener)
	s, err := opener.Open(plan.Backend{Kind: "aws_s3", S3: &plan.S3{Bucket: "bucket", Root: "web1"}})
	if err != nil || s.Root() != "s3://bucket/web1" {
		t.Fatalf("got %v, %v", s, err)
	}
	if _, ok := s.(backends.Finisher); !ok {
		t.Error("aws_s3 finishes nothing")
	}
	for _, b := range []plan.Backend{{Kind: "aws_s3"}, {Kind: "aws_s3", S3: new(plan.S3)}} {
		if s, err := opener.Open(b); err == nil || s != nil {
			t.Errorf("%+v: got %v, %v, want an error and no store", b, s, err)
		}
	}
}
