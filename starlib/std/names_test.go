package std_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"palhm/backends/all"
	"palhm/runtime/engine"
	"palhm/starlib"
)

// horribleNames are names of databases that mean something else to a program, a shell
// or a file system. Both servers take them.
var horribleNames = []string{
	"my shop", " \x01\ttab\x7f", "cr\rreturn", "x\n\\! touch pwned\n.shell touch pwned\ny", "née ☃\u0085", "e\u0301", "é",
	"-l", "--help", "%s%2F*{db}", "../../etc/passwd", "..", ".palhm", "$(touch pwned);`", `it's "\n"`, "plain", "dbname=plain",
	"host=127.0.0.1 port=1", "postgresql://127.0.0.1:1/x", "|", "Plain", strings.Repeat("x", 63),
}

// databaseNames makes a copy with a dump of each database and returns the dumps by
// the names of the databases.
func databaseNames(t *testing.T, site string) map[string]string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "site.star")
	site += fmt.Sprintf("\nbackup(\"b\", backend = localfs(%q), groups = [group(\"g\", objects_now)])\n", filepath.Join(dir, "root"))
	if err := os.WriteFile(file, []byte(site), 0o644); err != nil {
		t.Fatal(err)
	}
	loaded, err := starlib.Load(t.Context(), starlib.Config{Dir: dir, LookupEnv: os.LookupEnv}, file)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	e := &engine.Engine{Open: new(all.Opener).Open, Log: slog.New(slog.NewTextHandler(io.Writer(&log), nil)), Host: "web1", Environ: os.Environ(), Workers: 2}
	report, err := e.Run(t.Context(), loaded, loaded.Task("b"))
	if err != nil {
		t.Fatal(err)
	}
	dumps := make(map[string]string)
	copied := filepath.Join(dir, "root", report.Copies[0].Prefix)
	entries, err := os.ReadDir(filepath.Join(copied, "db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		name, err := url.PathUnescape(strings.TrimSuffix(entry.Name(), ".dump"))
		if err != nil {
			t.Errorf("%q: %v", entry.Name(), err)
		}
		text, err := os.ReadFile(filepath.Join(copied, "db", entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		dumps[name] = string(text)
	}
	dumps[""] = log.String()
	return dumps
}

// isOf compares the dumps with the names of the databases. In each database there is
// a marker.
func isOf(t *testing.T, dumps map[string]string, names []string) {
	t.Helper()
	for i, name := range names {
		dump, there := dumps[name]
		if !there {
			t.Errorf("%q was not dumped", name)
		} else if !strings.Contains(dump, marker(i)) {
			t.Errorf("the dump of %q is of another database", name)
		}
		delete(dumps, name)
	}
	for name := range dumps {
		if name != "" {
			t.Errorf("%q was dumped, which is no database that was made", name)
		}
	}
}

func marker(i int) string { return fmt.Sprintf("this is number %d.", i) }

func TestPostgreSQLDatabasesOfAnyName(t *testing.T) {
	c := newCluster(t)
	names := append([]string{"n\xe9e"}, horribleNames...) // as a database of another encoding names it
	var sql strings.Builder
	sql.WriteString("SET client_encoding = SQL_ASCII;\nCREATE DATABASE ascii ENCODING SQL_ASCII TEMPLATE template0;\n")
	quote := func(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
	for i, name := range names {
		if i == 0 {
			sql.WriteString("\\connect ascii\nSET client_encoding = SQL_ASCII;\n")
		}
		fmt.Fprintf(&sql, "CREATE DATABASE %s;\nCOMMENT ON DATABASE %[1]s IS '%s';\n", quote(name), marker(i))
		if i == 0 {
			sql.WriteString("\\connect postgres\nDROP DATABASE ascii;\n")
		}
	}
	sql.WriteString("CREATE DATABASE closed ALLOW_CONNECTIONS false;\nCREATE DATABASE model IS_TEMPLATE true;\nCOMMENT ON DATABASE model IS '" +
		marker(len(names)) + "';\n" + "COMMENT ON DATABASE postgres IS '" + marker(len(names)+1) + "';\n")
	c.write("names.sql", sql.String())
	c.admin().sh("psql -Xq -v ON_ERROR_STOP=1 -f names.sql postgres")

	dumps := databaseNames(t, fmt.Sprintf(`
load("@palhm//core.star", "file_name", "pg_databases", "pg_dump", "pg_dump_custom")

server = %s

def objects_now(ctx):
    # pg_dump refuses names with line breaks in its plain format.
    return [
        object("db/%%s.dump" %% file_name(db), (pg_dump_custom if "\n" in db or "\r" in db else pg_dump)(db, env = server))
        for db in pg_databases(ctx, env = server)
    ]
`, c.env))
	if !strings.Contains(dumps[""], `no connection is accepted by, and no dump made of: \"closed\"`) {
		t.Errorf("got the log\n%s\nwant a warning of the database that is not dumped", dumps[""])
	}
	isOf(t, dumps, append(names, "model", "postgres"))

	for _, name := range []string{"dbname=plain", horribleNames[3], `it's "\n"`} {
		fn := "pg_dump"
		if strings.Contains(name, "\n") {
			fn = "pg_dump_custom"
		}
		dump := library(t, fmt.Sprintf("%s(%q, env = %s)", fn, name, c.env))
		text := c.run(dump, nil)
		c.write("drop.sql", "DROP DATABASE "+quote(name)+";")
		c.admin().sh("psql -Xq -v ON_ERROR_STOP=1 -f drop.sql postgres")
		c.run(inverse(t, dump), text)
		if got := string(c.run(dump, nil)); !strings.Contains(got, marker(slices.Index(names, name))) {
			t.Errorf("%q was not loaded", name)
		}
	}
	c.fails(library(t, fmt.Sprintf(`pg_dump("cr\rreturn", env = %s)`, c.env)), nil, "database name contains a newline")
	if _, err := tryLibrary(t, `pg_dump("")`); err == nil || !strings.Contains(err.Error(), "want the name of a database") {
		t.Errorf("got %v, want a refusal of the empty name, which libpq would take for the user's", err)
	}

	// A role's name is no part of the command that makes it, either.
	const role = `x$q$; CREATE ROLE intruder SUPERUSER; DO $q$BEGIN NULL;`
	c.write("role.sql", `CREATE ROLE "`+role+`";`)
	c.admin().sh("psql -Xq -v ON_ERROR_STOP=1 -f role.sql postgres")
	roles := library(t, fmt.Sprintf(`pg_dumpall("--globals-only", env = %s)`, c.env))
	globals := c.run(roles, nil)
	c.write("role.sql", `DROP ROLE "`+role+`";`)
	c.admin().sh("psql -Xq -v ON_ERROR_STOP=1 -f role.sql postgres")
	c.run(inverse(t, roles), globals)
	got := c.admin().sh(`psql -XAtc "SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1" postgres`)
	if want := "admin\n" + role + "\n"; got != want {
		t.Errorf("got the roles %q, want %q", got, want)
	}
}

func TestMariaDBDatabasesOfAnyName(t *testing.T) {
	p, _ := newMariaDB(t)
	names := append([]string{`#mysql50 x`}, horribleNames...)
	var sql strings.Builder
	quote := func(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }
	for i, name := range names {
		fmt.Fprintf(&sql, "CREATE DATABASE %s;\nCREATE TABLE %[1]s.t SELECT '%s' AS is_;\n", quote(name), marker(i))
	}
	fmt.Fprintf(&sql, "CREATE TABLE mysql.t SELECT '%s' AS is_;\n", marker(len(names)))
	p.write("names.sql", sql.String())
	p.sh("mariadb --default-character-set=utf8mb4 --binary-mode <names.sql; mkdir data/lost+found")
	server := fmt.Sprintf(`{"HOME": %q}`, p.dir)
	dumps := databaseNames(t, fmt.Sprintf(`
load("@palhm//core.star", "file_name", "mariadb_databases", "mysqldump")

server = %s

def objects_now(ctx):
    return [
        object("db/%%s.dump" %% file_name(db), mysqldump("--databases", "--", db, env = server))
        for db in mariadb_databases(ctx, env = server)
    ]
`, server))
	isOf(t, dumps, append(names, "mysql"))

	t.Run("there and back", func(t *testing.T) {
		for i, name := range names {
			if !slices.Contains([]string{"--help", horribleNames[3], "$(touch pwned);`"}, name) {
				continue
			}
			dump := library(t, fmt.Sprintf(`mysqldump("--databases", "--", %q, env = %s)`, name, server))
			sql := p.run(dump, nil)
			p.write("drop.sql", "DROP DATABASE "+quote(name)+";")
			p.sh("mariadb --binary-mode <drop.sql")
			p.run(inverse(t, dump), sql)
			p.write("ask.sql", "SELECT * FROM "+quote(name)+".t;")
			if got := p.sh("mariadb --binary-mode --skip-column-names <ask.sql"); got != marker(i)+"\n" {
				t.Errorf("got %q in %q, want %q", got, name, marker(i))
			}
		}
	})
	t.Run("a dump runs no program", func(t *testing.T) {
		p.fails(inverse(t, library(t, `mysqldump("--all-databases")`)), []byte("SELECT 1;\n\\! touch pwned\n"), "Unknown command")
		if _, err := os.Stat(p.path("pwned")); err == nil {
			t.Error("loading a dump ran a program")
		}
	})
	t.Run("line ends of routines", func(t *testing.T) {
		p.write("routine.sql", "CREATE DATABASE crlf;\nUSE crlf;\nDELIMITER //\nCREATE PROCEDURE p() BEGIN\r\nSELECT 1;\r\nEND//\n")
		p.sh("mariadb --binary-mode <routine.sql")
		dump := library(t, `mysqldump("--databases", "crlf")`)
		sql := p.run(dump, nil)
		p.sh("mariadb --execute='DROP DATABASE crlf'")
		p.run(inverse(t, dump), sql)
		equal(t, "the dump of what was loaded", dated(p.run(dump, nil)), dated(sql))
	})
}

// dated takes the time out of a dump of MariaDB.
func dated(dump []byte) []byte {
	text, _, _ := strings.Cut(string(dump), "-- Dump completed")
	return []byte(text)
}
