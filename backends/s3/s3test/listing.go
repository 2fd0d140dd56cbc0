package s3test

import (
	"encoding/xml"
	"maps"
	"net/url"
	"slices"
	"strings"
)

type listedObject struct {
	Key          string
	LastModified string
	ETag         string
	Size         int64
	StorageClass string
}

type commonPrefix struct{ Prefix string }

type objectsResult struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	Name, Prefix          string
	IsTruncated           bool
	KeyCount              int
	EncodingType          string `xml:",omitempty"`
	NextContinuationToken string `xml:",omitempty"`
	Contents              []listedObject
	CommonPrefixes        []commonPrefix
}

func (s *Server) page() int {
	if s.quirks.Page > 0 {
		return s.quirks.Page
	}
	return 1000
}

func (s *Server) listObjects(q url.Values) answer {
	page := s.page()
	if q.Get("max-keys") == "1" {
		page = 1
	}
	hidden := s.stale()
	encode, encoding := s.encoding(q)
	res := objectsResult{Name: s.Bucket, Prefix: encode(q.Get("prefix")), EncodingType: encoding}
	if s.quirks.Prefix != nil {
		q.Set("prefix", s.quirks.Prefix(q.Get("prefix")))
	}
	after, _ := url.QueryUnescape(q.Get("continuation-token"))
	last := ""
	objects := s.listed()
	for _, key := range slices.Sorted(maps.Keys(objects)) {
		if !strings.HasPrefix(key, q.Get("prefix")) || key == hidden {
			continue
		}
		name := key
		if d := q.Get("delimiter"); d != "" {
			if first, _, more := strings.Cut(key[len(q.Get("prefix")):], d); more {
				name = q.Get("prefix") + first + d
			}
		}
		again := s.quirks.Overlap && name == after && name != last
		if name <= after && !again || name == last {
			continue
		}
		if res.KeyCount == page {
			res.IsTruncated, res.NextContinuationToken = true, s.token(last)
			break
		}
		last = name
		res.KeyCount++
		if name != key {
			res.CommonPrefixes = append(res.CommonPrefixes, commonPrefix{encode(name)})
			continue
		}
		o := objects[key]
		etag := o.etag
		if s.quirks.OddETags {
			etag = etagOf([]byte(etag))
		}
		res.Contents = append(res.Contents, listedObject{encode(key), stamp(o.modified), etag, o.size, o.Class})
	}
	return xmlAnswer(res)
}

// token names the page after a key.
func (s *Server) token(last string) string {
	if s.quirks.Token != nil {
		last = s.quirks.Token(last)
	}
	return url.QueryEscape(last)
}

// stale is the key that a listing does not show yet.
func (s *Server) stale() (hidden string) {
	if s.quirks.HideLists > 0 {
		s.quirks.HideLists--
		return s.quirks.HideKey
	}
	if s.quirks.StaleLists == 0 {
		return ""
	}
	s.quirks.StaleLists--
	newest := 0
	for key, o := range s.objects {
		if o.serial > newest {
			newest, hidden = o.serial, key
		}
	}
	return hidden
}

// encoding is how keys are written in an answer, and the word for it.
func (s *Server) encoding(q url.Values) (encode func(string) string, name string) {
	if q.Get("encoding-type") != "url" || s.quirks.IgnoreEncoding {
		return func(key string) string { return key }, ""
	}
	kept := []string{"%2F", "/"}
	if s.quirks.LaxEncoding {
		kept = append(kept, "%3A", ":", "%2B", "+", "+", "%20")
	}
	r := strings.NewReplacer(kept...)
	return func(key string) string { return r.Replace(url.QueryEscape(key)) }, "url"
}

type listedUpload struct{ Key, UploadId, Initiated string }

type uploadsResult struct {
	XMLName            xml.Name `xml:"ListMultipartUploadsResult"`
	Bucket, Prefix     string
	EncodingType       string `xml:",omitempty"`
	IsTruncated        bool
	NextKeyMarker      string `xml:",omitempty"`
	NextUploadIdMarker string `xml:",omitempty"`
	Upload             []listedUpload
}

func (s *Server) listUploads(q url.Values) answer {
	marker, idMarker := q.Get("key-marker"), q.Get("upload-id-marker")
	if marker != "" && s.quirks.RefuseUploadMarkers {
		return fail(400, "InvalidArgument")
	}
	var open []*upload
	for _, u := range s.uploads {
		match := strings.HasPrefix(u.key, q.Get("prefix"))
		if s.quirks.ExactUploads {
			match = u.key == q.Get("prefix")
		}
		if match && !u.done && (u.key > marker || u.key == marker && idMarker != "" && u.id > idMarker) {
			open = append(open, u)
		}
	}
	slices.SortFunc(open, func(a, b *upload) int {
		if c := strings.Compare(a.key, b.key); c != 0 {
			return c
		}
		return strings.Compare(a.id, b.id)
	})
	encode, encoding := s.encoding(q)
	res := uploadsResult{Bucket: s.Bucket, Prefix: encode(q.Get("prefix")), EncodingType: encoding}
	for i, u := range open {
		if i == s.page() {
			res.IsTruncated = true
			res.NextKeyMarker, res.NextUploadIdMarker = encode(open[i-1].key), open[i-1].id
			break
		}
		res.Upload = append(res.Upload, listedUpload{encode(u.key), u.id, stamp(u.began)})
	}
	return xmlAnswer(res)
}
