package s3

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// code is the error code that a store answered, or "".
func code(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

// status is the HTTP status of the store's answer, or 0 when there was none.
func status(err error) int {
	if _, other := errors.AsType[*answerError](err); other {
		return 0
	}
	if r, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		return r.HTTPStatusCode()
	}
	return 0
}

func isNotFound(err error) bool { return status(err) == 404 && code(err) != "NoSuchBucket" }
func isDenied(err error) bool   { return status(err) == 403 }

// isTaken: a condition was not met, or was in a race with another request.
func isTaken(err error) bool { return status(err) == 412 || status(err) == 409 }

func isNoUpload(err error) bool { return code(err) == "NoSuchUpload" || status(err) == 404 }

// isAnswer: the store has refused the request, so it will not do it later.
func isAnswer(err error) bool { return status(err)/100 == 4 }

// isUnknown: the store does not know the request, or a condition on it.
func isUnknown(err error) bool { return status(err) == 501 || code(err) == "NotImplemented" }

// hopeless are answers that a request will always get: the site or the bucket has to
// be changed. The one to a lock where there is none is InvalidRequest in AWS.
var hopeless = []string{"InvalidStorageClass", "InvalidRequest", "ObjectLockConfigurationNotFoundError", "NotImplemented"}

func isHopeless(err error) bool { return slices.Contains(hopeless, code(err)) }

// requestError is a request that failed for good.
type requestError struct {
	what string // "put s3://bucket/key"
	err  error  // as the SDK gave it
}

// Error says in one sentence what was asked and why it failed.
func (e *requestError) Error() string {
	tries := ""
	if m, ok := errors.AsType[*retry.MaxAttemptsError](e.err); ok && m.Attempt > 1 {
		tries = fmt.Sprintf("gave up after %d attempts: ", m.Attempt)
	}
	return e.what + ": " + tries + reason(e.err)
}

func (e *requestError) Unwrap() error { return e.err }

// failed describes the failure of a request. When ctx has ended, that is the cause.
func failed(ctx context.Context, what string, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", what, context.Cause(ctx))
	}
	return &requestError{what, err}
}

// reason leaves out what the SDK wraps around the cause.
func reason(err error) string {
	if h, ok := errors.AsType[*hintError](err); ok {
		return h.text
	}
	if a, ok := errors.AsType[*answerError](err); ok {
		return a.Error()
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return apiReason(api, status(err))
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Sprintf("look up host %s: %s", dns.Name, dns.Err)
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err.Error()
	}
	text := err.Error()
	if i := strings.LastIndex(text, "RequestID: "); i >= 0 { // an answer that could not be read
		if _, cause, ok := strings.Cut(text[i:], ", "); ok {
			return fmt.Sprintf("status %d: %s", status(err), cause)
		}
	}
	if m, ok := errors.AsType[*retry.MaxAttemptsError](err); ok {
		return m.Err.Error()
	}
	return text
}

func apiReason(api smithy.APIError, status int) string {
	text := api.ErrorCode()
	if msg := strings.TrimRight(api.ErrorMessage(), "."); msg != "" && msg != text && msg != "UnknownError" {
		text += ": " + msg
	}
	if text == "" || status == 403 && (text == "Forbidden" || text == "AccessDenied") {
		text = "access denied"
	}
	switch api.ErrorCode() {
	case "BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch":
		text += `; if it stays so, the store computes another checksum: set checksum = "md5" or "none"`
	}
	if status == 0 || status == 200 {
		return text
	}
	return fmt.Sprintf("%s (status %d)", text, status)
}
