package std_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"testing"
)

// cluster is a PostgreSQL server of its own, with the role admin and its password.
type cluster struct {
	*place
	socket string // directory
	env    string // as a Starlark dict
	stop   func()
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	needs(t, "psql", "pg_dump", "pg_dumpall", "pg_restore")
	bin := postgresPrograms(t)
	p := newPlace(t)
	p.write("password", "geheim\n")
	p.sh(fmt.Sprintf("%s/initdb --username=admin --pwfile=password --auth=scram-sha-256 --encoding=UTF8 --locale=C --no-sync -D data", bin))
	c := &cluster{socket: p.dir}
	c.env = fmt.Sprintf(`{"PGHOST": %q, "PGUSER": "admin", "PGPASSWORD": secret(file = %q)}`, p.dir, p.path("password"))
	c.place = p // where the server is is said by the dumps, and holds for what loads them
	c.stop = c.admin().serve("psql -Xqc 'SELECT 1' postgres", filepath.Join(bin, "postgres"), "-D", "data", "-k", p.dir, "-h", "", "-F")
	return c
}

// postgresPrograms finds the server's programs, which Debian keeps out of PATH.
func postgresPrograms(t *testing.T) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return filepath.Dir(needs(t, "initdb"))
	}
	return filepath.Dir(found[len(found)-1])
}

// admin is the place for psql, as the role that may do everything.
func (c *cluster) admin() *place {
	return c.place.with("PGHOST", c.dir).with("PGUSER", "admin").with("PGPASSWORD", "geheim")
}

const shopSQL = `
CREATE ROLE "shop owner" LOGIN PASSWORD 'x';
CREATE ROLE reader;
CREATE DATABASE shop OWNER "shop owner";
ALTER DATABASE shop SET work_mem = '7MB';
GRANT CONNECT ON DATABASE shop TO reader;
CREATE DATABASE "an other";
\connect shop
CREATE TABLE item (id serial PRIMARY KEY, name text NOT NULL, data bytea, at timestamptz, tags text[], doc jsonb);
INSERT INTO item (name, data, at, tags, doc)
  SELECT 'naïve ☃ 🐘 ' || chr(9) || E'\\ \n' || i, decode(md5(i::text), 'hex'), '2022-05-01 06:59:17+00'::timestamptz + i * interval '1 s',
         ARRAY['a', NULL, i::text], jsonb_build_object('i', i) FROM generate_series(1, 20000) i;
ALTER TABLE item OWNER TO "shop owner";
GRANT SELECT ON item TO reader;
CREATE FUNCTION total() RETURNS bigint LANGUAGE sql AS 'SELECT sum(id) FROM item';
CREATE VIEW late AS SELECT * FROM item WHERE id > 19990;
SELECT lo_from_bytea(4711, '\x00ff00ff');
\connect "an other"
CREATE TABLE t AS SELECT 1 AS one;
`

// What an administrator would look at: rows, a function, a view, a large object, a
// sequence, privileges and the database's settings.
const shopQuestions = `
SELECT count(*), md5(string_agg(i::text, '|' ORDER BY id)), total() FROM item i;
SELECT count(*) FROM late;
SELECT lo_get(4711), last_value FROM item_id_seq;
SELECT has_table_privilege('reader', 'item', 'SELECT'), tableowner FROM pg_tables WHERE tablename = 'item';
SELECT setconfig FROM pg_db_role_setting;
SELECT datacl FROM pg_database WHERE datname = 'shop';
`

func (c *cluster) fill() {
	c.t.Helper()
	c.write("shop.sql", shopSQL)
	c.admin().sh("psql -Xq -v ON_ERROR_STOP=1 -f shop.sql postgres")
}

// ask returns the answers to shopQuestions.
func (c *cluster) ask() []byte {
	c.t.Helper()
	c.write("questions.sql", shopQuestions)
	return []byte(c.admin().sh("psql -XAt -v ON_ERROR_STOP=1 -f questions.sql shop"))
}

