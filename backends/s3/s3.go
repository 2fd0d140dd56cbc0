// Package s3 keeps copies in a bucket of S3, or of a store that speaks its
// protocol. What is in a bucket, and what every request is for, is described in
// backends/README.md.
//
// A stream has no known length, so it is uploaded in parts that grow, and an object
// is completed only when the stream has ended with io.EOF. What a store answers to
// the request that completes an object is never believed, neither a yes nor a no:
// the object itself is looked at.
package s3

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"palhm/backends"
	"palhm/runtime/plan"
)

// Options describe a root in a bucket. Only Bucket is required.
type Options struct {
	Bucket string
	Root   string // what all keys begin with, without slashes around it; "" = the whole bucket
	Host   string // what this host is called in open.json; "" = as the kernel says

	Profile   string // of the shared files; "" = the default chain decides
	Region    string // "" = from the environment or profile, else the bucket is asked
	Endpoint  string // URL of the store; "" = AWS, or what the environment or profile says
	PathStyle *bool  // the bucket stands in the path of URLs, not in the host; nil = yes with an endpoint
	CAFile    string // PEM certificates to trust instead of the system's; "" = the system's

	SinkClass string            // storage class that objects are written in; "" = the bucket's default
	RotClass  string            // storage class that a committed copy is changed to; "" = it stays
	SSE       string            // "AES256", "aws:kms", "aws:kms:dsse"; "" = the bucket's default
	KMSKey    string            // id or ARN of the key; "" = the default one
	Tags      map[string]string // of every object
	LockMode  string            // object lock: "GOVERNANCE" or "COMPLIANCE"; "" = none
	LockDays  int               // how long a committed copy is locked

	MinPart     int64  // bytes of the smallest part that the store takes; 0 = 5 MiB
	PartSize    int64  // bytes of the first parts, or of all equal ones; 0 = 8 MiB, or 64 MiB when equal
	EqualParts  *bool  // all parts but the last have one size; nil = as the endpoint is known to want it
	MaxParts    int    // of an upload; 0 = as the endpoint is known to allow, 10,000
	Concurrency int    // parts of one stream that are under way at a time; 0 = 2
	Checksum    string // "crc64nvme", "md5", "none"; "" = as the endpoint is known to take, crc64nvme
	Bandwidth   int64  // bytes a second that are sent at most; 0 = no limit

	Memory *Budget // shared by the stores of a process; nil = one of its own, of DefaultMemory
	Runs   *Runs   // likewise; nil = its own

	LockDir  string // where lock files are; "" = as flock.Dir chooses
	StateDir string // where the journal of uploads is; "" = as host.StateDir

	Heartbeat time.Duration // between two signs of life of a copy; 0 = 3 minutes
	Backoff   time.Duration // before the first retry; 0 = 200 ms
	Stall     time.Duration // after which a connection that moves no byte is given up; 0 = 2 minutes
	Attempts  int           // of a request; 0 = 12, which outlast about a minute of outage

	// Silence is how long a run that was told to stop waits for an answer while it
	// cleans up; 0 = 15 seconds.
	Silence time.Duration
}

// Store is a root in a bucket. It makes its client, and the first request, when it
// is first used.
type Store struct {
	opt    Options
	memory *Budget
	runs   *Runs
	limit  *bandwidth

	// These are final when there is a client: the environment or the profile may name
	// an endpoint too.
	quirks   quirks
	endpoint string

	credentials *credentials // nil = there is no client yet

	connecting chan struct{} // holds one while the client is being made

	mu      sync.Mutex // held for no request
	client  *client
	sizes   map[string]int64  // of large objects in earlier copies, by path
	infos   map[string]cached // what the manifests of copies said, by prefix
	notices []string          // what the bucket is like, for the warnings of copies
	fresh   string            // the copy that was just committed, until it was listed; "" = none

	unusable   error // why the bucket cannot be used
	unusableAt time.Time

	tried         bool  // it is known whether the store keeps conditions
	unconditional bool  // it ignores or refuses them
	uploadsListed *bool // it lists all open uploads below a key; nil = not known
	versioned     bool  // the bucket keeps old versions
	oneByOne      bool  // the store cannot delete several keys in one request
	owes          bool  // Recover was not done with all that the journal says

	large    sync.Mutex                // held while a large manifest is read
	answered atomic.Pointer[time.Time] // when the store last answered; nil = not yet

	self  func() identity // of this process
	heads sync.Pool       // of *[]byte, of headSize bytes

	largestCopy int64 // bytes that one request can copy

	// deadAfter is how old the last sign of life of a run must be, by the store's clock,
	// before another host takes it for dead, and how old what that host has written must
	// be before it acts on it. No listing lags so far behind.
	deadAfter time.Duration
}

