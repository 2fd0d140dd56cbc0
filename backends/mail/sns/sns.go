// Package sns publishes messages to topics of Amazon's notification service.
package sns

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"

	"palhm/backends/mail"
	"palhm/runtime/host"
	"palhm/runtime/plan"
)

// The limits of Publish (Amazon SNS API Reference): characters, and bytes.
const (
	maxSubject = 100
	maxBody    = 256 << 10
)

// DefaultTimeout is how long publishing to one topic may take, with its repetitions.
const DefaultTimeout = time.Minute

// Options say whose topics they are. The zero value is what AWS's own tools would
// take, from the environment and the shared files.
type Options struct {
	Profile string
	Region  string        // "" = what the ARN of each topic says
	Timeout time.Duration // for each topic; 0 = DefaultTimeout
}

// Mailer publishes messages; their recipients are ARNs of topics.
type Mailer struct{ opt Options }

var _ mail.Mailer = (*Mailer)(nil)

// New returns a mailer. It asks for nothing yet.
func New(o Options) *Mailer {
	o.Timeout = cmp.Or(o.Timeout, DefaultTimeout)
	return &Mailer{o}
}

// Send publishes a message to every topic. One that fails does not keep it from the
// others. What is longer than the service allows is cut, and says so.
func (m *Mailer) Send(ctx context.Context, msg mail.Message) error {
	if err := msg.CheckFor(plan.MUASNS); err != nil {
		return fmt.Errorf("publish to SNS: %w", err)
	}
	cfg, err := m.config(ctx)
	if err != nil {
		return fmt.Errorf("publish to SNS: read the configuration of AWS: %w", err)
	}
	client := sns.NewFromConfig(cfg)
	var errs []error
	for _, topic := range msg.To {
		if err := m.publish(ctx, client, topic, msg); err != nil {
			errs = append(errs, fmt.Errorf("publish to %s: %w", topic, err))
		}
	}
	if len(errs) > 0 && len(errs) < len(msg.To) {
		return &mail.PartlyError{Err: errors.Join(errs...)}
	}
	return errors.Join(errs...)
}

func (m *Mailer) config(ctx context.Context) (aws.Config, error) {
	load := []func(*config.LoadOptions) error{config.WithLogger(logging.Nop{})} // what matters is in the errors
	if m.opt.Profile != "" {
		load = append(load, config.WithSharedConfigProfile(m.opt.Profile))
	}
	return host.Await(ctx, func() (aws.Config, error) { return config.LoadDefaultConfig(ctx, load...) }, nil)
}

func (m *Mailer) publish(ctx context.Context, client *sns.Client, topic string, msg mail.Message) error {
	limited, cancel := context.WithTimeout(ctx, m.opt.Timeout)
	defer cancel()
	in := &sns.PublishInput{TopicArn: &topic, Subject: aws.String(subject(msg.Subject)), Message: aws.String(body(msg.Text()))}
	_, err := client.Publish(limited, in, func(o *sns.Options) {
		o.Region = cmp.Or(m.opt.Region, regionOf(topic))
	})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case limited.Err() != nil:
		return fmt.Errorf("no answer within %s", m.opt.Timeout)
	}
	return explain(err)
}

// regionOf is the region of an ARN that has passed CheckFor.
func regionOf(topic string) string { return strings.Split(topic, ":")[3] }

// explain takes the service's own words out of what the library says.
func explain(err error) error {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		what := api.ErrorCode()
		if r, ok := errors.AsType[*awshttp.ResponseError](err); ok {
			what = fmt.Sprintf("%s (HTTP %d)", what, r.HTTPStatusCode())
		}
		return errors.New(mail.OneLine(what + ": " + api.ErrorMessage()))
	}
	if _, cause, ok := strings.Cut(err.Error(), "get credentials: "); ok {
		return fmt.Errorf("there are no credentials: set profile, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment (%s)", mail.OneLine(cause))
	}
	return errors.New(mail.OneLine(err.Error()))
}

// subject makes one that the service takes: printable ASCII that begins with no
// blank, at most 100 characters.
func subject(s string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s))
	if len(s) > maxSubject {
		s = s[:maxSubject-len("...")] + "..."
	}
	return s
}

func body(s string) string {
	const mark = "\n# cut: the service takes 256 KiB\n"
	if len(s) <= maxBody {
		return s
	}
	end := maxBody - len(mark)
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + mark
}
