package starlib

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.starlark.net/starlark"

	"palhm/runtime/plan"
)

// The sizes of parts that S3 allows, in bytes, and how many parts (Amazon S3 User
// Guide, "Multipart upload limits").
const (
	minPartSize = 5 << 20
	maxPartSize = 5 << 30
	maxParts    = 10_000
)

func awsS3Builtin() *builtin {
	optional := func(name, typ, doc string) Param {
		return Param{Name: name, Type: typ, Default: "None", KeywordOnly: true, Doc: doc}
	}
	return &builtin{
		Doc: Doc{
			Name: "aws_s3",
			Text: `A bucket of S3, or of a store that speaks its protocol. Credentials come from where AWS's own tools find
them: environment, shared files, profile, SSO, web identity, instance. "palhm iam-policy" prints the rights that are needed.
A stream may have any length: it is sent in parts that grow. Where a store is known to want something else
(Cloudflare R2, Scaleway, Storj, Backblaze B2), that is the default for its endpoint.`,
			Params: []Param{
				{Name: "bucket", Type: "string", Doc: "the name of the bucket, which must exist"},
				{Name: "root", Type: "string", Doc: `what all keys begin with, such as "backup/web1"; "" is the whole bucket`},
				optional("profile", "string", "the profile of AWS's shared files"),
				optional("region", "string", "where the bucket is; without it the configuration says so, or the bucket itself"),
				optional("endpoint", "string", "the URL of a store that is not AWS"),
				optional("path_style", "bool", "name the bucket in the path of URLs; the default is True with an endpoint"),
				optional("ca_file", "string", "a file of PEM certificates to trust instead of the system's, an absolute path"),
				optional("sink_storage_class", "string", `the storage class that objects are written in, such as "STANDARD_IA"; without it the bucket decides`),
				optional("rot_storage_class", "string", "the storage class that a copy's objects are changed to once it is committed, before old copies are removed"),
				{Name: "nb_copy_limit", Type: "number or string", Default: `"Infinity"`, KeywordOnly: true, Doc: "how many copies stay, at least 1"},
				{Name: "root_size_limit", Type: "size", Default: `"Infinity"`, KeywordOnly: true, Doc: "how many bytes the copies may take together"},
				optional("sse", "string", `encryption by the store: "AES256", "aws:kms" or "aws:kms:dsse"`),
				optional("kms_key", "string", "the id or ARN of the KMS key"),
				optional("tags", "dict of strings", "tags of every object"),
				optional("object_lock_mode", "string", `"GOVERNANCE" or "COMPLIANCE": a committed copy cannot be removed for a while, not by rotation either; the bucket must have been made with object lock`),
				optional("object_lock_days", "int", "for how many days"),
				optional("part_size", "size", `the size of the first parts, "5MiB" to "5GiB"; the default is "8MiB"`),
				optional("equal_parts", "bool", `all parts but the last have one size, "64MiB" unless alloc_size or part_size asks for another`),
				optional("max_parts", "int", "how many parts an upload may have; the default is 10000"),
				optional("concurrency", "int", "how many parts of one stream are under way at a time; the default is 2"),
				optional("checksum", "string", `what every part is sent with: "crc64nvme", "md5" or "none"; the default is "crc64nvme"`),
				optional("bandwidth", "size", `how many bytes a second are sent at most, over all connections, such as "20MiB"`),
			},
		},
		run: func(c *call) (starlark.Value, error) {
			b := &backendValue{backend: plan.Backend{Kind: "aws_s3", Pos: c.caller(), S3: &plan.S3{}}}
			if err := c.unpack(b.setS3); err != nil {
				return nil, err
			}
			return b, checkS3(b.backend.S3)
		},
		broken: brokenBackend,
	}
}

// checkS3 refuses what only together makes no sense.
func checkS3(s *plan.S3) error {
	switch {
	case s.LockMode != "" && s.LockDays == 0:
		return errors.New("object_lock_mode needs object_lock_days")
	case s.LockDays != 0 && s.LockMode == "":
		return errors.New(`object_lock_days needs object_lock_mode, "GOVERNANCE" or "COMPLIANCE"`)
	case s.KMSKey != "" && !strings.HasPrefix(s.SSE, "aws:kms"):
		return errors.New(`kms_key needs sse = "aws:kms" or "aws:kms:dsse"`)
	case s.RotClass != "" && slices.Contains(archives, s.SinkClass):
		return fmt.Errorf("objects that are written in class %s can be copied only after a restore, so rot_storage_class cannot change it; write sink_storage_class = %q alone", s.SinkClass, s.RotClass)
	}
	return errors.Join(checkClass(s, "sink_storage_class", s.SinkClass), checkClass(s, "rot_storage_class", s.RotClass))
}