var (
	_ backends.Store    = (*Store)(nil)
	_ backends.Locker   = (*Store)(nil)
	_ backends.Finisher = (*Store)(nil)
	_ backends.Keeper   = (*Store)(nil)
	_ backends.Copy     = (*Copy)(nil)
	_ backends.Warner   = (*Copy)(nil)
)

// New describes a store. It sends nothing and reads no file.
func New(o Options) (*Store, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("aws_s3 %s: %w", o.Bucket, err)
	}
	o.setDefaults()
	s := &Store{
		opt: o, quirks: quirksOf(o, o.Endpoint), memory: o.Memory, runs: o.Runs, limit: newBandwidth(o.Bandwidth),
		infos: map[string]cached{}, sizes: map[string]int64{}, connecting: make(chan struct{}, 1),
		self: sync.OnceValue(func() identity { return thisProcess(o.Host) }), largestCopy: largestCopy, deadAfter: time.Hour,
	}
	s.heads.New = func() any { b := make([]byte, headSize); return &b }
	if s.memory == nil {
		s.memory = NewBudget(DefaultMemory)
	}
	if s.runs == nil {
		s.runs = new(Runs)
	}
	if err := s.quirks.check(); err != nil {
		return nil, fmt.Errorf("aws_s3 %s: %w", o.Bucket, err)
	}
	return s, nil
}

func (o *Options) check() error {
	if o.Bucket == "" {
		return errors.New("bucket is empty, want the name of a bucket")
	}
	if o.Root != "" {
		if err := plan.CheckPath(o.Root); err != nil {
			return fmt.Errorf("root: %w", err)
		}
	}
	switch {
	case o.Concurrency < 0 || o.MaxParts < 0 || o.PartSize < 0 || o.MinPart < 0 || o.Bandwidth < 0 || o.LockDays < 0:
		return errors.New("got a negative number, want 0 or more")
	case (o.LockMode == "") != (o.LockDays == 0):
		return errors.New("object lock needs a mode and a number of days")
	case o.LockMode != "" && o.LockMode != "GOVERNANCE" && o.LockMode != "COMPLIANCE":
		return fmt.Errorf("got object lock mode %q, want GOVERNANCE or COMPLIANCE", o.LockMode)
	}
	return nil
}

func (o *Options) setDefaults() {
	if o.Concurrency == 0 {
		o.Concurrency = 2
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = 3 * time.Minute
	}
	if o.Backoff == 0 {
		o.Backoff = 200 * time.Millisecond
	}
	if o.Stall == 0 {
		o.Stall = 2 * time.Minute
	}
	if o.Attempts == 0 {
		o.Attempts = 12
	}
	if o.Silence == 0 {
		o.Silence = 15 * time.Second
	}
}

// Root is s3://BUCKET/ROOT.
func (s *Store) Root() string {
	if s.opt.Root == "" {
		return "s3://" + s.opt.Bucket
	}
	return "s3://" + s.opt.Bucket + "/" + s.opt.Root
}

// key is where p lies in the bucket, relative to ROOT.
func (s *Store) key(p string) string {
	if s.opt.Root == "" {
		return p
	}
	return s.opt.Root + "/" + p
}

// url names a key for a person.
func (s *Store) url(key string) string { return "s3://" + s.opt.Bucket + "/" + key }

// checkCopyName refuses a name that no copy has, before anything is sent.
func checkCopyName(ctx context.Context, prefix string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	_, _, err := backends.ParsePrefix(prefix)
	return err
}
