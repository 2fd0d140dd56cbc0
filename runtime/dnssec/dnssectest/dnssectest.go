// Package dnssectest starts real name servers on the loopback interface: a small
// world with a root zone of its own, whose zones are well and broken in many ways.
package dnssectest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// World is the name servers of one test. They are stopped when it ends.
type World struct {
	Validating string // a resolver that validates, "127.0.0.1:port"
	Trusting   string // one that does not

	t      testing.TB
	dir    string
	master string // the port of the servers of all zones
}

// A zoneSpec is a zone and what is done to it.
type zoneSpec struct {
	name    string
	records string
	options []string            // of dnssec-signzone; nil = not signed
	ds      func(string) string // what the parent gets of the real DS; nil = that
	forge   *strings.Replacer   // is applied to the zone once it is signed; nil = it stays
}

const month = "now+2592000"

// zones are those below the root and below "test.", the children first.
var zones = []zoneSpec{
	{name: "good.test", records: "www A 192.0.2.1\nalias CNAME www\nloop CNAME loop\nout CNAME www.unsigned.test.\nold DNAME new\nw.new A 192.0.2.2\n", options: []string{"-e", month}},
	{name: "near.test", options: []string{"-s", "now-2592000", "-e", "now+176400", "-X", month}}, // two days and an hour
	{name: "nearkeys.test", options: []string{"-s", "now-2592000", "-e", month, "-X", "now+176400"}},
	{name: "short.test", options: []string{"-s", "now-3600", "-e", "now+86400", "-X", month}},
	{name: "stale.test", options: []string{"-s", "now-5184000", "-e", "now-2592000"}},
	{name: "early.test", options: []string{"-s", "now+864000", "-e", month}},
	{name: "wrongds.test", options: []string{"-e", month}, ds: forgedDS},
	{name: "oldds.test", options: []string{"-e", month}, ds: func(ds string) string { return ds + forgedDS(ds) }},
	{name: "island.test", options: []string{"-e", month}, ds: func(string) string { return "" }},
	{name: "strange.test", options: []string{"-e", month}, ds: func(ds string) string { return strings.Replace(forgedDS(ds), " 13 ", " 200 ", 1) }},
	{name: "optout.test", records: "*.w A 192.0.2.4\nbelow NS ns.test.\n", options: []string{"-e", month, "-3", "-", "-A"}},
	{name: "forged.test", records: "www A 192.0.2.5\n", options: []string{"-e", month}, forge: strings.NewReplacer("192.0.2.5", "192.0.2.6")},
	{name: "unsigned.test", records: "www A 192.0.2.3\n"},
	{name: "keyless.test", ds: func(string) string { return "keyless.test. DS 4711 13 2 " + strings.Repeat("AB", 32) + "\n" }},
	{name: "test", options: []string{"-e", month}},
	{name: ".", options: []string{"-e", month}},
}

// forgedDS changes the key tag and the digest.
func forgedDS(ds string) string {
	fields := strings.Fields(ds)
	fields[3], fields[6] = "4711", strings.Repeat("0", 64)
	return strings.Join(fields[:7], " ") + "\n"
}

// Start starts the servers, or skips the test when a program is missing.
func Start(t testing.TB) *World {
	t.Helper()
	for _, name := range []string{"named", "unbound", "dnssec-keygen", "dnssec-signzone", "dnssec-dsfromkey"} {
		program(t, name)
	}
	dir, err := os.MkdirTemp("", "palhm")
	if err != nil {
		t.Fatal(err)
	}
	w := &World{t: t, dir: dir, master: freePort(t)}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w.sign()
	w.authoritative()
	w.Validating = w.resolver("validating", fmt.Sprintf("trust-anchor-file: %s/root.anchor", dir))
	w.Trusting = w.resolver("trusting", `module-config: "iterator"`)
	return w
}

