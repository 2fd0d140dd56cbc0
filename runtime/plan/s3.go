package plan

// S3 is a bucket, or a part of one, that holds copies. The zero value of whatever is
// optional leaves the choice to the backend: what AWS's configuration says, or what
// the store at that endpoint is known to want.
type S3 struct {
	Bucket string `json:"bucket"`
	Root   string `json:"root"` // what all keys begin with; no slashes around it, may be ""

	Profile   string `json:"profile,omitempty"`
	Region    string `json:"region,omitempty"`
	Endpoint  string `json:"endpoint,omitempty"` // URL
	PathStyle *bool  `json:"path_style,omitempty"`
	CAFile    string `json:"ca_file,omitempty"`

	SinkClass string            `json:"sink_storage_class,omitempty"`
	RotClass  string            `json:"rot_storage_class,omitempty"`
	SSE       string            `json:"sse,omitempty"`
	KMSKey    string            `json:"kms_key,omitempty"`
	Tags      map[string]string `json:"tags,omitempty"`
	LockMode  string            `json:"object_lock_mode,omitempty"` // "GOVERNANCE", "COMPLIANCE"
	LockDays  int               `json:"object_lock_days,omitempty"`

	PartSize    int64  `json:"part_size,omitempty"` // bytes
	EqualParts  *bool  `json:"equal_parts,omitempty"`
	MaxParts    int    `json:"max_parts,omitempty"`
	Concurrency int    `json:"concurrency,omitempty"` // parts of a stream at a time
	Checksum    string `json:"checksum,omitempty"`    // "crc64nvme", "md5", "none"
	Bandwidth   int64  `json:"bandwidth,omitempty"`   // bytes a second
}

// URL names the place for a person: "s3://bucket/root".
func (s *S3) URL() string {
	if s.Root == "" {
		return "s3://" + s.Bucket
	}
	return "s3://" + s.Bucket + "/" + s.Root
}
