package std_test

import (
	"fmt"
	"os"
	"testing"
)

func startRedis(p *place, more ...string) (stop func()) {
	p.t.Helper()
	argv := []string{"redis-server", "--port", "0", "--unixsocket", p.path("socket"), "--dir", p.dir, "--save", "",
		"--requirepass", "geheim", "--enable-debug-command", "yes"}
	return p.serve("test PONG = \"$(REDISCLI_AUTH=geheim redis-cli -s socket ping)\"", append(argv, more...)...)
}

func TestRedis(t *testing.T) {
	needs(t, "redis-server", "redis-cli", "redis-check-rdb")
	// With diskless transfer the server marks the end of the stream, without it
	// announces the length.
	for _, diskless := range []string{"yes", "no"} {
		t.Run("diskless "+diskless, func(t *testing.T) {
			from := newPlace(t)
			stop := startRedis(from, "--repl-diskless-sync", diskless, "--repl-diskless-sync-delay", "0")
			cli := func(p *place, command string) string {
				return p.with("REDISCLI_AUTH", "geheim").sh("redis-cli -s socket " + command)
			}
			cli(from, "debug populate 20000 key 300")
			cli(from, "set snow ☃")
			cli(from, "-n 3 rpush list a b c")
			password := from.write("password", "geheim\n")
			dump := library(t, fmt.Sprintf(`redis_rdb("-s", %q, env = {"REDISCLI_AUTH": secret(file = %q)})`, from.path("socket"), password))
			rdb := from.run(dump, nil)
			want := cli(from, "debug digest")

			to := newPlace(t)
			for _, cut := range []int{0, 100, len(rdb) / 2, len(rdb) - 45} {
				to.fails(inverse(t, dump), rdb[:cut], "dump.rdb.new")
			}
			if left := to.sh("ls"); left != "" {
				t.Errorf("after refused dumps got the files %q, want none", left)
			}
			to.run(inverse(t, dump), rdb)
			startRedis(to)
			equal(t, "digest", []byte(cli(to, "debug digest")), []byte(want))
			equal(t, "a list in another database", []byte(cli(to, "-n 3 lrange list 0 -1")), []byte("a\nb\nc\n"))

			if err := os.WriteFile(password, []byte("wrong\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			from.fails(append(dump, library(t, "zstd")...), nil, "WRONGPASS")
			stop()
			from.fails(append(dump, library(t, "zstd")...), nil, "Could not connect to Redis")
		})
	}
}
