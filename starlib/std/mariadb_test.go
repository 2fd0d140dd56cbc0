package std_test

import (
	"fmt"
	"testing"
	"unicode/utf8"

	"palhm/runtime/plan"
)

// newMariaDB starts a server whose root has the password geheim, and writes the
// .my.cnf that its clients read.
func newMariaDB(t *testing.T) (p *place, stop func()) {
	t.Helper()
	needs(t, "mariadbd", "mariadb-install-db", "mariadb", "mariadb-dump")
	p = newPlace(t)
	p.sh("mariadb-install-db --no-defaults --datadir=$PWD/data --auth-root-authentication-method=normal --skip-test-db >log 2>&1")
	p.write(".my.cnf", fmt.Sprintf("[client]\nsocket = %s\nuser = root\npassword = geheim\n", p.path("socket")))
	stop = p.serve("mariadb --no-defaults --socket=socket --user=root --execute='SELECT 1'",
		"mariadbd", "--no-defaults", "--datadir="+p.path("data"), "--socket="+p.path("socket"), "--skip-networking",
		"--pid-file="+p.path("pid"), "--innodb-flush-log-at-trx-commit=0")
	p.sh(`mariadb --no-defaults --socket=socket --user=root --execute="SET PASSWORD FOR root@localhost = PASSWORD('geheim')"`)
	return p, stop
}

const wikiSQL = `
CREATE DATABASE wiki DEFAULT CHARACTER SET utf8mb4;
USE wiki;
CREATE TABLE page (id INT PRIMARY KEY AUTO_INCREMENT, title VARCHAR(200) NOT NULL, raw VARBINARY(64), at TIMESTAMP(6) NULL, n DECIMAL(30,10));
INSERT INTO page (title, raw, at, n)
  SELECT CONCAT('naïve ☃ 🐘 ''"\\ ', CHAR(0), CHAR(10), seq), UNHEX(SHA2(seq, 256)), '2022-05-01 06:59:17.123456' + INTERVAL seq SECOND, seq / 7
  FROM seq_1_to_20000;
CREATE TABLE copied (id INT PRIMARY KEY);
CREATE VIEW late AS SELECT * FROM page WHERE id > 19990;
DELIMITER //
CREATE TRIGGER t AFTER INSERT ON page FOR EACH ROW INSERT INTO copied VALUES (NEW.id)//
CREATE FUNCTION total() RETURNS BIGINT READS SQL DATA RETURN (SELECT SUM(id) FROM page)//
CREATE PROCEDURE p() BEGIN SELECT 'called'; END//
CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM copied//
DELIMITER ;
CREATE USER reader@localhost IDENTIFIED BY 'x';
GRANT SELECT ON wiki.* TO reader@localhost;
`

const wikiQuestions = `
SET NAMES utf8mb4;
SET SESSION group_concat_max_len = 100000000;
SELECT COUNT(*), MD5(GROUP_CONCAT(id, title, HEX(raw), at, n ORDER BY id)), wiki.total() FROM wiki.page;
SELECT COUNT(*) FROM wiki.late;
CALL wiki.p();
SELECT event_name, event_definition FROM information_schema.events;
BEGIN; INSERT INTO wiki.page (id, title) VALUES (1000000, 'new'); SELECT * FROM wiki.copied; ROLLBACK;
`

func TestMariaDB(t *testing.T) {
	from, stop := newMariaDB(t)
	ask := func(p *place) []byte {
		p.write("questions.sql", wikiQuestions)
		return []byte(p.sh("mariadb --batch <questions.sql"))
	}
	from.write("wiki.sql", wikiSQL)
	from.sh("mariadb --default-character-set=utf8mb4 <wiki.sql")
	dump := library(t, `mysqldump("--all-databases")`)
	one := library(t, `mysqldump("--databases", "wiki")`)
	all, wiki := from.run(dump, nil), from.run(one, nil)
	want := ask(from)
	if !utf8.Valid(wiki) {
		t.Error("the dump of a table with binary data is no text, want the data in hexadecimal")
	}

	t.Run("all databases into a new server", func(t *testing.T) {
		to, _ := newMariaDB(t)
		to.run(inverse(t, dump), all)
		equal(t, "answers", ask(to), want)
		to.sh("mariadb --execute='FLUSH PRIVILEGES'")
		equal(t, "what reader sees", []byte(to.sh("mariadb --user=reader --password=x --batch --skip-column-names --execute='SELECT COUNT(*) FROM wiki.page'")), []byte("20000\n"))
	})
	t.Run("as declared", func(t *testing.T) {
		// Nobody's settings but those that the dump was given: a home without a password, and that.
		declared := func(p *place) plan.Pipeline {
			home := p.mkdir("home")
			p.write("home/.my.cnf", fmt.Sprintf("[client]\nsocket = %s\nuser = root\n", p.path("socket")))
			return library(t, fmt.Sprintf(`mysqldump("--all-databases", env = {"HOME": %q, "MYSQL_PWD": secret(file = %q)})`,
				home, p.write("password", "geheim\n")))
		}
		to, _ := newMariaDB(t)
		all := from.with("HOME", "/nonexistent").run(declared(from), nil)
		to.with("HOME", "/nonexistent").run(inverse(t, declared(to)), all)
		equal(t, "answers", ask(to), want)
	})
	t.Run("one database", func(t *testing.T) {
		to, _ := newMariaDB(t)
		to.run(inverse(t, one), wiki)
		equal(t, "answers", ask(to), want)
		to.fails(inverse(t, one), []byte("CREATE TABLE nowhere (i INT);\n"), "No database selected")
	})
	t.Run("failures", func(t *testing.T) {
		password := from.write("password", "geheim\n")
		noHome := library(t, fmt.Sprintf(`mysqldump("--socket=%s", "--user=root", "--databases", "wiki", env = {"HOME": "/nonexistent", "MYSQL_PWD": secret(file = %q)})`,
			from.path("socket"), password))
		from.run(noHome, nil)
		from.write("password", "wrong\n")
		from.fails(append(noHome, library(t, "zstd")...), nil, "Access denied")
		from.fails(library(t, `mysqldump("--databases", "nothing") | zstd`), nil, "Unknown database 'nothing'")
		from.sh("mariadb --execute=\"CREATE VIEW wiki.broken AS SELECT * FROM wiki.copied; DROP TABLE wiki.copied\"")
		from.fails(library(t, `mysqldump("--databases", "wiki") | zstd`), nil, "wiki.broken")
		stop()
		from.fails(library(t, `mysqldump("--all-databases") | zstd`), nil, "Can't connect to local server")
	})
}
