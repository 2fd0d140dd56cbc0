package s3_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// ways are what stores do in their own ways, as rows of a table in backends/README.md.
var ways = []struct {
	name string
	ask  func(t *testing.T, c *awss3.Client) string
}{
	{"`If-None-Match: *` where something is", func(t *testing.T, c *awss3.Client) string {
		_, err := c.PutObject(t.Context(), object("there", func(in *awss3.PutObjectInput) { in.IfNoneMatch = aws.String("*") }))
		return answered(err)
	}},
	{"`If-Match` with a wrong ETag", func(t *testing.T, c *awss3.Client) string {
		_, err := c.PutObject(t.Context(), object("there", func(in *awss3.PutObjectInput) { in.IfMatch = aws.String(`"00000000000000000000000000000000"`) }))
		return answered(err)
	}},
	{"a wrong `x-amz-checksum-crc64nvme`", func(t *testing.T, c *awss3.Client) string {
		_, err := c.PutObject(t.Context(), object("crc", func(in *awss3.PutObjectInput) { in.ChecksumCRC64NVME = aws.String("AAAAAAAAAAA=") }))
		return answered(err)
	}},
	{"a wrong `Content-MD5`", func(t *testing.T, c *awss3.Client) string {
		_, err := c.PutObject(t.Context(), object("md5", func(in *awss3.PutObjectInput) { in.ContentMD5 = aws.String("AAAAAAAAAAAAAAAAAAAAAA==") }))
		return answered(err)
	}},
	{"an unknown storage class", func(t *testing.T, c *awss3.Client) string {
		_, err := c.PutObject(t.Context(), object("class", func(in *awss3.PutObjectInput) { in.StorageClass = "NO_SUCH_CLASS" }))
		return answered(err)
	}},
	{"open uploads by the beginning of a key", func(t *testing.T, c *awss3.Client) string { return listed(t, c, "up") }},
	{"open uploads by the whole key", func(t *testing.T, c *awss3.Client) string { return listed(t, c, "upload/x") }},
	{"the key `a:b+c d` with `encoding-type=url`", func(t *testing.T, c *awss3.Client) string {
		_, err := c.PutObject(t.Context(), object("enc/a:b+c d", nil))
		if err != nil {
			return answered(err)
		}
		out, err := c.ListObjectsV2(t.Context(), &awss3.ListObjectsV2Input{Bucket: aws.String("bucket"), Prefix: aws.String("enc/"), EncodingType: types.EncodingTypeUrl})
		if err != nil || len(out.Contents) != 1 {
			return answered(err)
		}
		return "`" + strings.TrimPrefix(*out.Contents[0].Key, "enc/") + "`"
	}},
	{"a bare plus in `x-amz-copy-source`", func(t *testing.T, c *awss3.Client) string {
		_, err := c.CopyObject(t.Context(), &awss3.CopyObjectInput{Bucket: aws.String("bucket"), Key: aws.String("copy"), CopySource: aws.String("bucket/a+b")})
		if code(err) == "NoSuchKey" {
			return "a blank"
		}
		if err == nil {
			return "a plus"
		}
		return answered(err)
	}},
	{"the ETag in a listing", func(t *testing.T, c *awss3.Client) string {
		put, err := c.PutObject(t.Context(), object("etag", nil))
		if err != nil {
			return answered(err)
		}
		out, err := c.ListObjectsV2(t.Context(), &awss3.ListObjectsV2Input{Bucket: aws.String("bucket"), Prefix: aws.String("etag")})
		if err != nil || len(out.Contents) != 1 {
			return answered(err)
		}
		if aws.ToString(out.Contents[0].ETag) == aws.ToString(put.ETag) {
			return "the same"
		}
		return "another"
	}},
}

func object(key string, change func(*awss3.PutObjectInput)) *awss3.PutObjectInput {
	in := &awss3.PutObjectInput{Bucket: aws.String("bucket"), Key: &key, Body: bytes.NewReader([]byte("x"))}
	if change != nil {
		change(in)
	}
	return in
}

func code(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

func answered(err error) string {
	if err == nil {
		return "accepted"
	}
	return code(err)
}

// listed says whether an open upload of the key upload/x is in a list.
func listed(t *testing.T, c *awss3.Client, prefix string) string {
	up, err := c.CreateMultipartUpload(t.Context(), &awss3.CreateMultipartUploadInput{Bucket: aws.String("bucket"), Key: aws.String("upload/x")})
	if err != nil {
		return answered(err)
	}
	out, err := c.ListMultipartUploads(t.Context(), &awss3.ListMultipartUploadsInput{Bucket: aws.String("bucket"), Prefix: &prefix})
	if err != nil {
		return answered(err)
	}
	for _, u := range out.Uploads {
		if aws.ToString(u.UploadId) == aws.ToString(up.UploadId) {
			return "listed"
		}
	}
	return "not listed"
}

// TestWaysOfStores measures the table of backends/README.md.
func TestWaysOfStores(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for line := range strings.Lines(string(readme)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		rows[strings.TrimSpace(cells[0])] = cells
	}
	for i, name := range append(servers, "gofakes3", "rclone") {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, name)
			c := awss3.New(srv.client(t).Options(), func(o *awss3.Options) {
				o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
				o.RetryMaxAttempts = 1
			})
			for _, key := range []string{"there", "a+b"} {
				if _, err := c.PutObject(t.Context(), object(key, nil)); err != nil {
					t.Fatal(err)
				}
			}
			for _, way := range ways {
				got, want := way.ask(t, c), ""
				if row := rows[way.name]; len(row) > i+1 {
					want = strings.TrimSpace(row[i+1])
				}
				if got != want {
					t.Errorf("%s: got %s, and backends/README.md says %q", way.name, got, want)
				}
			}
		})
	}
}