func TestPostgreSQL(t *testing.T) {
	from := newCluster(t)
	from.fill()
	want := from.ask()

	t.Run("pg_dumpall into a new cluster", func(t *testing.T) {
		to := newCluster(t)
		dump := from.run(library(t, fmt.Sprintf("pg_dumpall(env = %s)", from.env)), nil)
		load := inverse(t, library(t, fmt.Sprintf("pg_dumpall(env = %s)", to.env)))
		to.run(load, dump)
		equal(t, "answers", to.ask(), want)
		equal(t, "dump of what was loaded", comparable(to.run(library(t, fmt.Sprintf("pg_dumpall(env = %s)", to.env)), nil)), comparable(dump))
		to.fails(load, dump, "already exists")
	})

	for _, fn := range []string{"pg_dump", "pg_dump_custom"} {
		t.Run(fn, func(t *testing.T) {
			to := newCluster(t)
			roles := `pg_dumpall("--globals-only", env = %s)`
			globals := from.run(library(t, fmt.Sprintf(roles, from.env)), nil)
			to.run(inverse(t, library(t, fmt.Sprintf(roles, to.env))), globals)

			dump := from.run(library(t, fmt.Sprintf(`%s("shop", env = %s)`, fn, from.env)), nil)
			load := inverse(t, library(t, fmt.Sprintf(`%s("shop", env = %s)`, fn, to.env)))
			to.run(load, dump)
			equal(t, "answers", to.ask(), want)

			// A second load says so and changes nothing: what somebody has dropped since stays dropped.
			to.admin().sh("psql -Xqc 'DROP VIEW late' shop")
			to.fails(load, dump, `database "shop" already exists`)
			if got := to.admin().sh("psql -XAtc \"SELECT count(*) FROM pg_views WHERE viewname = 'late'\" shop"); got != "0\n" {
				t.Errorf("after a second load got %s views named late, want 0", got)
			}
			if fn == "pg_dump_custom" {
				to.admin().sh("dropdb shop")
				to.fails(load, dump[:len(dump)/2], "pg_restore: error")
			}
		})
	}

	t.Run("failures", func(t *testing.T) {
		for _, expr := range []string{`pg_dump("shop", env = %s)`, `pg_dump_custom("shop", env = %s)`, `pg_dumpall(env = %s)`} {
			from.write("wrong", "wrong\n")
			wrong := regexp.MustCompile(`password"`).ReplaceAllString(from.env, `wrong"`)
			from.fails(library(t, fmt.Sprintf(expr, wrong)+" | zstd"), nil, "password authentication failed")
		}
		from.fails(library(t, fmt.Sprintf(`pg_dump("nothing", env = %s)`, from.env)), nil, `database "nothing" does not exist`)
		from.stop()
		for _, expr := range []string{`pg_dump("shop", env = %s)`, `pg_dump_custom("shop", env = %s)`, `pg_dumpall(env = %s)`} {
			from.fails(library(t, fmt.Sprintf(expr, from.env)+" | zstd"), nil, "No such file or directory")
		}
	})
}

// comparable takes out of a dump what differs each time.
func comparable(dump []byte) []byte {
	return regexp.MustCompile(`(?m)^\\(un)?restrict .*$|PASSWORD '.*'`).ReplaceAll(dump, nil)
}

// The inverse finds the server that the dump came from, as the same user.
func TestPostgreSQLInverseIsRunInTheSamePlace(t *testing.T) {
	for _, fn := range []string{"pg_dump", "pg_dump_custom"} {
		dump := library(t, fn+`("shop", "--no-comments", user = "postgres", env = {"PGPORT": "5433"}, timeout = "1h")`)[0]
		for what, x := range map[string][]string{"dump": {dump.User}, "inverse": {dump.Inverse.User}} {
			if x[0] != "postgres" {
				t.Errorf("%s: %s runs as %q, want postgres", fn, what, x[0])
			}
		}
		if len(dump.Inverse.Env) != 1 || dump.Inverse.Env[0].Name != "PGPORT" {
			t.Errorf("%s: the inverse has the variables %v, want PGPORT", fn, dump.Inverse.Env)
		}
		own := library(t, fn+`("shop", inverse = exec("cat"))`)[0]
		if own.Inverse.Argv[0] != "cat" {
			t.Errorf("%s: the site's own inverse is %q, want cat", fn, own.Inverse.Argv)
		}
	}
}
