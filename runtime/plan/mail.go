package plan

import "time"

// MUA is what sends a message. Kind says which field is set; "stdout" has none.
type MUA struct {
	Kind  string `json:"kind"` // "stdout", "mailx", "smtp", "aws_sns"
	Pos   Pos    `json:"pos"`
	Mailx *Mailx `json:"mailx,omitempty"`
	SMTP  *SMTP  `json:"smtp,omitempty"`
	SNS   *SNS   `json:"aws_sns,omitempty"`
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