// classes are the storage classes of AWS for objects in a bucket (Amazon S3 API
// Reference, PutObject). Other stores have others.
var classes = []string{
	"STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE",
	"REDUCED_REDUNDANCY", "EXPRESS_ONEZONE", "OUTPOSTS", "SNOW", "FSX_OPENZFS", "FSX_ONTAP",
}

// archives are those whose objects have to be restored before they can be read.
var archives = []string{"GLACIER", "DEEP_ARCHIVE"}

// checkClass refuses what AWS does not know. At another endpoint any name is as good.
func checkClass(s *plan.S3, param, class string) error {
	if class == "" || s.Endpoint != "" || slices.Contains(classes, class) {
		return nil
	}
	err := fmt.Errorf("got %q, want a storage class of AWS: %s", clip(class), strings.Join(classes[:7], ", "))
	if n := Nearest(class, classes); n != "" {
		err = fmt.Errorf("got %q, which is no storage class of AWS (did you mean %s?)", clip(class), n)
	}
	return &argError{-1, param, param, err}
}

func (b *backendValue) setS3(name string, v starlark.Value) error {
	s := b.backend.S3
	switch name {
	case "bucket":
		return toBucket(&s.Bucket, v)
	case "root":
		return toKeyRoot(&s.Root, v)
	case "endpoint":
		return toEndpoint(&s.Endpoint, v)
	case "path_style":
		return toOptionalBool(&s.PathStyle, v)
	case "ca_file":
		return toAbsolute(&s.CAFile, v)
	case "nb_copy_limit":
		return toLimit(&b.backend.Limits.Copies, v, false)
	case "root_size_limit":
		return toLimit(&b.backend.Limits.Bytes, v, true)
	case "tags":
		return toTags(&s.Tags, v)
	}
	if set, ok := s3Uploads(s)[name]; ok {
		return set(v)
	}
	if dst, ok := s3Words(s)[name]; ok {
		return toWord(dst, v, s3Choices[name])
	}
	panic("aws_s3 has no parameter " + name)
}

// s3Uploads are the parameters of how a stream is cut and sent.
func s3Uploads(s *plan.S3) map[string]func(starlark.Value) error {
	return map[string]func(starlark.Value) error{
		"part_size":        func(v starlark.Value) error { return toPartSize(&s.PartSize, v) },
		"equal_parts":      func(v starlark.Value) error { return toOptionalBool(&s.EqualParts, v) },
		"max_parts":        func(v starlark.Value) error { return toInt(&s.MaxParts, v, 2, maxParts) },
		"concurrency":      func(v starlark.Value) error { return toInt(&s.Concurrency, v, 1, 64) },
		"bandwidth":        func(v starlark.Value) error { return toBandwidth(&s.Bandwidth, v) },
		"object_lock_days": func(v starlark.Value) error { return toInt(&s.LockDays, v, 1, 36_500) },
	}
}

// s3Words are the parameters that are a word, of s3Choices or any.
func s3Words(s *plan.S3) map[string]*string {
	return map[string]*string{
		"profile": &s.Profile, "region": &s.Region, "sink_storage_class": &s.SinkClass, "rot_storage_class": &s.RotClass,
		"sse": &s.SSE, "kms_key": &s.KMSKey, "object_lock_mode": &s.LockMode, "checksum": &s.Checksum,
	}
}

// s3Choices leaves out the storage classes, which depend on the endpoint.
var s3Choices = map[string][]string{
	"sse":              {"AES256", "aws:kms", "aws:kms:dsse"},
	"object_lock_mode": {"GOVERNANCE", "COMPLIANCE"},
	"checksum":         {"crc64nvme", "md5", "none"},
}

func toWord(dst *string, v starlark.Value, choices []string) error {
	var s string
	if err := toString(&s, v); err != nil {
		return err
	}
	if s == "" {
		return errors.New("is empty; leave it out, or say None")
	}
	if strings.TrimSpace(s) != s || strings.ContainsFunc(s, unicode.IsControl) {
		return fmt.Errorf("got %s, which has blanks at its ends or characters that cannot be printed", short(v))
	}
	if len(choices) > 0 && !slices.Contains(choices, s) {
		if n := Nearest(s, choices); n != "" {
			return fmt.Errorf("got %s (did you mean %q?)", short(v), n)
		}
		return fmt.Errorf(`got %s, want "%s"`, short(v), strings.Join(choices, `", "`))
	}
	*dst = s
	return nil
}

