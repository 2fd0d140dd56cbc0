package s3

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// The SDK believes every answer of status 200: to it a page of HTML is a bucket without
// objects. Here every answer is checked before and after the SDK has read it, and one
// that no store gives is a failed attempt, which is repeated.

// answerError is an answer that is not the store's: the page of a proxy, half of a
// document, or one without the fields that the request was sent for. The store may have
// done what it was asked for.
type answerError struct {
	status int
	what   string // is wrong with it
	err    error  // why it could not be read; nil = it could
}

func (e *answerError) Error() string {
	if e.err != nil {
		return fmt.Sprintf("the answer breaks off: %s (status %d)", e.what, e.status)
	}
	return fmt.Sprintf("this is not the answer of a store, but perhaps of a proxy: %s (status %d)", e.what, e.status)
}

func (e *answerError) Unwrap() error { return e.err }

// documents are the root elements of answers, by the request; the others have no body.
var documents = map[string]string{
	"ListObjectsV2":              "ListBucketResult",
	"ListMultipartUploads":       "ListMultipartUploadsResult",
	"ListParts":                  "ListPartsResult",
	"CreateMultipartUpload":      "InitiateMultipartUploadResult",
	"CompleteMultipartUpload":    "CompleteMultipartUploadResult",
	"CopyObject":                 "CopyObjectResult",
	"UploadPartCopy":             "CopyPartResult",
	"DeleteObjects":              "DeleteResult",
	"GetObjectLockConfiguration": "ObjectLockConfiguration",
}

// maxDocument bounds what is read of a document: the longest is a page of 1,000 keys of
// 1,024 bytes, each of which takes three when it is encoded.
const maxDocument = 16 << 20

// checkAnswers adds the checks to the stack of a request.
func (s *Store) checkAnswers(stack *middleware.Stack) error {
	return errors.Join(
		stack.Initialize.Add(middleware.InitializeMiddlewareFunc("KeepInput", keepInput), middleware.Before),
		stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("Hear", s.hear), middleware.Before),
		stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("CheckDocument", checkDocument), middleware.After),
	)
}

type inputKey struct{}

// keepInput lets checkOutput compare an answer with what was asked.
func keepInput(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
	middleware.InitializeOutput, middleware.Metadata, error,
) {
	return next.HandleInitialize(middleware.WithStackValue(ctx, inputKey{}, in.Parameters), in)
}

// checkDocument looks at the body of an answer, before the SDK does.
func checkDocument(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
	middleware.DeserializeOutput, middleware.Metadata, error,
) {
	out, m, err := next.HandleDeserialize(ctx, in)
	if r, ok := out.RawResponse.(*smithyhttp.Response); ok && err == nil {
		err = checkBody(awsmiddleware.GetOperationName(ctx), r)
	}
	return out, m, err
}

// checkBody checks that the body is the document of the request, or an error's. An error
// that comes with the status 200 gets the status 500, as the SDK gives to most of them.
func checkBody(op string, r *smithyhttp.Response) error {
	succeeded := r.StatusCode/100 == 2
	switch {
	case op == "HeadObject":
		return nil // it has none
	case op == "GetObject" && succeeded:
		if r.ContentLength < 0 && len(r.TransferEncoding) == 0 {
			return &answerError{status: r.StatusCode, what: "it does not say how long the object is"}
		}
		return nil
	}
	data, err := io.ReadAll(io.LimitReader(r.Body, maxDocument+1))
	r.Body.Close()
	r.Body = io.NopCloser(bytes.NewReader(data))
	if err != nil {
		return &answerError{r.StatusCode, reason(err), err}
	}
	root, err := parseDocument(data)
	want := documents[op]
	switch {
	case root == "Error" && err == nil:
		if succeeded {
			r.StatusCode = 500
		}
		return nil
	case !succeeded:
		want = "Error"
	case root == want && err == nil && len(data) <= maxDocument:
		return checkStatus(op, r.StatusCode)
	}
	return &answerError{status: r.StatusCode, what: "got " + excerpt(data) + ", want " + orNothing(want)}
}

// checkStatus checks the status of an answer without a body.
func checkStatus(op string, status int) error {
	if (op == "DeleteObject" || op == "AbortMultipartUpload") && status != 204 {
		return &answerError{status: status, what: "want status 204 for a removal"}
	}
	return nil
}

// parseDocument returns the name of the root element; "" = data is blank. XML that ends
// early, or that something follows, is an error, and so is an Error without a code.
func parseDocument(data []byte) (root string, err error) {
	d := xml.NewDecoder(bytes.NewReader(data))
	var path []string
	coded := false
	for {
		t, err := d.Token()
		if err == io.EOF {
			if root == "Error" && !coded {
				return root, errors.New("the error has no code")
			}
			return root, nil
		}
		if err != nil {
			return root, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			if path = append(path, t.Name.Local); len(path) == 1 {
				if root != "" {
					return root, errors.New("it has a second root element")
				}
				root = t.Name.Local
			}
		case xml.EndElement:
			path = path[:len(path)-1]
		case xml.CharData:
			text := len(bytes.TrimSpace(t)) > 0
			if text && len(path) == 0 {
				return root, errors.New("there is text around the root element")
			}
			coded = coded || text && len(path) == 2 && path[1] == "Code"
		}
	}
}

// excerpt is the beginning of a body, and its end if that is what is wrong.
func excerpt(data []byte) string {
	text := strings.TrimSpace(string(data))
	switch {
	case text == "":
		return "nothing"
	case len(text) <= 60:
		return fmt.Sprintf("%.60q", text)
	}
	return fmt.Sprintf("%.30q...%.30q", text, text[len(text)-30:])
}

