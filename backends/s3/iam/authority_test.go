package iam_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"palhm/backends/s3/iam"
	"palhm/backends/s3/s3test"
)

// authority stands before a store and lets through what a policy allows, as AWS
// documents which rights a request needs ("Required permissions for Amazon S3 API
// operations"). It is the strictest reading where the documents leave a doubt.
type authority struct {
	URL   string
	inner *s3test.Server

	mu     sync.Mutex
	policy iam.Policy
	used   map[string]bool // names of statements that allowed something
	denied []string
}

// need is a right that a request must have.
type need struct {
	action, resource string
	context          map[string]string
}

func newAuthority(t *testing.T, q s3test.Quirks, p iam.Policy) *authority {
	a := &authority{inner: s3test.New(t, q), policy: p, used: map[string]bool{}}
	srv := httptest.NewServer(a)
	t.Cleanup(srv.Close)
	a.URL = srv.URL
	return a
}

// become changes the policy.
func (a *authority) become(p iam.Policy) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.policy, a.used, a.denied = p, map[string]bool{}, nil
}

func (a *authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	for _, n := range needs(r, key, body) {
		if !a.allows(n) {
			a.mu.Lock()
			a.denied = append(a.denied, fmt.Sprintf("%s %s", n.action, n.resource))
			a.mu.Unlock()
			deny(w, r)
			return
		}
	}
	if r.Method == "GET" || r.Method == "HEAD" {
		_, there := a.inner.Get(key)
		// Who may not list the whole bucket is not told that something is missing.
		if key != "" && !there && !r.URL.Query().Has("uploadId") && !a.allows(need{"s3:ListBucket", bucketARN, nil}) {
			deny(w, r)
			return
		}
		if !a.allows(need{"s3:GetObjectRetention", bucketARN + "/" + key, nil}) {
			w = hideLock{w}
		}
	}
	a.inner.ServeHTTP(w, r)
}

// hideLock leaves out the headers that only who may see the lock is sent.
type hideLock struct{ http.ResponseWriter }

func (h hideLock) WriteHeader(status int) {
	h.Header().Del("X-Amz-Object-Lock-Retain-Until-Date")
	h.ResponseWriter.WriteHeader(status)
}

func deny(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(403)
	if r.Method != "HEAD" {
		fmt.Fprint(w, `<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>`)
	}
}

const bucketARN = "arn:aws:s3:::bucket"

// needs lists the rights for a request, and fails for one that is not known here.
func needs(r *http.Request, key string, body []byte) []need {
	q, h := r.URL.Query(), r.Header
	object := bucketARN + "/" + key
	put := func(makes bool) need {
		c := map[string]string{"s3:ObjectCreationOperation": strconv.FormatBool(makes)}
		for _, name := range []string{"If-Match", "If-None-Match"} {
			if v := h.Get(name); v != "" {
				c["s3:"+strings.ToLower(name)] = v
			}
		}
		return need{"s3:PutObject", object, c}
	}
	var list []need
	if h.Get("X-Amz-Tagging") != "" {
		list = append(list, need{"s3:PutObjectTagging", object, nil})
	}
	if source := h.Get("X-Amz-Copy-Source"); source != "" {
		source, _ = url.PathUnescape(source)
		list = append(list, need{"s3:GetObject", "arn:aws:s3:::" + source, nil})
		if !q.Has("uploadId") {
			list = append(list, need{"s3:GetObjectTagging", "arn:aws:s3:::" + source, nil}, need{"s3:PutObjectTagging", object, nil})
		}
	}
	switch {
	case key == "" && r.Method == "GET" && q.Has("uploads"):
		return []need{{"s3:ListBucketMultipartUploads", bucketARN, nil}}
	case key == "" && r.Method == "GET" && q.Has("object-lock"):
		return []need{{"s3:GetBucketObjectLockConfiguration", bucketARN, nil}}
	case key == "" && r.Method == "GET":
		return []need{{"s3:ListBucket", bucketARN, map[string]string{"s3:prefix": q.Get("prefix")}}}
	case key == "" && r.Method == "POST" && q.Has("delete"):
		return deletions(body)
	case r.Method == "POST" && q.Has("uploads"), r.Method == "PUT" && q.Has("uploadId"):
		return append(list, put(false))
	case r.Method == "PUT" && q.Has("retention"):
		return []need{retention(object, body)}
	case r.Method == "POST" && q.Has("uploadId"), r.Method == "PUT":
		return append(list, put(true))
	case r.Method == "DELETE" && q.Has("uploadId"):
		return []need{{"s3:AbortMultipartUpload", object, nil}}
	case r.Method == "GET" && q.Has("uploadId"):
		return []need{{"s3:ListMultipartUploadParts", object, nil}}
	case r.Method == "DELETE":
		return []need{{"s3:DeleteObject", object, nil}}
	case r.Method == "GET" || r.Method == "HEAD":
		return []need{{"s3:GetObject", object, nil}}
	}
	return []need{{"unknown: " + r.Method + " " + r.URL.String(), object, nil}}
}

func deletions(body []byte) (list []need) {
	var v struct{ Object []struct{ Key string } }
	_ = xml.Unmarshal(body, &v)
	for _, o := range v.Object {
		list = append(list, need{"s3:DeleteObject", bucketARN + "/" + o.Key, nil})
	}
	return list
}

func retention(object string, body []byte) need {
	var v struct {
		Mode            string
		RetainUntilDate time.Time
	}
	_ = xml.Unmarshal(body, &v)
	days := int(time.Until(v.RetainUntilDate).Hours()/24 + 0.999)
	return need{"s3:PutObjectRetention", object, map[string]string{
		"s3:object-lock-mode": v.Mode, "s3:object-lock-remaining-retention-days": strconv.Itoa(days),
	}}
}

func (a *authority) allows(n need) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	ok := false
	for _, st := range a.policy.Statement {
		if st.Effect == "Allow" && slices.Contains(st.Action, n.action) && slices.ContainsFunc(st.Resource, func(p string) bool { return like(p, n.resource) }) && met(st.Condition, n.context) {
			a.used[st.Sid] = true
			ok = true
		}
	}
	return ok
}

// like matches a pattern in which * stands for anything, slashes too.
func like(pattern, s string) bool {
	swap := strings.NewReplacer("/", "\x00")
	ok, err := path.Match(swap.Replace(pattern), swap.Replace(s))
	return ok && err == nil
}

func met(conditions map[string]map[string]string, context map[string]string) bool {
	for operator, keys := range conditions {
		for key, want := range keys {
			got, there := context[key]
			if !holds(operator, want, got, there) {
				return false
			}
		}
	}
	return true
}

func holds(operator, want, got string, there bool) bool {
	switch operator {
	case "Null":
		return strconv.FormatBool(!there) == want
	case "Bool", "StringEquals":
		return there && got == want
	case "StringLike":
		return there && like(want, got)
	case "StringLikeIfExists":
		return !there || like(want, got)
	case "NumericLessThanEquals":
		n, err := strconv.Atoi(got)
		most, err2 := strconv.Atoi(want)
		return err == nil && err2 == nil && n <= most
	}
	panic("unknown operator " + operator)
}
