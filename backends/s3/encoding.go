package s3

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Keys may hold characters that XML 1.0 cannot, and an answer with one of them cannot
// be read. So every listing is asked for with encoding-type=url. A store that knows it
// says so in the answer.

// decodePage undoes the encoding of a page of keys, all of which begin with below.
func decodePage(page *s3.ListObjectsV2Output, below string) {
	if page.EncodingType != types.EncodingTypeUrl {
		return
	}
	for i := range page.Contents {
		decodeKey(page.Contents[i].Key, below)
	}
	for i := range page.CommonPrefixes {
		decodeKey(page.CommonPrefixes[i].Prefix, below)
	}
}

// decodeUploads undoes the encoding of a page of open uploads.
func decodeUploads(page *s3.ListMultipartUploadsOutput, below string) {
	if page.EncodingType != types.EncodingTypeUrl {
		return
	}
	for i := range page.Uploads {
		decodeKey(page.Uploads[i].Key, below)
	}
	decodeKey(page.NextKeyMarker, below)
}

// decodeKey undoes the encoding of a key. A plus is a blank, as in a form, but not in a
// key with a plain colon: whoever leaves the one as it is does the same to the other,
// and the names of copies have both. Where only one of the two ways gives a key that
// begins with below, it is that one. What was not encoded after all stays as it is.
func decodeKey(key *string, below string) {
	if key == nil {
		return
	}
	ways := []func(string) (string, error){url.QueryUnescape, url.PathUnescape}
	if strings.Contains(*key, ":") {
		slices.Reverse(ways)
	}
	var decoded []string
	for _, decode := range ways {
		if k, err := decode(*key); err == nil {
			decoded = append(decoded, k)
		}
	}
	likely := slices.IndexFunc(decoded, func(k string) bool { return strings.HasPrefix(k, below) })
	if len(decoded) > 0 {
		*key = decoded[max(likely, 0)]
	}
}

// escape encodes what a header holds of a key or a tag: everything but letters, digits
// and "-_.~". AWS takes a plus for a blank there, whatever RFC 3986 says of paths.
func escape(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

// fitsXML reports whether a request in XML can name a key.
func fitsXML(key string) bool {
	return utf8.ValidString(key) && !strings.ContainsFunc(key, func(r rune) bool {
		return r < ' ' || r == '\uFFFE' || r == '\uFFFF'
	})
}
