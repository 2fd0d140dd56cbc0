package s3

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"hash"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/minio/crc64nvme"
)

// sums are the checksums that a body is sent with; nil = not this one. They are
// computed here because the SDK's own CRC64NVME is slow, and because it sends none
// unless it is told to.
type sums struct{ crc, md5 *string }

func (q quirks) sums(body []byte) sums {
	switch q.checksum {
	case checksumCRC64NVME:
		h := crc64nvme.New()
		h.Write(body)
		return sums{crc: base64CRC(h)}
	case checksumMD5:
		sum := md5.Sum(body)
		text := base64.StdEncoding.EncodeToString(sum[:])
		return sums{md5: &text}
	}
	return sums{}
}

func base64CRC(h hash.Hash64) *string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], h.Sum64())
	text := base64.StdEncoding.EncodeToString(b[:])
	return &text
}

// start tells the store which checksum the parts of an upload will have.
func (q quirks) start(in *s3.CreateMultipartUploadInput) {
	if q.checksum == checksumCRC64NVME {
		in.ChecksumAlgorithm = types.ChecksumAlgorithmCrc64nvme
		in.ChecksumType = types.ChecksumTypeFullObject
	}
}
