package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"palhm/backends/all"
	"palhm/backends/mail"
	"palhm/runtime/boot"
	"palhm/runtime/history"
	"palhm/runtime/host"
	"palhm/runtime/plan"
	"palhm/runtime/report"
)

// bootReportOptions are the options of "palhm boot-report".
type bootReportOptions struct {
	print bool
	once  bool
}

func (a *app) bootReportCommand() *cobra.Command {
	var o bootReportOptions
	c := &cobra.Command{
		Use:   "boot-report [SITE]",
		Short: "mail that the host has booted, and what is known of it",
		Long: `Sends the mail that the site declares with boot_report: when the host has booted,
how the boot before ended, the kernels, the units that failed, and the routine of
palhm that ran when the host went down. It is for a systemd unit, an init script or
cron's @reboot: see scripts/systemd, scripts/rc.d and scripts/crontab.

With boot_wait = "systemd" it waits until systemd has started everything, half an
hour at most, then for the site's delay. What cannot be found out is said in the
mail and is no failure. A mail that cannot be sent is one, with exit code 1. With
--once a mail that some of its recipients have got is not sent again.`,
		Example: `palhm boot-report --print
palhm -q boot-report --once`,
		Args: atMost(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.bootReport(c.Context(), args, o)
		},
	}
	c.Flags().BoolVar(&o.print, "print", false, "show the mail at once, and send nothing")
	c.Flags().BoolVar(&o.once, "once", false, "do nothing when this boot has been reported")
	return c
}

func (a *app) bootReport(ctx context.Context, args []string, o bootReportOptions) error {
	surviveSIGPIPE()
	file, err := a.siteArg(args)
	if err != nil {
		return err
	}
	site, err := a.load(ctx, file)
	if err != nil {
		return err
	}
	if site.BootReport == nil {
		return usagef(`%s declares no boot report; to get one write

    load("@palhm//mail.star", "boot_report", "mailx")
    boot_report(mailx(), ["root"])`, site.File)
	}
	signals := watchSignals(ctx, func() {})
	defer signals.stop()
	ctx = signals.ctx
	if o.print {
		message, err := composeBootReport(ctx, site, report.Fact[string]{Unknown: "it was not asked, because nothing is sent"})
		if err != nil {
			return err
		}
		return a.send(ctx, plan.MUA{Kind: plan.MUAStdout}, message)
	}
	return a.sendBootReport(ctx, site, o.once)
}

// bootWaitLimit is how long a host may take to start everything. What takes longer
// is reported as it is then.
const bootWaitLimit = 30 * time.Minute

func (a *app) sendBootReport(ctx context.Context, site *plan.Site, once bool) error {
	b := site.BootReport
	id, _ := host.BootID("") // without one no boot is known to have been reported
	state, stateErr := stateDir()
	if once && stateErr == nil {
		release, err := a.reportAlone(ctx, state)
		if err != nil {
			return err
		}
		defer release()
	}
	reported, err := host.Await(ctx, func() (bool, error) { return once && history.Reported(state, id), nil }, nil)
	if err != nil {
		return err
	}
	if reported {
		a.log.Info("this boot has been reported")
		return nil
	}
	system, err := awaitBoot(ctx, b)
	if err != nil {
		return err
	}
	message, err := composeBootReport(ctx, site, system)
	if err != nil {
		return err
	}
	err = a.send(ctx, b.MUA, message)
	switch cause := context.Cause(ctx); {
	case err != nil && cause != nil && !errors.Is(err, cause):
		err = fmt.Errorf("send the boot report: stopped: %w; before that: %w", cause, err)
	case err != nil:
		err = fmt.Errorf("send the boot report: %w", err)
	}
	// Whoever has the report must not get it again and again because another has not.
	if _, partly := errors.AsType[*mail.PartlyError](err); err != nil && !partly {
		return err
	}
	if stateErr == nil {
		stateErr = host.Do(ctx, func() error { return history.MarkReported(state, id) })
	}
	if stateErr != nil {
		a.log.Debug("it is not recorded that this boot was reported", "error", stateErr)
	}
	return err
}

// reportAlone waits until no other process reports this boot. Where that cannot be found
// out two reports are better than none.
func (a *app) reportAlone(ctx context.Context, state string) (release func(), err error) {
	lock := func() (func(), error) { return history.LockReport(ctx, state) }
	release, err = host.Await(ctx, lock, func(release func()) { release() })
	if err != nil && ctx.Err() == nil {
		a.log.Debug("another process may report this boot too", "error", err)
		return func() {}, nil
	}
	return release, err
}

// awaitBoot waits as the site says, and returns what systemd says of itself.
func awaitBoot(ctx context.Context, b *plan.BootReport) (system report.Fact[string], err error) {
	if b.BootWait != "" {
		if system, err = boot.Wait(ctx, bootWaitLimit); err != nil {
			return system, err
		}
	}
	timer := time.NewTimer(b.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return system, nil
	case <-ctx.Done():
		return system, context.Cause(ctx)
	}
}

func composeBootReport(ctx context.Context, site *plan.Site, system report.Fact[string]) (mail.Message, error) {
	b := site.BootReport
	source := boot.Source{Host: hostName(site)}
	var err error
	if source.History, err = stateDir(); err != nil {
		source.NoHistory = err.Error()
	}
	facts, err := host.Await(ctx, func() (*report.Boot, error) { return source.Collect(ctx, b), nil }, nil)
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx) // what is not known may be so because of that
	}
	if err != nil {
		return mail.Message{}, err
	}
	facts.System = system
	return mail.Message{To: b.To, Subject: report.BootSubject(facts, b), Body: report.BootBody(facts, b)}, nil
}

// send hands a message to what the site sends mail with.
func (a *app) send(ctx context.Context, m plan.MUA, message mail.Message) error {
	mailer, err := all.OpenMailer(m, all.Surroundings{Stdout: a.stdout, Environ: os.Environ()})
	if err != nil {
		return err
	}
	return mailer.Send(ctx, message)
}
