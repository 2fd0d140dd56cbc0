package std_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

const notesSQL = `
PRAGMA journal_mode = wal;
PRAGMA user_version = 42;
PRAGMA application_id = 7;
CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL, data BLOB, n REAL);
WITH RECURSIVE i(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < 20000)
  INSERT INTO note SELECT i, 'naïve ☃ ''quoted'' ' || char(10) || i, CAST(i AS BLOB), i / 7.0 FROM i;
CREATE TABLE "a b" (k TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE INDEX by_body ON note (body);
CREATE VIEW late AS SELECT * FROM note WHERE id > 19990;
CREATE TRIGGER t AFTER INSERT ON note BEGIN INSERT INTO "a b" VALUES (NEW.body); END;
CREATE VIRTUAL TABLE words USING fts5(body);
INSERT INTO words VALUES ('hello world'), ('something else');
`

const notesQuestions = `
PRAGMA integrity_check; PRAGMA user_version; PRAGMA application_id;
SELECT count(*), sum(n), min(body), max(hex(data)) FROM note;
SELECT count(*) FROM late; SELECT * FROM words WHERE words MATCH 'hello';
SELECT type, name, sql FROM sqlite_schema ORDER BY 1, 2;
`

func TestSQLite(t *testing.T) {
	needs(t, "sqlite3")
	from := newPlace(t)
	ask := func(p *place) []byte {
		return p.run(library(t, fmt.Sprintf(`exec("sqlite3", "notes.db", %q)`, notesQuestions)), nil)
	}
	from.sh("cat >make.sql <<'END'\n" + notesSQL + "END\nsqlite3 -bail notes.db <make.sql")
	dump := library(t, fmt.Sprintf(`sqlite_dump(%q)`, from.path("notes.db")))
	sql := from.run(dump, nil)
	load := inverse(t, dump)

	t.Run("there and back", func(t *testing.T) {
		to := newPlace(t)
		to.run(load, sql)
		equal(t, "answers", ask(to), ask(from))
		to.fails(load, sql, "already exists")
	})
	t.Run("a cut dump is refused", func(t *testing.T) {
		statement := bytes.Index(sql[len(sql)/2:], []byte(";\nINSERT")) + len(sql)/2 + 2
		for _, cut := range []int{len(sql) / 2, statement, len(sql) - len("COMMIT;\n")} {
			newPlace(t).fails(load, sql[:cut], ".")
		}
	})
	t.Run("while others write", func(t *testing.T) {
		writer := exec.Command("sqlite3", "-batch", from.path("notes.db"))
		in, err := writer.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := writer.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := writer.Start(); err != nil {
			t.Fatal(err)
		}
		defer writer.Wait()
		defer in.Close()
		fmt.Fprintln(in, "BEGIN IMMEDIATE; DELETE FROM note; SELECT 'deleted';")
		if _, err := out.Read(make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		equal(t, "dump during another's transaction", from.run(dump, nil), sql)
		fmt.Fprintln(in, "ROLLBACK;")
	})
	t.Run("failures", func(t *testing.T) {
		from.fails(library(t, `sqlite_dump("missing.db") | zstd`), nil, "unable to open database")
		if _, err := os.Stat(from.path("missing.db")); err == nil {
			t.Error("dumping a database that is not there made it")
		}
		from.write("text.db", "this is not a database, whatever its name says\n")
		from.fails(library(t, `sqlite_dump("text.db") | zstd`), nil, "not a database")
		from.sh("sqlite3 notes.db 'PRAGMA journal_mode = delete'; cp notes.db damaged.db; dd if=/dev/urandom of=damaged.db bs=4096 seek=50 count=20 conv=notrunc 2>/dev/null")
		from.fails(library(t, `sqlite_dump("damaged.db") | zstd`), nil, "the database is damaged")
		from.sh("sqlite3 ./-odd.db 'CREATE TABLE t (i)'")
		from.run(library(t, `sqlite_dump("-odd.db")`), nil)
	})
}
