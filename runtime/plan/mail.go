package plan

import (
	"fmt"
	"net/mail"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// MUA is what sends a message. Kind says which field is set; "stdout" has none.
type MUA struct {
	Kind  string `json:"kind"`
	Pos   Pos    `json:"pos"`
	Mailx *Mailx `json:"mailx,omitempty"`
	SMTP  *SMTP  `json:"smtp,omitempty"`
	SNS   *SNS   `json:"aws_sns,omitempty"`
}

// The kinds of MUA.
const (
	MUAStdout = "stdout"
	MUAMailx  = "mailx"
	MUASMTP   = "smtp"
	MUASNS    = "aws_sns"
)

var (
	// mailxName is the name of an account or an address, as both bsd-mailx and
	// s-nail take it. What is not in it they take for an option, a file, a folder, a
	// command or several recipients.
	mailxName = regexp.MustCompile(`^[\pL\pN_][\pL\pN_.+=%&-]*(@[\pL\pN_.-]+|@\[[\pL\pN.:]+\])?$`)
	topicARN  = regexp.MustCompile(`^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?$`)
)

// CheckLine refuses what is not one line of text for every program that may get it,
// such as a subject. It has something to read, and is UTF-8.
func CheckLine(s string) error {
	switch {
	case !utf8.ValidString(s):
		return fmt.Errorf("got %q, which is not UTF-8", s)
	case strings.ContainsFunc(s, NotText):
		return fmt.Errorf("got %q, want one line without control characters", s)
	case strings.TrimSpace(s) == "":
		return fmt.Errorf("got %q, want one line of text", s)
	}
	return nil
}

// Line makes what CheckLine takes out of any text, with U+FFFD for what is none: bad
// news must arrive, whatever is in the name of a host.
func Line(s string) string {
	line := strings.Map(func(r rune) rune {
		if NotText(r) {
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	if strings.TrimSpace(line) == "" {
		return "\ufffd"
	}
	return line
}

// NotText reports whether a character is none of a line: it ends the line for one
// program or another, or YAML 1.2 has no place for it as it is.
func NotText(r rune) bool {
	switch r {
	case '\u2028', '\u2029', '\ufeff', '\ufffe', '\uffff':
		return true
	}
	return unicode.IsControl(r)
}

// CheckRecipient refuses what this kind of MUA cannot take for an address.
func (m MUA) CheckRecipient(to string) error {
	if to == "" || strings.TrimSpace(to) != to {
		return fmt.Errorf("got %q, want an address", to)
	}
	if err := CheckLine(to); err != nil {
		return err
	}
	switch m.Kind {
	case MUAMailx:
		if !mailxName.MatchString(to) {
			return fmt.Errorf("got %q, want an address or the name of an account, such as \"root\"", to)
		}
	case MUASMTP:
		return checkAddress(to)
	case MUASNS:
		if !topicARN.MatchString(to) {
			return fmt.Errorf("got %q, want the ARN of a topic, such as \"arn:aws:sns:eu-central-1:123456789012:alarm\"", to)
		}
	}
	return nil
}

func checkAddress(to string) error {
	a, err := mail.ParseAddress(to)
	if err != nil {
		return fmt.Errorf("got %q, want an address such as \"root@example.org\"", to)
	}
	if a.Name != "" || a.Address != to {
		return fmt.Errorf("got %q, want the address alone: %q", to, a.Address)
	}
	return nil
}

// Mailx is the program mailx(1), of bsd-mailx or of s-nail.
type Mailx struct {
	Exec    string   `json:"exec"`               // the program; without a slash it is looked up in PATH
	Options []string `json:"int_opts,omitempty"` // internal options, each given as -S OPTION
}

// SMTP is a mail server.
type SMTP struct {
	Host     string  `json:"host"`
	Port     int     `json:"port"` // 0 = the usual one for TLS
	TLS      TLSMode `json:"tls"`
	User     string  `json:"user,omitempty"` // "" = no authentication
	Password *Secret `json:"password,omitempty"`
	From     string  `json:"from,omitempty"`    // "" = the account and host that palhm runs on
	CAFile   string  `json:"ca_file,omitempty"` // "" = the system's
}

// TLSMode says how a connection to a mail server is protected.
type TLSMode string

// The modes.
const (
	TLSStart TLSMode = "starttls" // begins in the clear and must switch, port 587
	TLSFull  TLSMode = "tls"      // from the first byte, port 465
	TLSNone  TLSMode = "none"     // port 25
)

// SNS is Amazon's notification service; recipients are topics, by ARN.
type SNS struct {
	Profile string `json:"profile,omitempty"`
	Region  string `json:"region,omitempty"`
}

// Notice is a mail about a run.
type Notice struct {
	MUA     MUA      `json:"mua"`
	To      []string `json:"mail_to"`
	Subject string   `json:"subject"` // "" = a default; {hostname} and {task} are replaced
}

// BootReport is a mail about a boot.
type BootReport struct {
	Pos         Pos           `json:"pos"`
	MUA         MUA           `json:"mua"`
	To          []string      `json:"mail_to"`
	Subject     string        `json:"subject"` // {hostname} is replaced
	Header      string        `json:"header"`  // {hostname} is replaced
	UptimeSince bool          `json:"uptime_since"`
	Uptime      bool          `json:"uptime"`
	BootID      bool          `json:"bootid"`
	BootWait    string        `json:"boot_wait,omitempty"` // "systemd", or "" for no waiting
	Delay       time.Duration `json:"delay,omitempty"`
	LastBoot    bool          `json:"last_boot"`    // how the boot before this one ended
	Kernel      bool          `json:"kernel"`       // the kernels of both
	FailedUnits bool          `json:"failed_units"` // of systemd
	Cause       bool          `json:"cause"`        // the routine of palhm that caused this boot
}
