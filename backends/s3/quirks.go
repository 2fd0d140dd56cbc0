package s3

import (
	"fmt"
	"net/url"
	"strings"
)

// Sizes of parts, in bytes: what S3 allows, and what is used when nothing is said.
const (
	defaultMinPart   = 5 << 20
	maxPart          = 5 << 30
	defaultPart      = 8 << 20
	defaultEqualPart = 64 << 20
	defaultMaxParts  = 10_000
)

// The checksums that a part or an object is sent with.
const (
	checksumCRC64NVME = "crc64nvme"
	checksumMD5       = "md5"
	checksumNone      = "none"
)

// quirks are the ways in which stores differ, after what the site said.
type quirks struct {
	equalParts bool
	maxParts   int
	partSize   int64
	smallest   int64 // bytes of a part that is not the last
	largest    int64 // bytes of a part
	checksum   string
	pathStyle  bool
}

// known are stores whose ways are documented, by the end of their host names. R2:
// developers.cloudflare.com/r2/platform/limits. Scaleway and Storj: their pages on
// limits. Backblaze rejects requests that carry an x-amz-checksum header.
var known = map[string]quirks{
	"r2.cloudflarestorage.com": {equalParts: true, largest: 4 << 30},
	"scw.cloud":                {maxParts: 1000},
	"storjshare.io":            {partSize: 64 << 20},
	"backblazeb2.com":          {checksum: checksumMD5},
	"storage.googleapis.com":   {checksum: checksumMD5},
}

// quirksOf joins what is known of the endpoint with what the site says, which wins. An
// endpoint of "" is AWS.
func quirksOf(o Options, endpoint string) quirks {
	q := knownQuirks(endpoint)
	q.pathStyle = endpoint != ""
	if o.PathStyle != nil {
		q.pathStyle = *o.PathStyle
	}
	if o.EqualParts != nil {
		q.equalParts = *o.EqualParts
	}
	if o.MaxParts != 0 {
		q.maxParts = o.MaxParts
	}
	if o.PartSize != 0 {
		q.partSize = o.PartSize
	}
	q.smallest = o.MinPart
	if o.Checksum != "" {
		q.checksum = o.Checksum
	}
	return q.withDefaults()
}

func (q quirks) withDefaults() quirks {
	if q.maxParts == 0 {
		q.maxParts = defaultMaxParts
	}
	if q.smallest == 0 {
		q.smallest = defaultMinPart
	}
	if q.largest == 0 {
		q.largest = maxPart
	}
	if q.checksum == "" {
		q.checksum = checksumCRC64NVME
	}
	return q
}

func knownQuirks(endpoint string) quirks {
	u, err := url.Parse(endpoint)
	if err != nil {
		return quirks{}
	}
	host := strings.ToLower(u.Hostname())
	for end, q := range known {
		if host == end || strings.HasSuffix(host, "."+end) {
			return q
		}
	}
	return quirks{}
}

// sizeText is a number of bytes as a site says it.
func sizeText(n int64) string {
	switch {
	case n%(1<<30) == 0:
		return fmt.Sprintf("%dGiB", n>>30)
	case n%(1<<20) == 0:
		return fmt.Sprintf("%dMiB", n>>20)
	}
	return fmt.Sprintf("%d bytes", n)
}

func (q quirks) check() error {
	switch {
	case q.partSize != 0 && (q.partSize < q.smallest || q.partSize > q.largest):
		return fmt.Errorf("got part_size %s, and the store takes parts of %s to %s", sizeText(q.partSize), sizeText(q.smallest), sizeText(q.largest))
	case q.maxParts > defaultMaxParts:
		return fmt.Errorf("got max_parts %d, want at most %d", q.maxParts, defaultMaxParts)
	}
	switch q.checksum {
	case checksumCRC64NVME, checksumMD5, checksumNone:
		return nil
	}
	return fmt.Errorf("got checksum %q, want %s, %s or %s", q.checksum, checksumCRC64NVME, checksumMD5, checksumNone)
}
