package main

import (
	"strings"
	"testing"
)

// What is written to a file is not kept. What is only read, or is a stage's stdout under
// another name, is no reason for a warning.
func TestOutputFile(t *testing.T) {
	for argv, want := range map[string]string{
		"tar -cf /x/y.tar /etc":                    "/x/y.tar",
		"tar -czf y.tar.gz etc":                    "y.tar.gz",
		"tar cf y.tar etc":                         "y.tar",
		"/usr/bin/tar -C / --create --file=y etc":  "y",
		"tar -c --file y etc":                      "y",
		"tar -cf - /etc":                           "",
		"tar --create --file=- -C / etc":           "",
		"tar -cf /dev/stdout /etc":                 "",
		"tar -xOf y.tar member":                    "",
		"tar -c etc -- -f x":                       "",
		"tar -c -C / etc":                          "",
		"pg_dump -f /x shop":                       "/x",
		"pg_dump -f/x shop":                        "/x",
		"pg_dump --file=/x shop":                   "/x",
		"pg_dump -f - shop":                        "",
		"pg_dump --format=custom shop":             "",
		"mysqldump --result-file=/x --databases w": "/x",
		"mariadb-dump -r x w":                      "x",
		"gpg --batch -o out.gpg -r me -e":          "out.gpg",
		"gpg --batch --output=- -r me -e":          "",
		"age -o x -r age1":                         "x",
		"openssl enc -out x":                       "x",
		"zstd -q -o x.zst":                         "x.zst",
		"zstd -f -q -c":                            "",
		"sort -o /dev/stdout":                      "",
		"redis-cli --rdb /x.rdb":                   "/x.rdb",
		"redis-cli --rdb -":                        "",
		"slapcat -f slapd.conf -o ldif-wrap=no":    "",
		"slapcat -l x.ldif":                        "x.ldif",
		"lsblk --output=NAME,SIZE -o NAME":         "",
		"journalctl --output=json":                 "",
		"mydump --output=/srv/x":                   "/srv/x",
		"mydump --result-file /srv/x":              "/srv/x",
		"grep -f /etc/patterns -o /x":              "",
		"awk -f prog":                              "",
		"sudo -u postgres pg_dump -f /x shop":      "/x",
		"env -i A=b ionice -c 3 tar -cf /x /etc":   "/x",
		"ionice -c 3 tar -cf - /etc":               "",
		"docker save -o x.tar image":               "x.tar",
		"docker exec db pg_dump -f /x":             "/x",
		"docker exec -i db pg_dump shop":           "",
	} {
		if got := outputFile(strings.Fields(argv)); got != want {
			t.Errorf("%s: got %q, want %q", argv, got, want)
		}
	}
}

func TestOutputFileOfAScript(t *testing.T) {
	for script, want := range map[string]string{
		"pg_dump shop > /srv/x":         "/srv/x",
		"pg_dump shop >x":               "x",
		"pg_dump shop>x":                "x",
		"pg_dump shop 1>>x 2>/dev/null": "x",
		"pg_dump shop | gzip >| x.gz":   "x.gz",
		"pg_dump shop &>x":              "x",
		"set -e\ncd /srv; umask 077\npg_dump shop > \"x.sql\"\n":    "x.sql",
		"f=x; pg_dump shop > $f && sync":                            "$f",
		"pg_dump shop > /srv/$(date +%F).sql":                       "/srv/_.sql",
		"pg_dump -f /x shop":                                        "/x",
		"pg_dump shop":                                              "",
		"pg_dump shop 2>errors":                                     "",
		"pg_dump shop 2>&1":                                         "",
		"pg_dump shop > /dev/stdout":                                "",
		"pg_dump shop > x; cat x":                                   "",
		"pg_dump shop > x; exec cat x":                              "",
		"pg_dump shop > x && cat x":                                 "",
		"pg_dump shop > x || echo failed >&2":                       "x",
		"pg_dump shop | tee x":                                      "",
		"test -s x || exit 1; sort < x":                             "",
		"echo 'a > b'":                                              "",
		`echo "a > b" \> c`:                                         "",
		"{ date; pg_dump shop; } > x":                               "",
		"exec 3>&1; status=$(gpg --status-fd=3 3>&1 >&4)":           "",
		"cat <<END\n> x\nEND":                                       "",
		"cat x # > y":                                               "",
		"pg_dump shop 3>x >&3":                                      "",
		": \"${P:?the password is empty}\"; exec \"$@\"":            "",
		"find / -newer x > /dev/null; cat y":                        "",
		"for d in a b; do pg_dump $d > $d.sql; done; tar -c *.sql":  "",
		"mkdir -p /srv/x && cp -a /etc /srv/x":                      "",
		"awk '$1 > 5' x":                                            "",
		"f=/etc/os-release; [ -e \"$f\" ] || f=/x; exec cat \"$f\"": "",
	} {
		if got := outputFileOfScript(script); got != want {
			t.Errorf("%s: got %q, want %q", script, got, want)
		}
	}
	if got := outputFile([]string{"bash", "-euo", "pipefail", "-c", "pg_dump shop >x"}); got != "x" {
		t.Errorf("got %q, want x", got)
	}
}
