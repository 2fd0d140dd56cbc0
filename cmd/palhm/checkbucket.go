package main

import (
	"fmt"
	"net"
	"net/url"

	"golang.org/x/sys/unix"

	"palhm/runtime/plan"
)

// bucketDoubts says what looks wrong about the bucket of a backup, as far as this host
// can tell without asking the store.
func bucketDoubts(b plan.Backend) []string {
	if b.S3 == nil {
		return nil
	}
	var found []string
	if file := b.S3.CAFile; file != "" && unix.Access(file, unix.R_OK) != nil {
		found = append(found, fmt.Sprintf("ca_file %s cannot be read", file))
	}
	if inTheClear(b.S3.Endpoint) {
		found = append(found, fmt.Sprintf("what goes to %s is not encrypted on its way: use https, or encrypt it in the pipelines", b.S3.Endpoint))
	}
	return found
}

// inTheClear reports whether an endpoint is reached over a network without TLS.
func inTheClear(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback())
}
