package iam

import (
	"net/url"
	"strconv"
	"strings"

	"palhm/backends"
	"palhm/runtime/plan"
)

// For is the smallest policy with which copies can be made in a root. Without rotate
// it allows neither to remove nor to overwrite anything, nor to read back what was
// stored; with rotate also what removing old copies and changing the storage class
// take.
//
// A store that is not AWS seldom knows the conditions on conditional writes: with an
// endpoint they are left out, see Overwrites.
func For(s *plan.S3, rotate bool) Policy {
	r := resources(s)
	list := []Statement{
		{Sid: "ListCopies", Action: []string{"s3:ListBucket"}, Resource: []string{r.bucket}, Condition: r.below("StringLike")},
		r.listUploads(s),
		{Sid: "ReadStateOfCopies", Action: []string{"s3:GetObject"}, Resource: []string{r.object("*/" + plan.ReservedDir + "/*")}},
	}
	list = append(list, writes(s, r, rotate)...)
	list = append(list, Statement{Sid: "EndUploads", Action: []string{"s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"}, Resource: []string{r.object("*")}})
	if len(s.Tags) > 0 {
		list = append(list, Statement{Sid: "TagObjects", Action: []string{"s3:PutObjectTagging"}, Resource: []string{r.object("*")}})
	}
	if s.LockMode != "" {
		list = append(list, locks(s, r)...)
	}
	if rotate {
		list = append(list, rotates(s, r)...)
	}
	if s.KMSKey != "" {
		list = append(list, r.key(s))
	}
	for i := range list {
		list[i].Effect = "Allow"
	}
	return Policy{Version: version, Statement: list}
}

// Overwrites reports whether the policy for writing cannot keep a host from putting
// something in the place of what is there.
func Overwrites(s *plan.S3) bool { return !isAWS(s.Endpoint) }

// writes is the right to make objects where there are none, and to renew open.json.
// The requests that send parts make no object and know no conditions (Amazon S3 User
// Guide, "Enforce conditional writes on Amazon S3 buckets").
func writes(s *plan.S3, r arns, rotate bool) []Statement {
	put := []string{"s3:PutObject"}
	if Overwrites(s) || rotate && s.RotClass != "" {
		return []Statement{{Sid: "WriteObjects", Action: put, Resource: []string{r.object("*")}}}
	}
	return []Statement{
		{Sid: "WriteNewObjects", Action: put, Resource: []string{r.object("*")}, Condition: is("Null", "s3:if-none-match", "false")},
		{Sid: "SendParts", Action: put, Resource: []string{r.object("*")}, Condition: is("Bool", "s3:ObjectCreationOperation", "false")},
		{Sid: "RenewOpenCopies", Action: put, Resource: []string{r.object("*/" + plan.ReservedDir + "/open.json")}, Condition: is("Null", "s3:if-match", "false")},
	}
}

// locks is the right to see whether the bucket can lock, and to lock a copy, not for
// longer than the site asks for.
func locks(s *plan.S3, r arns) []Statement {
	return []Statement{
		{Sid: "SeeObjectLock", Action: []string{"s3:GetBucketObjectLockConfiguration"}, Resource: []string{r.bucket}},
		{
			Sid: "LockObjects", Action: []string{"s3:PutObjectRetention"}, Resource: []string{r.object("*")},
			Condition: map[string]map[string]string{
				"StringEquals":          {"s3:object-lock-mode": s.LockMode},
				"NumericLessThanEquals": {"s3:object-lock-remaining-retention-days": strconv.Itoa(s.LockDays + 1)},
			},
		},
	}
}

// rotates is the right to remove copies, to see what locks them, and to change the
// storage class of objects, which is a copy of each onto itself.
func rotates(s *plan.S3, r arns) []Statement {
	list := []Statement{
		{Sid: "RemoveCopies", Action: []string{"s3:DeleteObject"}, Resource: []string{r.object("*")}},
		{Sid: "SeeLocks", Action: []string{"s3:GetObjectRetention", "s3:GetObjectLegalHold"}, Resource: []string{r.object("*/" + backends.ManifestPath)}},
	}
	if s.RotClass == "" {
		return list
	}
	copying := Statement{Sid: "ChangeStorageClass", Action: []string{"s3:GetObject"}, Resource: []string{r.object("*")}}
	if len(s.Tags) > 0 {
		copying.Action = append(copying.Action, "s3:GetObjectTagging")
	}
	return append(list, copying)
}

// arns are the names of a root's resources.
type arns struct {
	partition string // "aws", "aws-cn", "aws-us-gov"
	bucket    string
	objects   string // what goes before a key
	root      string // what all keys begin with, with a slash behind it
}

func resources(s *plan.S3) arns {
	r := arns{partition: partition(s)}
	if s.Root != "" {
		r.root = s.Root + "/"
	}
	if strings.HasPrefix(s.Bucket, "arn:") { // of an access point
		r.bucket = s.Bucket
		r.objects = s.Bucket + "/object/"
		return r
	}
	r.bucket = "arn:" + r.partition + ":s3:::" + s.Bucket
	r.objects = r.bucket + "/"
	return r
}

func (r arns) object(key string) string { return r.objects + r.root + key }

// below is the condition that a listing keeps to the root.
func (r arns) below(operator string) map[string]map[string]string {
	if r.root == "" {
		return nil
	}
	return is(operator, "s3:prefix", r.root+"*")
}

// listUploads has a condition that is met by a store which does not look at the
// prefix of this request: AWS does not say that it does.
func (r arns) listUploads(s *plan.S3) Statement {
	st := Statement{Sid: "ListUploads", Action: []string{"s3:ListBucketMultipartUploads"}, Resource: []string{r.bucket}}
	if isAWS(s.Endpoint) {
		st.Condition = r.below("StringLikeIfExists")
	}
	return st
}

// key is the right to have the store use a KMS key.
func (r arns) key(s *plan.S3) Statement {
	service := "s3.*.amazonaws.com"
	if r.partition == "aws-cn" {
		service += ".cn"
	}
	st := Statement{
		Sid: "UseKey", Action: []string{"kms:GenerateDataKey", "kms:Decrypt"},
		Condition: is("StringLike", "kms:ViaService", service),
	}
	arn, name := "arn:"+r.partition+":kms:*:*:", s.KMSKey
	if fields := strings.SplitN(s.KMSKey, ":", 6); len(fields) == 6 {
		arn, name = strings.Join(fields[:5], ":")+":", fields[5]
	}
	switch {
	case strings.HasPrefix(name, "alias/"): // rights are on keys, whatever their names
		st.Resource = []string{arn + "key/*"}
		st.Condition["ForAnyValue:StringEquals"] = map[string]string{"kms:ResourceAliases": name}
	case strings.HasPrefix(name, "key/"):
		st.Resource = []string{arn + name}
	default:
		st.Resource = []string{arn + "key/" + name}
	}
	return st
}

// partition is the part of AWS that the bucket is in.
func partition(s *plan.S3) string {
	for _, arn := range []string{s.Bucket, s.KMSKey} {
		if fields := strings.Split(arn, ":"); len(fields) >= 6 && fields[0] == "arn" {
			return fields[1]
		}
	}
	switch {
	case strings.HasPrefix(s.Region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(s.Region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// isAWS reports whether an endpoint is one of AWS's own; "" is.
func isAWS(endpoint string) bool {
	if endpoint == "" {
		return true
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	host := strings.TrimSuffix(u.Hostname(), ".cn")
	return strings.HasSuffix(host, ".amazonaws.com")
}
