package starlib_test

import (
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"palhm/starlib"
)

func FuzzSize(f *testing.F) {
	for _, s := range []string{"1.5TiB", "-inf", "1e400", "0.1B", "8M", " 7 ", "1e-50EiB", "9007199254740997.9", "+", "e", ".", "1e", "NaN"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := starlib.ParseSize(s)
		if err != nil || got == "Infinity" {
			return
		}
		if n, ok := new(big.Int).SetString(got, 10); !ok || n.BitLen() > 1000 {
			t.Fatalf("ParseSize(%q) = %s", s, got)
		}
		if again, err := starlib.ParseSize(got); err != nil || again != got {
			t.Fatalf("ParseSize(%q) = %s, which reads back as %s, %v", s, got, again, err)
		}
	})
}

func FuzzDuration(f *testing.F) {
	for _, s := range []string{"90s", "1h30m", "7d", "1.5h", "0s", "9999999999w", "1..5h", "-1s", "h", "1 h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := starlib.ParseDuration(s); err == nil && d <= 0 {
			t.Fatalf("ParseDuration(%q) = %v", s, d)
		}
	})
}

var looping = regexp.MustCompile(`for|range|\*|<<|repeat|glob`)

// Whatever a site has in it, it is loaded or refused with an error that names it.
func FuzzLoad(f *testing.F) {
	chunks, err := filepath.Glob("../testdata/star/*.star")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range chunks {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for chunk := range strings.SplitSeq(string(text), "\n---\n") {
			f.Add(chunk)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		if looping.MatchString(text) {
			return // may take long or read the host, which is allowed
		}
		_, err := loadText(t, text)
		if err == nil {
			return
		}
		var list starlib.Errors
		if !errors.As(err, &list) || len(list) == 0 {
			t.Fatalf("got %T %v, want Errors", err, err)
		}
		for _, e := range list {
			if e.Msg == "" || e.Pos.File == "" || strings.Contains(e.Msg, "internal error") {
				t.Fatalf("got %#v", e)
			}
		}
	})
}

// Whatever stands in a function that is not run, a check looks at it and lives.
func FuzzLint(f *testing.F) {
	chunks, err := filepath.Glob("../testdata/star/lint*.star")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range chunks {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for chunk := range strings.SplitSeq(string(text), "\n---\n") {
			f.Add(chunk)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		write(t, dir, map[string]string{"site.star": "def step(ctx):\n    " + strings.ReplaceAll(text, "\n", "\n    ") + "\nroutine(\"r\", step)\n"})
		_, found, err := starlib.Check(t.Context(), testConfig(dir), "site.star")
		if err != nil {
			if strings.Contains(err.Error(), "internal error") {
				t.Fatal(err)
			}
			return
		}
		for _, w := range found.Warnings {
			if w.Msg == "" || w.Pos.Line < 1 {
				t.Fatalf("got %#v", w)
			}
		}
	})
}

func TestNearest(t *testing.T) {
	names := []string{"backup", "exec", "nb_copy_limit", "nb_workers", "timeout"}
	for x, want := range map[string]string{
		"bakcup": "backup", "Backup": "backup", "nb-copy-limit": "nb_copy_limit", "nbWorkers": "nb_workers", "tiemout": "timeout",
		"time": "", "zstd": "", "x": "", "": "",
	} {
		if got := starlib.Nearest(x, names); got != want {
			t.Errorf("nearest to %q: got %q, want %q", x, got, want)
		}
	}
}
