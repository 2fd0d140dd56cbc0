package sns_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"palhm/backends/mail"
	"palhm/backends/mail/sns"
)

const (
	topic = "arn:aws:sns:eu-central-1:123456789012:alarm"
	other = "arn:aws:sns:us-west-2:123456789012:other_topic"
)

// service plays the service: it keeps the forms that it is sent, and answers as
// Publish does (Amazon SNS API Reference).
type service struct {
	*httptest.Server
	forms   []url.Values
	headers []http.Header
	answer  http.HandlerFunc // nil = all is well
}

func newService(t *testing.T) *service {
	t.Helper()
	s := &service{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		s.forms, s.headers = append(s.forms, r.PostForm), append(s.headers, r.Header)
		if s.answer != nil {
			s.answer(w, r)
			return
		}
		fmt.Fprint(w, `<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>m</MessageId></PublishResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></PublishResponse>`)
	}))
	t.Cleanup(s.Close)
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_SNS": s.URL, "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI", "AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_PROFILE": "",
		"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	return s
}

func refuse(status int, code, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>r</RequestId></ErrorResponse>`, code, message)
	}
}

func TestRequest(t *testing.T) {
	s := newService(t)
	m := mail.Message{To: []string{topic, other}, Subject: "Grüße von web1", Body: "a: grün & more\nb: +%"}
	if err := sns.New(sns.Options{}).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if len(s.forms) != 2 {
		t.Fatalf("got %d requests, want 2", len(s.forms))
	}
	for i, arn := range m.To {
		want := url.Values{"Action": {"Publish"}, "Version": {"2010-03-31"}, "TopicArn": {arn}, "Subject": {"Gr??e von web1"}, "Message": {"a: grün & more\nb: +%\n"}}
		if got := s.forms[i].Encode(); got != want.Encode() {
			t.Errorf("got %s\nwant %s", got, want.Encode())
		}
		// Signed for the region of the topic.
		region := strings.Split(arn, ":")[3]
		if auth := s.headers[i].Get("Authorization"); !strings.Contains(auth, "AKIDEXAMPLE/") || !strings.Contains(auth, "/"+region+"/sns/aws4_request") {
			t.Errorf("got Authorization %q, want one for %s", auth, region)
		}
	}
}

func TestProfileAndRegion(t *testing.T) {
	s := newService(t)
	file := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(file, []byte("[alarm]\naws_access_key_id = AKIDALARM\naws_secret_access_key = x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	m := mail.Message{To: []string{topic}, Subject: "s", Body: "b"}
	if err := sns.New(sns.Options{Profile: "alarm", Region: "eu-west-3"}).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if auth := s.headers[0].Get("Authorization"); !strings.Contains(auth, "AKIDALARM/") || !strings.Contains(auth, "/eu-west-3/sns/") {
		t.Errorf("got Authorization %q", auth)
	}
	err := sns.New(sns.Options{Profile: "nobody"}).Send(t.Context(), m)
	if err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("got %v", err)
	}
}

func TestLimits(t *testing.T) {
	s := newService(t)
	m := mail.Message{To: []string{topic}, Subject: strings.Repeat("long ", 30), Body: strings.Repeat("grün\n", 100_000)}
	if err := sns.New(sns.Options{}).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	subject, body := s.forms[0].Get("Subject"), s.forms[0].Get("Message")
	if len(subject) != 100 || !strings.HasSuffix(subject, "...") {
		t.Errorf("got subject %q of %d bytes", subject, len(subject))
	}
	if len(body) > 256<<10 || len(body) < 255<<10 || !utf8.ValidString(body) || !strings.HasSuffix(body, "# cut: the service takes 256 KiB\n") {
		t.Errorf("got %d bytes that end in %q", len(body), body[len(body)-40:])
	}
}

func TestFailures(t *testing.T) {
	m := mail.Message{To: []string{topic, other}, Subject: "s", Body: "b"}
	t.Run("refused", func(t *testing.T) {
		s := newService(t)
		s.answer = refuse(404, "NotFound", "Topic does not exist")
		err := sns.New(sns.Options{}).Send(t.Context(), m)
		if _, partly := errors.AsType[*mail.PartlyError](err); partly {
			t.Errorf("%v looks as if a topic had it", err)
		}
		for _, want := range []string{"publish to " + topic + ": NotFound", "publish to " + other, "HTTP 404", "Topic does not exist"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q in it", err, want)
			}
		}
		if len(s.forms) != 2 {
			t.Errorf("got %d requests: one topic that fails must not keep it from the other", len(s.forms))
		}
	})
	t.Run("one refused", func(t *testing.T) {
		s := newService(t)
		s.answer = func(w http.ResponseWriter, r *http.Request) {
			if len(s.forms) == 1 {
				refuse(404, "NotFound", "Topic does not exist")(w, r)
				return
			}
			fmt.Fprint(w, `<PublishResponse><PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>`)
		}
		err := sns.New(sns.Options{}).Send(t.Context(), m)
		if _, partly := errors.AsType[*mail.PartlyError](err); !partly || !strings.Contains(err.Error(), "publish to "+topic) {
			t.Errorf("got %v, want that the other topic has it", err)
		}
	})
	t.Run("again after a moment", func(t *testing.T) {
		s := newService(t)
		s.answer = func(w http.ResponseWriter, r *http.Request) {
			if len(s.forms) == 1 {
				refuse(503, "ServiceUnavailable", "slow down")(w, r)
				return
			}
			fmt.Fprint(w, `<PublishResponse><PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>`)
		}
		m := m
		m.To = []string{topic}
		if err := sns.New(sns.Options{}).Send(t.Context(), m); err != nil || len(s.forms) != 2 {
			t.Errorf("got %v after %d requests", err, len(s.forms))
		}
	})
	t.Run("stalls", func(t *testing.T) {
		s := newService(t)
		s.answer = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		m := m
		m.To = []string{topic}
		err := sns.New(sns.Options{Timeout: 200 * time.Millisecond}).Send(t.Context(), m)
		if err == nil || !strings.Contains(err.Error(), "no answer within 200ms") {
			t.Errorf("got %v", err)
		}
		cause := errors.New("told to stop")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(100*time.Millisecond, func() { cancel(cause) })
		if err := sns.New(sns.Options{}).Send(ctx, m); !errors.Is(err, cause) {
			t.Errorf("got %v, want the cause", err)
		}
	})
	t.Run("no credentials", func(t *testing.T) {
		s := newService(t)
		t.Setenv("AWS_ACCESS_KEY_ID", "")
		t.Setenv("AWS_SECRET_ACCESS_KEY", "")
		err := sns.New(sns.Options{}).Send(t.Context(), m)
		if err == nil || !strings.Contains(err.Error(), "there are no credentials") || len(s.forms) > 0 {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no topic", func(t *testing.T) {
		s := newService(t)
		for _, to := range []string{"root", "arn:aws:sns:eu-central-1:123456789012:a b", "+491511234567"} {
			m := m
			m.To = []string{to}
			if err := sns.New(sns.Options{}).Send(t.Context(), m); err == nil || len(s.forms) > 0 {
				t.Errorf("%s: got %v", to, err)
			}
		}
	})
}
