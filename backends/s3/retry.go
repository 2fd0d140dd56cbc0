package s3

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"golang.org/x/sys/unix"
)

// longestBackoff bounds the pause between two attempts.
const longestBackoff = 20 * time.Second

// unreachable is how often a server is tried from which no store answers, before any
// pipeline has started.
const unreachable = 5

// retryer tries again what may go well the next time, after pauses that double and
// that chance spreads, so that the hosts a store has throttled do not all come back
// at once. It has no quota: a store may throttle for as long as the attempts last.
type retryer struct {
	attempts int
	first    time.Duration
	renew    func(ctx context.Context, err error) bool // finds other credentials after a refusal
}

func (s *Store) retryer(attempts int) retryer {
	return retryer{attempts: attempts, first: s.opt.Backoff, renew: s.credentials.renew}
}

var _ aws.RetryerV2 = retryer{}

func (r retryer) MaxAttempts() int { return r.attempts }

func (r retryer) IsErrorRetryable(err error) bool { return retryable(err) || isStale(err) }

// RetryDelay is called after the given number of failed attempts.
func (r retryer) RetryDelay(failed int, err error) (time.Duration, error) {
	return max(backoff(r.first, failed), retryAfter(err)), nil
}

// GetRetryToken refuses a request that only other credentials could help.
func (r retryer) GetRetryToken(ctx context.Context, err error) (func(error) error, error) {
	if !retryable(err) && !r.renew(ctx, err) {
		return noToken, errors.New("the credentials are still the same")
	}
	return noToken, nil
}
func (r retryer) GetInitialToken() func(error) error { return noToken }
func (r retryer) GetAttemptToken(context.Context) (func(error) error, error) {
	return noToken, nil
}

func noToken(error) error { return nil }

// backoff is the pause after failed attempts: half of it fixed, half of it chance.
func backoff(first time.Duration, failed int) time.Duration {
	d := min(first<<min(max(failed-1, 0), 20), longestBackoff)
	return d/2 + rand.N(d/2+1)
}

// longestRetryAfter bounds the pause that a store asks for.
const longestRetryAfter = time.Minute

// retryAfter is the pause that the answer asks for, in the header of RFC 9110, section
// 10.2.3; 0 = none.
func retryAfter(err error) time.Duration {
	if r, ok := errors.AsType[*awshttp.ResponseError](err); ok && r.Response != nil {
		return parseRetryAfter(r.Response.Header.Get("Retry-After"))
	}
	return 0
}

func parseRetryAfter(header string) (pause time.Duration) {
	if n, err := strconv.ParseUint(header, 10, 32); err == nil {
		pause = time.Duration(n) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		pause = time.Until(at)
	}
	return min(max(pause, 0), longestRetryAfter)
}

// pause waits for the backoff after failed attempts.
func (s *Store) pause(ctx context.Context, failed int) error {
	return sleep(ctx, backoff(s.opt.Backoff, failed))
}

// pauseAfter is pause, or what the answer to the last attempt asks for if that is longer.
func (s *Store) pauseAfter(ctx context.Context, failed int, err error) error {
	return sleep(ctx, max(backoff(s.opt.Backoff, failed), retryAfter(err)))
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// passing are the answers of a store that is busy, or has not got what was sent, whatever
// their status: an error may come with the status 200 as well.
var passing = map[string]bool{
	"InternalError": true, "ServiceUnavailable": true, "SlowDown": true, "SlowDownRead": true, "SlowDownWrite": true,
	"RequestTimeout": true, "OperationAborted": true, "ConditionalRequestConflict": true, "XMinioServerNotInitialized": true,
	"TooManyRequests": true, "ClientDisconnected": true,
	"BadDigest": true, "IncompleteBody": true, "XAmzContentSHA256Mismatch": true, "XAmzContentChecksumMismatch": true,
}

// isBusy: a status that says to come again, by a store or by a proxy before it, such as
// 429, 503, 507 and 520.
func isBusy(status int) bool { return status == 408 || status == 429 || status >= 500 && status != 501 }

var standard = retry.IsErrorRetryables(retry.DefaultRetryables)

func retryable(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) && !isTimeout(err) {
		return false
	}
	if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); untrusted {
		return false
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		return false
	}
	if passing[code(err)] || isBusy(status(err)) {
		return true
	}
	if _, other := errors.AsType[*answerError](err); other {
		return !isUnnamed(err) // the keys are deleted one by one
	}
	if _, broken := errors.AsType[*smithy.DeserializationError](err); broken && status(err) < 400 {
		return true // a document that makes no sense
	}
	for _, cut := range []error{io.ErrUnexpectedEOF, io.EOF, unix.ECONNRESET, unix.EPIPE, unix.ECONNREFUSED} {
		if errors.Is(err, cut) {
			return true
		}
	}
	return standard.IsErrorRetryable(err) == aws.TrueTernary
}

// isTimeout tells a connection that stalled from a context that has ended.
func isTimeout(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Timeout()
}
