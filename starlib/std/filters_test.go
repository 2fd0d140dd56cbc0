package std_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"palhm/runtime/plan"
)

// sample is data that compresses somewhat, with every byte in it.
func sample(size int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, size)
	for i := range b {
		if b[i] = byte(r.Uint32()); i%3 == 0 {
			b[i] = 'x'
		}
	}
	return b
}

// A filter's inverse gives back what went in, whatever arguments the filter had,
// and refuses what was cut: the last byte missing, a half, and nothing at all.
func testFilter(t *testing.T, p *place, filter, undo plan.Pipeline) {
	t.Helper()
	for _, size := range []int{0, 1, 3_000_000} {
		data := sample(size)
		stored := p.run(filter, data)
		equal(t, fmt.Sprintf("%d bytes there and back", size), p.run(undo, stored), data)
		if size < 1000 {
			continue
		}
		for _, cut := range []int{0, len(stored) / 2, len(stored) - 1} {
			p.fails(undo, stored[:cut], `.`)
		}
	}
}

func TestCompression(t *testing.T) {
	for _, expr := range []string{
		`zstd`, `zstd("-T0")`, `zstd("-1", "--long=31")`, `zstd("--ultra", "-20", "--no-check")`, `zstd("--fast=3", "--rsyncable", "-T2")`,
		`xz`, `xz("-0", "-T0")`, `xz("--format=lzma", "-1")`, `xz("-1", "--check=sha256")`,
		`gzip`, `gzip("-9")`,
		`pigz`, `pigz("-p", "2", "-1")`, `pigz("--zlib")`,
		`zstd | gzip`,
	} {
		t.Run(expr, func(t *testing.T) {
			filter := library(t, expr)
			for _, x := range filter {
				needs(t, x.Argv[0])
			}
			testFilter(t, newPlace(t), filter, inverse(t, filter))
		})
	}
}

func TestEqualInputGivesEqualOutput(t *testing.T) {
	for _, expr := range []string{"zstd", "xz", "gzip", "pigz"} {
		t.Run(expr, func(t *testing.T) {
			needs(t, expr)
			p, filter := newPlace(t), library(t, expr)
			first := p.run(filter, sample(1000))
			// gzip stores a file's time, in seconds, when it is not told otherwise.
			p.sh("sleep 1.1")
			equal(t, "a second run", p.run(filter, sample(1000)), first)
		})
	}
}

func TestOpenSSL(t *testing.T) {
	needs(t, "openssl")
	p := newPlace(t)
	password := p.write("password", "correct horse\n")
	filter := library(t, fmt.Sprintf(`openssl_encrypt(password = secret(file = %q))`, password))
	for _, x := range append(inverse(t, filter), filter...) {
		if strings.Contains(strings.Join(x.Argv, " "), "correct") || strings.Contains(strings.Join(x.Argv, " "), password) {
			t.Errorf("the password's place is in the arguments: %q", x.Argv)
		}
	}
	testFilter(t, p, filter, inverse(t, filter))

	stored := p.run(filter, sample(1000))
	if bytes.Equal(stored, p.run(filter, sample(1000))) {
		t.Error("got the same output twice, want a new salt each time")
	}
	p.write("password", "wrong\n")
	p.fails(inverse(t, filter), stored, "bad decrypt")
	p.write("password", "")
	p.fails(filter, sample(1000), "the password is empty")
}

func TestAge(t *testing.T) {
	needs(t, "age", "age-keygen")
	p := newPlace(t)
	p.sh("age-keygen -o key 2>/dev/null; age-keygen -y key >recipients; age-keygen -o other 2>/dev/null")
	recipient := strings.TrimSpace(p.sh("cat recipients"))
	for _, expr := range []string{
		fmt.Sprintf("age_encrypt(recipient = %q, identity = %q)", recipient, p.path("key")),
		fmt.Sprintf("age_encrypt(recipients_file = %q, identity = %q)", p.path("recipients"), p.path("key")),
		fmt.Sprintf("age_encrypt(recipient = [%q])", recipient),
	} {
		filter := library(t, expr)
		testFilter(t, p.with("AGE_IDENTITY", p.path("key")), filter, inverse(t, filter))
	}

	filter := library(t, fmt.Sprintf("age_encrypt(recipient = %q)", recipient))
	stored := p.run(filter, sample(1000))
	p.fails(inverse(t, filter), stored, "AGE_IDENTITY: has to name the file with the secret key")
	p.with("AGE_IDENTITY", p.path("other")).fails(inverse(t, filter), stored, "no identity matched")
	p.fails(library(t, `age_encrypt(recipient = "nobody")`), sample(10), "unknown recipient type")
}

