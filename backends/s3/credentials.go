package s3

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// credentials are those of the SDK's chain. The SDK reads the shared files once, and a
// run may last longer than what it found there. It may be used concurrently.
type credentials struct {
	load func(context.Context) (aws.CredentialsProvider, error) // reads everything again

	mu    sync.Mutex
	chain aws.CredentialsProvider
}

// Retrieve returns what the chain gives.
func (c *credentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c.mu.Lock()
	chain := c.chain
	c.mu.Unlock()
	return chain.Retrieve(ctx)
}

// isStale: the store no longer takes the credentials. A HEAD has no body to say so.
func isStale(err error) bool {
	switch code(err) {
	case "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken", "InvalidAccessKeyId":
		return true
	}
	r, ok := errors.AsType[*awshttp.ResponseError](err)
	return ok && status(err) == 400 && r.Response.Request != nil && r.Response.Request.Method == http.MethodHead
}

// renew reports whether there are other credentials now than those of a request that was
// refused for them. It reads the shared files again to find out.
func (c *credentials) renew(ctx context.Context, err error) bool {
	r, ok := errors.AsType[*awshttp.ResponseError](err)
	if !ok || r.Response.Request == nil || !isStale(err) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if signsOtherwise(ctx, c.chain, r.Response.Request) {
		return true // another request has renewed them
	}
	fresh, err := c.load(ctx)
	if err != nil || !signsOtherwise(ctx, fresh, r.Response.Request) {
		return false
	}
	c.chain = fresh
	return true
}

func signsOtherwise(ctx context.Context, p aws.CredentialsProvider, r *http.Request) bool {
	now, err := p.Retrieve(ctx)
	if err != nil {
		return false
	}
	return !strings.Contains(r.Header.Get("Authorization"), "Credential="+now.AccessKeyID+"/") || r.Header.Get("X-Amz-Security-Token") != now.SessionToken
}
