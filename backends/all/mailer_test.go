package all_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"palhm/backends/all"
	"palhm/backends/mail"
	"palhm/runtime/plan"
)

func sendWith(t *testing.T, m plan.MUA, s all.Surroundings, to string) error {
	t.Helper()
	mailer, err := all.OpenMailer(m, s)
	if err != nil {
		t.Fatal(err)
	}
	return mailer.Send(t.Context(), mail.Message{To: []string{to}, Subject: "s", Body: "b"})
}

func TestOpenMailer(t *testing.T) {
	var out bytes.Buffer
	if err := sendWith(t, plan.MUA{Kind: plan.MUAStdout}, all.Surroundings{Stdout: &out}, "root"); err != nil || !strings.Contains(out.String(), "# To: root") {
		t.Errorf("stdout: got %v and %q", err, &out)
	}
	// Its options and the environment reach the program.
	script := t.TempDir() + "/mailx"
	if err := os.WriteFile(script, []byte("#!/bin/sh\nprintf '%s ' \"$COLOUR\" \"$@\" >&2\nexit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	x := plan.MUA{Kind: plan.MUAMailx, Mailx: &plan.Mailx{Exec: script, Options: []string{"mta=/x"}}}
	if err := sendWith(t, x, all.Surroundings{Environ: append(os.Environ(), "COLOUR=blue")}, "root"); err == nil || !strings.Contains(err.Error(), "| blue -S mta=/x -s s root") {
		t.Errorf("mailx: got %v", err)
	}
	// The password is looked for when a message is sent.
	s := plan.MUA{Kind: plan.MUASMTP, SMTP: &plan.SMTP{Host: "localhost", Port: 1, TLS: plan.TLSStart, User: "u", From: "a@example.org", Password: &plan.Secret{Env: "PW"}}}
	if err := sendWith(t, s, all.Surroundings{}, "root@example.org"); err == nil || !strings.Contains(err.Error(), `secret(env = "PW")`) {
		t.Errorf("smtp without its password: got %v", err)
	}
	if err := sendWith(t, s, all.Surroundings{Environ: []string{"PW=x"}}, "root@example.org"); err == nil || !strings.Contains(err.Error(), "localhost:1: connect: ") {
		t.Errorf("smtp: got %v", err)
	}
	if err := sendWith(t, plan.MUA{Kind: plan.MUASNS, SNS: &plan.SNS{}}, all.Surroundings{}, "root"); err == nil || !strings.Contains(err.Error(), "want the ARN") {
		t.Errorf("aws_sns: got %v", err)
	}
	if _, err := all.OpenMailer(plan.MUA{Kind: "pigeon"}, all.Surroundings{}); err == nil {
		t.Error("an unknown kind is opened")
	}
}
