package engine

import (
	"bytes"
	"testing"

	"palhm/runtime/plan"
)

// The end of a long output is kept in bounded memory, whatever it comes in.
func TestCaptureTail(t *testing.T) {
	for _, size := range []int{1, 1000, 32 << 10, plan.MaxCapture + 1} {
		c := &capture{mode: plan.CaptureTail}
		written := 0
		for i := 0; written < 5*plan.MaxCapture && i < 1<<20; i++ {
			n, err := c.Write(bytes.Repeat([]byte{byte(i)}, size))
			if n != size || err != nil {
				t.Fatalf("got %d, %v", n, err)
			}
			written += n
			if cap(c.buf) > 4*plan.MaxCapture {
				t.Fatalf("writes of %d: holds %d bytes", size, cap(c.buf))
			}
		}
		want := min(written, plan.MaxCapture)
		if got := c.bytes(); len(got) != want || size > 1 && got[len(got)-1] != got[len(got)-2] {
			t.Errorf("writes of %d: got %d bytes, want %d", size, len(got), want)
		}
	}
}

// Up to the bound all is kept; the write that goes beyond it fails.
func TestCaptureAll(t *testing.T) {
	c := new(capture)
	if _, err := c.Write(make([]byte, plan.MaxCapture)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Write([]byte("x")); n != 0 || err != plan.ErrCapture {
		t.Errorf("got %d, %v", n, err)
	}
	if len(c.bytes()) != plan.MaxCapture {
		t.Errorf("got %d bytes", len(c.bytes()))
	}
}
