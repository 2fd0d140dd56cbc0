package s3

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Keys may hold characters that XML 1.0 cannot, and an answer with one of them cannot
// be read. So every listing is asked for with encoding-type=url. A store that knows it
// says so in the answer.

// decodePage undoes the encoding of a page of keys.
func decodePage(page *s3.ListObjectsV2Output) {
	if page.EncodingType != types.EncodingTypeUrl {
		return
	}
	for i := range page.Contents {
		decodeKey(page.Contents[i].Key)
	}
	for i := range page.CommonPrefixes {
		decodeKey(page.CommonPrefixes[i].Prefix)
	}
}

// decodeUploads undoes the encoding of a page of open uploads.
func decodeUploads(page *s3.ListMultipartUploadsOutput) {
	if page.EncodingType != types.EncodingTypeUrl {
		return
	}
	for i := range page.Uploads {
		decodeKey(page.Uploads[i].Key)
	}
	decodeKey(page.NextKeyMarker)
}

// decodeKey undoes the encoding of a key. A plus is a blank, as in a form, but not in a
// key with a plain colon: whoever leaves the one as it is does the same to the other,
// and the names of copies have both. What was not encoded after all stays as it is.
func decodeKey(key *string) {
	if key == nil {
		return
	}
	decode := url.QueryUnescape
	if strings.Contains(*key, ":") {
		decode = url.PathUnescape
	}
	if decoded, err := decode(*key); err == nil {
		*key = decoded
	}
}

// fitsXML reports whether a request in XML can name a key.
func fitsXML(key string) bool {
	return utf8.ValidString(key) && !strings.ContainsFunc(key, func(r rune) bool {
		return r < ' ' || r == '\uFFFE' || r == '\uFFFF'
	})
}