// program finds a program, also where only root looks.
func program(t testing.TB, name string) string {
	t.Helper()
	for _, candidate := range []string{name, "/usr/sbin/" + name, "/sbin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	t.Skipf("needs %s", name)
	return ""
}

func (w *World) path(name string) string { return filepath.Join(w.dir, name) }

func (w *World) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(w.path(name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// run runs a program in the directory and returns what it prints.
func (w *World) run(name string, args ...string) string {
	w.t.Helper()
	cmd := exec.Command(program(w.t, name), args...)
	cmd.Dir = w.dir
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		w.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, complaints.String())
	}
	return string(out)
}

// sign writes all zones, the children before the parents that hold their DS.
func (w *World) sign() {
	w.t.Helper()
	below := map[string]string{} // what a parent holds of its children
	for _, z := range zones {
		parent := ""
		if z.name != "." {
			_, parent, _ = strings.Cut(z.name, ".")
			if parent == "" {
				parent = "."
			}
		}
		origin := strings.TrimSuffix(z.name, ".") + "."
		text := fmt.Sprintf("$ORIGIN %s\n$TTL 300\n@ SOA ns.test. root.test. 1 3600 600 86400 300\n@ NS ns.test.\n%s%s", origin, z.records, below[z.name])
		if z.name == "test" {
			text += "ns A 127.0.0.1\n"
		}
		w.write(file(z.name), text)
		ds := ""
		if z.options != nil {
			ds = w.signZone(z, origin)
		}
		if z.ds != nil {
			ds = z.ds(ds)
		}
		below[parent] += origin + " NS ns.test.\n" + ds
	}
	if err := os.Rename(w.path("root.key"), w.path("root.anchor")); err != nil {
		w.t.Fatal(err)
	}
}

func file(zone string) string {
	if zone == "." {
		return "root.zone"
	}
	return zone + ".zone"
}

// signZone signs a zone in its place, with two keys, and returns its DS.
func (w *World) signZone(z zoneSpec, origin string) string {
	w.t.Helper()
	keys := ""
	for _, flags := range [][]string{{"-f", "KSK"}, nil} {
		args := append([]string{"-L", "300", "-a", "ECDSAP256SHA256"}, append(flags, origin)...)
		base := strings.TrimSpace(w.run("dnssec-keygen", args...))
		key, err := os.ReadFile(w.path(base + ".key"))
		if err != nil {
			w.t.Fatal(err)
		}
		keys += string(key)
	}
	if z.name == "." {
		w.write("root.key", keys)
	}
	unsigned, err := os.ReadFile(w.path(file(z.name)))
	if err != nil {
		w.t.Fatal(err)
	}
	w.write(file(z.name), string(unsigned)+keys)
	args := append([]string{"-P", "-x", "-o", origin, "-f", file(z.name) + ".signed"}, z.options...)
	w.run("dnssec-signzone", append(args, file(z.name))...)
	if err := os.Rename(w.path(file(z.name)+".signed"), w.path(file(z.name))); err != nil {
		w.t.Fatal(err)
	}
	if z.forge != nil {
		signed, err := os.ReadFile(w.path(file(z.name)))
		if err != nil {
			w.t.Fatal(err)
		}
		w.write(file(z.name), z.forge.Replace(string(signed)))
	}
	w.write("keys", keys)
	return w.run("dnssec-dsfromkey", "-2", "-f", "keys", origin)
}

// authoritative serves all zones.
func (w *World) authoritative() {
	w.t.Helper()
	conf := fmt.Sprintf(`options { directory %q; listen-on port %s { 127.0.0.1; }; listen-on-v6 { none; }; recursion no; dnssec-validation no;
	pid-file none; session-keyfile none; lock-file none; notify no; };
controls { };
`, w.dir, w.master)
	for _, z := range zones {
		conf += fmt.Sprintf("zone %q { type primary; file %q; };\n", z.name, file(z.name))
	}
	w.write("named.conf", conf)
	w.serve("127.0.0.1:"+w.master, "named", "-g", "-c", w.path("named.conf"))
}

// resolver starts a resolver that knows the root of this world.
func (w *World) resolver(name, option string) string {
	w.t.Helper()
	port := freePort(w.t)
	// Every zone is named, because a delegation would lead to port 53.
	var stubs strings.Builder
	for _, z := range zones {
		fmt.Fprintf(&stubs, "stub-zone:\n\tname: %q\n\tstub-addr: 127.0.0.1@%s\n", z.name, w.master)
	}
	w.write(name+".conf", fmt.Sprintf(`server:
	interface: 127.0.0.1@%s
	username: ""
	chroot: ""
	directory: %q
	pidfile: ""
	use-syslog: no
	num-threads: 1
	do-ip6: no
	do-not-query-localhost: no
	local-zone: "test." nodefault
	ede: yes
	val-log-level: 2
	%s
remote-control:
	control-enable: no
%s`, port, w.dir, option, &stubs))
	address := "127.0.0.1:" + port
	w.serve(address, "unbound", "-d", "-p", "-c", w.path(name+".conf"))
	return address
}

// serve starts a server, waits until it takes connections, and stops it when the
// test ends.
func (w *World) serve(address, name string, args ...string) {
	w.t.Helper()
	var log bytes.Buffer
	cmd := exec.Command(program(w.t, name), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = w.dir, &log, &log
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	w.t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM) //nolint:errcheck // it may have ended
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			cmd.Process.Kill() //nolint:errcheck // it may have ended
			<-ended
		}
	})
	for deadline := time.Now().Add(time.Minute); ; {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			return
		}
		select {
		case err := <-ended:
			ended <- err
			w.t.Fatalf("%s ended: %v\n%s", name, err, log.String())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%s does not listen on %s", name, address)
		}
	}
}

// freePort finds a port that is free for UDP and TCP.
func freePort(t testing.TB) string {
	t.Helper()
	for range 20 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		p, err := net.ListenPacket("udp", "127.0.0.1:"+port)
		l.Close()
		if err == nil {
			p.Close()
			return port
		}
	}
	t.Fatal("found no port that is free for UDP and TCP")
	return ""
}