func TestGPG(t *testing.T) {
	needs(t, "gpg", "gpgconf")
	owner, host := newPlace(t), newPlace(t)
	t.Cleanup(func() { owner.sh("gpgconf --kill all"); host.sh("gpgconf --kill all") })
	owner.sh("gpg --batch --quiet --passphrase '' --quick-gen-key 'Backup <backup@example.org>' rsa2048 encr never")
	public := owner.sh("gpg --batch --armor --export backup@example.org")
	host.write("key.asc", public)
	host.sh("gpg --batch --quiet --import key.asc")
	stranger := newPlace(t)
	stranger.write("key.asc", public)
	t.Cleanup(func() { stranger.sh("gpgconf --kill all") })

	for expr, sender := range map[string]*place{
		`gpg_encrypt(recipient = "backup@example.org")`:  host,
		`gpg_encrypt(recipient = ["Backup"])("--armor")`: host,
		`gpg_encrypt(recipient_file = "key.asc")`:        stranger,
	} {
		t.Run(expr, func(t *testing.T) {
			filter := library(t, expr)
			undo := inverse(t, filter)
			for _, size := range []int{0, 1, 3_000_000} {
				data := sample(size)
				stored := sender.run(filter, data)
				equal(t, fmt.Sprintf("%d bytes there and back", size), owner.run(undo, stored), data)
				owner.fails(undo, stored[:len(stored)/2], "gpg")
				if size > 1000 {
					host.fails(undo, stored, "(?i)no secret key")
				}
			}
			owner.fails(undo, nil, "gpg")
		})
	}
	t.Run("damage is noticed", func(t *testing.T) {
		filter := library(t, `gpg_encrypt(recipient = "backup@example.org")`)
		stored := host.run(filter, sample(100_000))
		stored[50_000] ^= 1
		owner.fails(inverse(t, filter), stored, "gpg")
	})
	t.Run("keyring of its own", func(t *testing.T) {
		anywhere := newPlace(t)
		filter := library(t, fmt.Sprintf(`gpg_encrypt(recipient = "backup@example.org")(env = {"GNUPGHOME": %q})`, owner.path(".gnupg")))
		equal(t, "there and back", anywhere.run(inverse(t, filter), anywhere.run(filter, sample(1000))), sample(1000))
	})
	t.Run("unknown recipient", func(t *testing.T) {
		host.fails(library(t, `gpg_encrypt(recipient = "someone@example.org")`), sample(10), "someone@example.org: .*No public key")
	})
}

func TestEncryptionNeedsSomebodyToReadIt(t *testing.T) {
	for _, expr := range []string{`gpg_encrypt()`, `gpg_encrypt(recipient = [])`, `age_encrypt()`, `age_encrypt(recipient = "")`, `openssl_encrypt(password = "")`, `openssl_encrypt("hunter2")`,
		`openssl_encrypt(secret(env = "P"), cipher = "a")`, `openssl_encrypt(secret(env = "P"), cipher = "none")`,
		`gpg_encrypt(recipient = ["A", ""])`, `age_encrypt(recipient = "age1", recipients_file = "")`} {
		if _, err := tryLibrary(t, expr); err == nil || !strings.Contains(err.Error(), "want ") {
			t.Errorf("%s: got the error %v, want one that says what is wanted", expr, err)
		}
	}
}

func TestGrepAny(t *testing.T) {
	p, any := newPlace(t), library(t, "grep_any")
	for _, in := range []string{"a", "\n", "\x00", "\\", "%s\n", "a\x00b\nno newline at the end", "\xff\xfe", string(sample(1_000_000))} {
		equal(t, fmt.Sprintf("%.10q", in), p.run(any, []byte(in)), []byte(in))
	}
	p.fails(any, nil, "the input is empty")

	// Upstream is never cut off: head would fail otherwise.
	out := p.run(append(plan.Pipeline{{Argv: []string{"head", "-c", "3000000", "/dev/zero"}}}, any...), nil)
	equal(t, "zeros", out, make([]byte, 3_000_000))
}
