package s3

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/logging"

	"palhm/runtime/host"
	"palhm/runtime/plan"
)

// client is the SDK's client of one bucket.
type client struct {
	*s3.Client
	bucket string
}

// fallbackRegion signs requests to stores that have no regions, and the question
// where a bucket is.
const fallbackRegion = "us-east-1"

// api returns the client, and makes it when there is none: it reads the shared
// files, finds credentials, and asks for one key below ROOT, so that a bucket that
// cannot be used is an error in seconds.
func (s *Store) api(ctx context.Context) (*client, error) {
	if c, err := s.known(); c != nil || err != nil {
		return c, err
	}
	select {
	case s.connecting <- struct{}{}: // by one at a time, and nobody waits for longer than he wants
		defer func() { <-s.connecting }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if c, err := s.known(); c != nil || err != nil {
		return c, err
	}
	c, err := s.connect(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil {
			s.unusable, s.unusableAt = err, time.Now()
		}
		return nil, err
	}
	s.client = c
	return c, nil
}

// known is what came of connecting, or nothing when that is still to be done.
func (s *Store) known() (*client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client == nil && s.unusable != nil && time.Since(s.unusableAt) < unusableFor {
		return nil, s.unusable
	}
	return s.client, nil
}

// unusableFor is how long a bucket that cannot be used is not asked again, so that
// who tries several things at once does not wait for each of them.
const unusableFor = 10 * time.Second

func (s *Store) connect(ctx context.Context) (*client, error) {
	cfg, err := s.config(ctx)
	if err != nil {
		return nil, err
	}
	s.endpoint = s.endpointOf(cfg)
	s.quirks = quirksOf(s.opt, s.endpoint)
	if err := s.quirks.check(); err != nil {
		return nil, fmt.Errorf("use %s: %w", s.endpoint, err)
	}
	s.credentials = &credentials{chain: cfg.Credentials, load: func(ctx context.Context) (aws.CredentialsProvider, error) {
		cfg, err := s.config(ctx)
		return cfg.Credentials, err
	}}
	cfg.Credentials = s.credentials
	c := s.newClient(cfg)
	return c, s.preflight(ctx, c, cfg)
}

func (s *Store) config(ctx context.Context) (aws.Config, error) {
	load := []func(*config.LoadOptions) error{
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(s.transport)),
		config.WithLogger(logging.Nop{}), // what matters is in the errors
	}
	if s.opt.Profile != "" {
		load = append(load, config.WithSharedConfigProfile(s.opt.Profile))
	}
	if s.opt.Region != "" {
		load = append(load, config.WithRegion(s.opt.Region))
	}
	if s.opt.CAFile != "" {
		pem, err := host.ReadFile(ctx, s.opt.CAFile, plan.MaxCAFile)
		if err != nil {
			return aws.Config{}, fmt.Errorf("read ca_file: %w", err)
		}
		if !x509.NewCertPool().AppendCertsFromPEM(pem) {
			return aws.Config{}, fmt.Errorf("read ca_file %s: there is no certificate in it, in PEM", s.opt.CAFile)
		}
		load = append(load, config.WithCustomCABundle(bytes.NewReader(pem)))
	}
	// The files that are named in the environment may be on a server that is silent.
	cfg, err := host.Await(ctx, func() (aws.Config, error) { return config.LoadDefaultConfig(ctx, load...) }, nil)
	if err != nil {
		return cfg, fmt.Errorf("read the configuration of AWS: %w", err)
	}
	return cfg, nil
}

// endpointOf is the URL of the store, wherever it is named; "" = AWS.
func (s *Store) endpointOf(cfg aws.Config) string {
	if s.opt.Endpoint != "" {
		return s.opt.Endpoint
	}
	return aws.ToString(s3.NewFromConfig(cfg).Options().BaseEndpoint)
}

func (s *Store) newClient(cfg aws.Config) *client {
	o := func(o *s3.Options) {
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired // what is sent is computed here
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		o.UsePathStyle = s.quirks.pathStyle
		o.Retryer = s.retryer(s.opt.Attempts)
		if o.Region == "" {
			o.Region = fallbackRegion
		}
		if s.opt.Endpoint != "" {
			o.BaseEndpoint = aws.String(s.opt.Endpoint)
		}
		o.DisableLogOutputChecksumValidationSkipped = true
		o.APIOptions = append(o.APIOptions, s.checkAnswers)
	}
	return &client{s3.NewFromConfig(cfg, o), s.opt.Bucket}
}

