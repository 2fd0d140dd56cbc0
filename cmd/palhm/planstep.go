package main

import (
	"fmt"
	"strings"
	"time"

	"palhm/runtime/plan"
	"palhm/runtime/words"
)

func (p *planPrinter) routine(r *plan.Routine) {
	for _, a := range r.Args {
		p.line(1, "takes %s", argText(a))
	}
	for i, s := range r.Steps {
		p.line(1, "%d. %s", i+1, stepText(s))
		if s.Call != nil && s.Call.Doc != "" {
			p.line(2, "%s", words.Visible(s.Call.Doc))
		}
		p.notes(2, s.Pipeline)
	}
	if len(r.Steps) == 0 {
		p.line(1, "no steps")
	}
	if r.Uses == nil {
		return
	}
	p.line(1, "its functions may run, besides what they make themselves:")
	for _, s := range r.Uses {
		p.line(2, "%s", stepText(s))
		p.notes(3, s.Pipeline)
	}
	if len(r.Uses) == 0 {
		p.line(2, "nothing")
	}
}

func stepText(s plan.Step) string {
	switch {
	case s.Task != nil:
		return "run task " + s.TaskName
	case s.Call != nil:
		return "call " + s.Call.Name + "(ctx)"
	case s.Sigmask != nil:
		return sigmaskText(s.Sigmask)
	case s.DNSSEC != nil:
		return dnssecText(s.DNSSEC)
	}
	return pipelineText(s.Pipeline)
}

func sigmaskText(m *plan.Sigmask) string {
	var parts []string
	for _, change := range []struct {
		verb    string
		signals []plan.Signal
	}{{"block", m.Block}, {"unblock", m.Unblock}} {
		var names []string
		for _, s := range change.signals {
			names = append(names, s.String())
		}
		if len(names) > 0 {
			parts = append(parts, change.verb+" "+strings.Join(names, ", "))
		}
	}
	return strings.Join(parts, "; ")
}

func dnssecText(d *plan.DNSSECCheck) string {
	resolver, probe := d.Resolver, d.Probe
	if resolver == "" {
		resolver = "the resolvers of /etc/resolv.conf"
	}
	if probe != "" {
		probe = ", which must refuse " + words.Visible(probe)
	}
	return fmt.Sprintf("check DNSSEC of %s (%s) with %s%s; a signature has to last for %s",
		words.Visible(d.Name), strings.Join(d.Types, ", "), words.Visible(resolver), probe, d.WarnBefore.Round(time.Second))
}

// argText describes an argument of a routine as it is written on the command line.
func argText(a plan.Arg) string {
	form := strings.ToUpper(string(a.Kind))
	if a.Kind == plan.ArgChoice {
		form = words.Visible(strings.Join(a.Choices, "|"))
	}
	text := "--" + a.Flag()
	if a.Kind != plan.ArgBool {
		text += "=" + form
	}
	if a.Default == nil {
		text += ", which must be given"
	} else {
		text += fmt.Sprintf(", %s if not given", words.Visible(fmt.Sprintf("%#v", a.Default)))
	}
	if doc := firstLine(a.Doc); doc != "" {
		text += ": " + doc
	}
	return text
}