// bucketName is what every store accepts, and more: old buckets have capitals and
// underscores (Amazon S3 User Guide, "Bucket naming rules").
var bucketName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$`)

func toBucket(dst *string, v starlark.Value) error {
	if err := toString(dst, v); err != nil {
		return err
	}
	switch {
	case strings.HasPrefix(*dst, "s3://"):
		return fmt.Errorf("got %s, want the name alone, such as %q", short(v), strings.Split(strings.TrimPrefix(*dst, "s3://"), "/")[0])
	case strings.HasPrefix(*dst, "arn:") && !strings.ContainsAny(*dst, " \n"):
		return nil // an access point
	case strings.Contains(*dst, "/"):
		return fmt.Errorf("got %s, want the name of the bucket alone; what keys begin with is root", short(v))
	case !bucketName.MatchString(*dst) || strings.Contains(*dst, "..") || net.ParseIP(*dst) != nil:
		return fmt.Errorf("got %s, want the name of a bucket: 3 to 63 lower-case letters, digits, dots and hyphens", short(v))
	}
	return nil
}

// toKeyRoot reads what keys begin with. Slashes around it mean nothing in a bucket
// and are left out.
func toKeyRoot(dst *string, v starlark.Value) error {
	var root string
	if err := toString(&root, v); err != nil {
		return err
	}
	root = strings.Trim(root, "/")
	if root != "" {
		if err := plan.CheckPath(root); err != nil {
			return err
		}
	}
	*dst = root
	return nil
}

func toEndpoint(dst *string, v starlark.Value) error {
	if err := toString(dst, v); err != nil {
		return err
	}
	u, err := url.Parse(*dst)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf(`got %s, want a URL such as "https://s3.example.org"`, short(v))
	}
	return nil
}

func toOptionalBool(dst **bool, v starlark.Value) error {
	var b bool
	if err := toBool(&b, v); err != nil {
		return err
	}
	*dst = &b
	return nil
}

func toPartSize(dst *int64, v starlark.Value) error {
	if err := toSize(dst, v); err != nil {
		return err
	}
	if *dst < minPartSize || *dst > maxPartSize {
		return fmt.Errorf(`got %s, want "5MiB" to "5GiB"`, short(v))
	}
	return nil
}

func toBandwidth(dst *int64, v starlark.Value) error {
	if err := toSize(dst, v); err != nil {
		return err
	}
	if *dst < 1<<10 || *dst > math.MaxInt64>>20 {
		return fmt.Errorf(`got %s, want at least "1KiB"`, short(v))
	}
	return nil
}

// tagText is what names and values of tags are made of (Amazon S3 User Guide,
// "Categorizing your objects using tags").
var tagText = regexp.MustCompile(`^[\p{L}\p{Zs}\p{N}_.:/=+@-]*$`)

// toTags copies the dict: a site may change it afterwards.
func toTags(dst *map[string]string, v starlark.Value) error {
	d, ok := v.(*starlark.Dict)
	if !ok {
		return fmt.Errorf(`got %s, want a dict such as {"host": "web1"}`, describe(v))
	}
	tags := make(map[string]string, d.Len())
	for _, item := range d.Items() {
		name, ok1 := starlark.AsString(item[0])
		value, ok2 := starlark.AsString(item[1])
		switch {
		case !ok1 || !ok2 || name == "":
			return fmt.Errorf("got %s: %s, want strings", short(item[0]), short(item[1]))
		case strings.HasPrefix(name, "aws:"):
			return fmt.Errorf("tag %s: names that begin with aws: belong to AWS", short(item[0]))
		case !tagText.MatchString(name + value):
			return fmt.Errorf("tag %s: %s: want letters, digits, blanks and _.:/=+-@ only", short(item[0]), short(item[1]))
		case utf8.RuneCountInString(name) > 128 || utf8.RuneCountInString(value) > 256:
			return fmt.Errorf("tag %s: a name has at most 128 characters and a value 256", short(item[0]))
		}
		tags[name] = value
	}
	if len(tags) > 10 {
		return fmt.Errorf("got %d tags, an object has at most 10", len(tags))
	}
	*dst = tags
	return nil
}