// transport sets up HTTP/1.1: parts travel on connections of their own, and one of
// them that stalls holds up no other. The SDK's transport comes with HTTP/2 in its TLS
// hello, which a server would take as an offer.
func (s *Store) transport(t *http.Transport) {
	dialer := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	t.DialContext = s.dial(dialer.DialContext)
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	t.TLSClientConfig.NextProtos = []string{"http/1.1"}
	t.MaxIdleConnsPerHost = 16
	t.IdleConnTimeout = s.opt.Stall / 2
	t.WriteBufferSize = 256 << 10
	t.ReadBufferSize = 64 << 10
}

// preflight asks for one key below ROOT, and turns what can be wrong with a bucket
// into one sentence. Without a region it finds the bucket's.
func (s *Store) preflight(ctx context.Context, c *client, cfg aws.Config) error {
	err := s.ask(ctx, c)
	if region := movedTo(err); region != "" && cfg.Region == "" {
		cfg.Region = region
		*c = *s.newClient(cfg)
		err = s.ask(ctx, c)
	}
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &requestError{"use " + s.Root(), s.explain(err)}
}

// ask asks for one key. A server from which no store answers is soon given up; one that
// says to come again is waited for as long as by any other request.
func (s *Store) ask(ctx context.Context, c *client) error {
	err := s.askOnce(ctx, c, min(s.opt.Attempts, unreachable))
	other, bad := errors.AsType[*answerError](err)
	if status(err) > 0 && retryable(err) || bad && isBusy(other.status) {
		return s.askOnce(ctx, c, s.opt.Attempts)
	}
	return err
}

func (s *Store) askOnce(ctx context.Context, c *client, attempts int) error {
	_, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &c.bucket, Prefix: aws.String(s.key("")), MaxKeys: aws.Int32(1), EncodingType: types.EncodingTypeUrl},
		func(o *s3.Options) { o.Retryer = s.retryer(attempts) })
	return err
}

// movedTo is the region that the store names instead of the one that was asked.
func movedTo(err error) string {
	if r, ok := errors.AsType[*awshttp.ResponseError](err); ok && r.Response != nil {
		return r.Response.Header.Get("X-Amz-Bucket-Region")
	}
	return ""
}

// explain says what to do about a bucket that does not answer as it should.
func (s *Store) explain(err error) error {
	hint := func(text string) error { return &hintError{text, err} }
	if _, cause, ok := strings.Cut(err.Error(), "get credentials: "); ok {
		return hint(withoutCredentials(err, cause))
	}
	switch code(err) {
	case "NoSuchBucket":
		return hint("there is no such bucket: make it, or check its name and the endpoint")
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "MovedPermanently":
		if region := movedTo(err); region != "" {
			return hint(fmt.Sprintf("the bucket is in another region: set region = %q", region))
		}
		return hint("the bucket is in another region: set region (" + reason(err) + ")")
	case "RequestTimeTooSkewed", "RequestExpired":
		return hint("this host's clock differs too much from the server's: set the clock")
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "XAdminUserNotFound": // the last in versitygw
		return hint("the credentials are not accepted: " + reason(err))
	}
	if _, unknown := errors.AsType[x509.UnknownAuthorityError](err); unknown {
		return hint("nobody who is trusted has signed the store's certificate: set ca_file to the certificate of its authority")
	}
	switch {
	case isDenied(err):
		return hint("these credentials may not list the bucket: grant them what \"palhm iam-policy\" prints (" + reason(err) + ")")
	case status(err) == 301:
		return hint("the bucket is in another region: set region = " + movedTo(err))
	case status(err) == 404 && saysNothing(code(err)):
		return hint("there is no such bucket: make it, or check its name and the endpoint")
	case errors.Is(err, http.ErrSchemeMismatch):
		return hint("the store does not speak TLS: begin the endpoint with http://")
	}
	return err
}

// withoutCredentials describes why there are none: nothing names any, or the service that
// gives them, such as STS, has refused to.
func withoutCredentials(err error, cause string) string {
	if code(err) != "" {
		return "the service that gives the credentials of profile or environment refuses them: " + reason(err)
	}
	cause, _, _ = strings.Cut(cause, ", operation error")
	return "there are no credentials: set profile, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment (" + cause + ")"
}

// saysNothing: an error code that only repeats the status.
func saysNothing(code string) bool {
	return code == "" || code == "NotFound" || code == "Not Found" || code == "UnknownError"
}

// hintError replaces what a store said by what to do.
type hintError struct {
	text string
	err  error
}

func (e *hintError) Error() string { return e.text }
func (e *hintError) Unwrap() error { return e.err }
