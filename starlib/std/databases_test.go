package std_test

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"palhm/backends/all"
	"palhm/runtime/engine"
	"palhm/starlib"
)

const databasesSite = `
load("@palhm//core.star", "pg_dump", "zstd")

server = %s

def databases(ctx):
    query = "SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1"
    names = ctx.run(exec("psql", "-XAtc", query, "postgres", env = server)).stdout.splitlines()
    return [object("pg/%%s.sql.zst" %% name, pg_dump(name, env = server) | zstd, min_size = 1) for name in names]

backup("backup", backend = localfs(%q), groups = [group("databases", databases)])
`

// A copy has a dump of each database that PostgreSQL has when the group's turn comes:
// one that was made when the site was loaded already is among them, one that was
// dropped is not.
func TestDatabasesThatThereAreNow(t *testing.T) {
	needs(t, "zstd")
	c := newCluster(t)
	c.fill()
	dir := t.TempDir()
	root := filepath.Join(dir, "root")
	file := filepath.Join(dir, "site.star")
	if err := os.WriteFile(file, fmt.Appendf(nil, databasesSite, c.env, root), 0o644); err != nil {
		t.Fatal(err)
	}
	site, err := starlib.Load(t.Context(), starlib.Config{Dir: dir, LookupEnv: os.LookupEnv}, file)
	if err != nil {
		t.Fatal(err)
	}
	c.admin().sh(`psql -Xqc 'CREATE DATABASE "née later"' postgres; psql -Xqc 'DROP DATABASE "an other"' postgres`)
	e := &engine.Engine{Open: new(all.Opener).Open, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Host: "web1", Environ: os.Environ(), Workers: 2}
	report, err := e.Run(t.Context(), site, site.Task("backup"))
	if err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(root, report.Copies[0].Prefix, "pg", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range found {
		found[i] = filepath.Base(f)
	}
	want := []string{"née later.sql.zst", "postgres.sql.zst", "shop.sql.zst"}
	slices.Sort(found)
	if !slices.Equal(found, want) {
		t.Errorf("got %q, want %q", found, want)
	}

	// Without a server there is no copy.
	c.stop()
	if _, err := e.Run(t.Context(), site, site.Task("backup")); err == nil || !strings.Contains(err.Error(), "group databases: ") {
		t.Errorf("got %v, want an error of the group", err)
	}
	if copies, _ := filepath.Glob(filepath.Join(root, "2*")); len(copies) != 1 {
		t.Errorf("got %d copies, want the one that was made", len(copies))
	}
}
