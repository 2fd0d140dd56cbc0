package std_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"palhm/runtime/plan"
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

// What is in a database is data, also when it looks like a command of sqlite3.
func TestSQLiteDumpRunsNoProgram(t *testing.T) {
	needs(t, "sqlite3")
	p := newPlace(t)
	p.write("names.sql", `CREATE TABLE "x
.shell touch pwned
" ("
.shell touch pwned
");
INSERT INTO "x
.shell touch pwned
" VALUES ('
.shell touch pwned
');
`)
	p.sh("sqlite3 odd.db <names.sql")
	dump := library(t, `sqlite_dump("odd.db")`)
	sql := p.run(dump, nil)
	p.sh("mv odd.db old.db")
	p.run(inverse(t, dump), sql)
	equal(t, "a dump of what was loaded", p.run(dump, nil), sql)

	// Whoever can write a database's file can give it a table whose text is more than one statement.
	p.write("forge.sql", `CREATE TABLE t (a);
PRAGMA writable_schema = on;
UPDATE sqlite_schema SET sql = 'CREATE TABLE t (a);
.shell touch pwned
';
`)
	p.sh("sqlite3 forged.db <forge.sql")
	forged := library(t, `sqlite_dump("forged.db")`)
	sql = p.run(forged, nil)
	p.sh("mv forged.db old.db")
	if strings.Contains(p.sh("sqlite3 -safe -version 2>&1 || true"), "unknown option") {
		t.Skip("needs sqlite3 3.37, which has a safe mode")
	}
	p.fails(inverse(t, forged), sql, "cannot run .shell in safe mode")
	if left := p.sh("ls"); strings.Contains(left, "pwned") {
		t.Error("loading a dump ran a program")
	}
}

// A database in WAL mode is read by means of files beside it, which cannot be made in a
// read-only directory.
func TestSQLiteInAReadOnlyDirectory(t *testing.T) {
	needs(t, "sqlite3")
	const odd = "a?b%20#c&d\n.db"
	p := newPlace(t)
	p.sh(`mkdir live idle left whole
sqlite3 live/n.db "PRAGMA journal_mode = wal; CREATE TABLE note (body); INSERT INTO note VALUES ('first')" >/dev/null
cp live/n.db idle/n.db
cp live/n.db 'idle/` + odd + `'
sqlite3 live/n.db "INSERT INTO note VALUES ('second')" ".shell cp live/n.db live/n.db-wal left" ".shell cp live/* whole"
chmod 500 idle left whole`)
	dump := func(file string) plan.Pipeline { return library(t, fmt.Sprintf("sqlite_dump(%q)", p.path(file))) }
	first := []byte("INSERT INTO note VALUES('first');")
	second := []byte("INSERT INTO note VALUES('second');")

	for _, file := range []string{"idle/n.db", "idle/" + odd} {
		if sql := p.run(dump(file), nil); !bytes.Contains(sql, first) {
			t.Errorf("%q: got\n%s\nwant the row in it", file, sql)
		}
	}
	p.run(library(t, `sqlite_dump("idle/n.db")`), nil)
	if sql := p.run(dump("whole/n.db"), nil); !bytes.Contains(sql, second) {
		t.Errorf("got\n%s\nwant the row that only the log has", sql)
	}
	p.fails(dump("left/n.db"), nil, "changes are in .*/left/n.db-wal: copy both files")

	// Somebody else writes while the database is read.
	p.mkdir("bin")
	if err := os.WriteFile(p.write("bin/sqlite3", ""), fmt.Appendf(nil, "#!/bin/sh\n%s \"$@\"; touch -d 2001-01-01 idle/n.db\n", needs(t, "sqlite3")), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(p.path("bin/sqlite3"), 0o700); err != nil {
		t.Fatal(err)
	}
	p.with("PATH", p.path("bin")+":"+os.Getenv("PATH")).fails(dump("idle/n.db"), nil, "it was written to during the dump")

	t.Run("mount", func(t *testing.T) {
		root := newRootPlace(t)
		at := root.mkdir("mount")
		if out, err := exec.Command("mount", "--bind", "-o", "ro", p.path("live"), at).CombinedOutput(); err != nil {
			t.Skipf("needs root, to mount: %s", out)
		}
		defer root.sh("umount mount")
		if sql := root.run(library(t, fmt.Sprintf("sqlite_dump(%q)", at+"/n.db")), nil); !bytes.Contains(sql, second) {
			t.Errorf("got\n%s\nwant both rows", sql)
		}
	})
}
