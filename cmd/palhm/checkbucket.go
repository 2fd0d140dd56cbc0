package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"

	"palhm/backends/all"
	"palhm/runtime/host"
	"palhm/runtime/plan"
)

// bucketDoubts says what looks wrong about the bucket of a backup, as far as this host
// can tell without asking the store.
func bucketDoubts(ctx context.Context, b plan.Backend) []error {
	if b.S3 == nil {
		return nil
	}
	var found []error
	if file := b.S3.CAFile; file != "" {
		pem, err := host.ReadPlainFile(ctx, file, plan.MaxCAFile)
		if errors.Is(err, host.ErrNotPlain) {
			err = nil // it may be one that can be read only once
		} else if err != nil {
			found = append(found, fmt.Errorf("ca_file: %w", err))
		} else if !x509.NewCertPool().AppendCertsFromPEM(pem) {
			found = append(found, fmt.Errorf("ca_file %s holds no certificate, in PEM", file))
		}
	}
	if inTheClear(b.S3.Endpoint) {
		found = append(found, fmt.Errorf("what goes to %s is not encrypted on its way: use https, or encrypt it in the pipelines", b.S3.Endpoint))
	}
	return found
}

// unusable says which backends of a site no run could open. Nothing is touched.
func unusable(site *plan.Site) error {
	var problems []error
	for _, t := range site.Tasks {
		if t.Backup == nil {
			continue
		}
		for _, b := range t.Backup.Backends {
			if _, err := all.Open(b); err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", b.Pos, err))
			}
		}
	}
	if len(problems) > 0 {
		return &siteError{errors.Join(problems...)}
	}
	return nil
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