func orNothing(root string) string {
	if root == "" {
		return "an empty body"
	}
	return "<" + root + ">"
}

// hear checks what the SDK has read of an answer. It notes of each attempt when the store
// last gave an answer that is one, and whether the outcome is in doubt.
func (s *Store) hear(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
	middleware.DeserializeOutput, middleware.Metadata, error,
) {
	out, m, err := next.HandleDeserialize(ctx, in)
	status := 0 // no answer
	if r, ok := out.RawResponse.(*smithyhttp.Response); ok && r.Response != nil {
		status = r.StatusCode
	}
	if err == nil {
		err = checkOutput(status, middleware.GetStackValue(ctx, inputKey{}), out.Result)
	}
	if _, bad := errors.AsType[*answerError](err); bad {
		status = 0
	}
	if status > 0 && status < 500 {
		now := time.Now()
		s.answered.Store(&now)
	}
	if d, ok := ctx.Value(doubtKey{}).(*doubt); ok && err != nil && status/100 != 4 {
		d.Store(true)
	}
	return out, m, err
}

// checkOutput checks what the SDK has read of an answer.
func checkOutput(status int, in, result any) error {
	what := missing(in, result)
	if what == "" {
		return nil
	}
	if o, ok := result.(*s3.GetObjectOutput); ok {
		o.Body.Close()
	}
	return &answerError{status: status, what: what}
}

// missing checks the fields of an answer, after the SDK has read it, against the
// request, and returns what is wrong, or "". Keys are decoded before that.
func missing(in, result any) string {
	switch out := result.(type) {
	case *s3.ListObjectsV2Output:
		in, _ := in.(*s3.ListObjectsV2Input)
		decodePage(out, aws.ToString(in.Prefix))
		return checkPage(in, out)
	case *s3.ListMultipartUploadsOutput:
		in, _ := in.(*s3.ListMultipartUploadsInput)
		decodeUploads(out, aws.ToString(in.Prefix))
		return checkUploads(in, out)
	case *s3.DeleteObjectsOutput:
		in, _ := in.(*s3.DeleteObjectsInput)
		return checkDeleted(in, out)
	case *s3.GetObjectLockConfigurationOutput:
		return wants("ObjectLockEnabled", aws.String(string(out.ObjectLockConfiguration.ObjectLockEnabled)))
	case *s3.ListPartsOutput:
		return wants("UploadId", out.UploadId)
	case *s3.CreateMultipartUploadOutput:
		return wants("UploadId", out.UploadId)
	case *s3.CompleteMultipartUploadOutput:
		return wants("ETag", out.ETag)
	case *s3.CopyObjectOutput:
		return wants("ETag", out.CopyObjectResult.ETag)
	case *s3.UploadPartCopyOutput:
		return wants("ETag", out.CopyPartResult.ETag)
	case *s3.PutObjectOutput:
		return wants("ETag", out.ETag)
	case *s3.UploadPartOutput:
		return wants("ETag", out.ETag)
	case *s3.GetObjectOutput:
		return wants("ETag", out.ETag)
	case *s3.HeadObjectOutput:
		if out.ContentLength == nil {
			return "it does not say how long the object is"
		}
		return wants("ETag", out.ETag)
	}
	return ""
}

func wants(name string, value *string) string {
	if aws.ToString(value) == "" {
		return "it has no " + name
	}
	return ""
}

// samePage is what is wrong with a page that is not the last one and does not name the
// next.
const samePage = "the list goes on, and it does not say from where"

func checkPage(in *s3.ListObjectsV2Input, out *s3.ListObjectsV2Output) string {
	next := aws.ToString(out.NextContinuationToken)
	switch {
	case out.IsTruncated == nil:
		return wants("IsTruncated", nil)
	case *out.IsTruncated && (next == "" || next == aws.ToString(in.ContinuationToken)):
		return samePage
	}
	for _, o := range out.Contents {
		if o.Key == nil || o.Size == nil {
			return "an object has no name or no size"
		}
		if !strings.HasPrefix(*o.Key, aws.ToString(in.Prefix)) {
			return fmt.Sprintf("it lists %.60q, which was not asked for", *o.Key)
		}
	}
	for _, p := range out.CommonPrefixes {
		if !strings.HasPrefix(aws.ToString(p.Prefix), aws.ToString(in.Prefix)) {
			return fmt.Sprintf("it lists %.60q, which was not asked for", aws.ToString(p.Prefix))
		}
	}
	return ""
}

func checkUploads(in *s3.ListMultipartUploadsInput, out *s3.ListMultipartUploadsOutput) string {
	next, nextID := aws.ToString(out.NextKeyMarker), aws.ToString(out.NextUploadIdMarker)
	switch {
	case out.IsTruncated == nil:
		return wants("IsTruncated", nil)
	case *out.IsTruncated && (next == "" || next == aws.ToString(in.KeyMarker) && nextID == aws.ToString(in.UploadIdMarker)):
		return samePage
	}
	for _, u := range out.Uploads {
		if aws.ToString(u.Key) == "" || aws.ToString(u.UploadId) == "" {
			return "an upload has no key or no id"
		}
	}
	return ""
}

// unnamed is what is wrong with an answer that leaves out a key.
const unnamed = "it does not say of every key whether it was deleted"

func checkDeleted(in *s3.DeleteObjectsInput, out *s3.DeleteObjectsOutput) string {
	named := map[string]bool{}
	for _, d := range out.Deleted {
		named[aws.ToString(d.Key)] = true
	}
	for _, e := range out.Errors {
		named[aws.ToString(e.Key)] = true
	}
	for _, o := range in.Delete.Objects {
		if !named[aws.ToString(o.Key)] {
			return unnamed
		}
	}
	return ""
}
