package engine

import (
	"palhm/backends"
	"palhm/runtime/plan"
	"palhm/runtime/proc"
)

// manifest describes a copy whose objects are all stored.
func (r *run) manifest(c *openCopy, t *plan.Task, records []backends.ObjectRecord) *backends.Manifest {
	return &backends.Manifest{
		Version: backends.ManifestVersion,
		Palhm:   r.Version,
		Host:    r.Host,
		Site:    r.site.File,
		Digest:  r.site.Digest,
		Task:    t.Name,
		Prefix:  c.prefix,
		Start:   c.start,
		End:     r.endOf(c.begun).UTC(),
		Objects: records,
	}
}

func stageRecords(stages plan.Pipeline, results []proc.Result) []backends.StageRecord {
	records := make([]backends.StageRecord, len(stages))
	for i, x := range stages {
		records[i] = backends.StageRecord{CommandRecord: commandRecord(x), Exit: results[i].Code, Seconds: results[i].Duration.Seconds()}
		if s := results[i].Signal; s != 0 {
			records[i].Signal = proc.SignalName(s)
		}
	}
	return records
}

// inverseRecords lists what undoes a pipeline, the last stage first, as far as the
// inverses are known without a gap.
func inverseRecords(stages plan.Pipeline) []backends.CommandRecord {
	var records []backends.CommandRecord
	for i := len(stages) - 1; i >= 0 && stages[i].Inverse != nil; i-- {
		records = append(records, commandRecord(stages[i].Inverse))
	}
	return records
}

// commandRecord describes a command without any value of its environment or stdin.
func commandRecord(x *plan.Exec) backends.CommandRecord {
	rec := backends.CommandRecord{Argv: x.Argv, User: x.User, Dir: x.Dir}
	if x.ExitCodes != (plan.ExitCodes{}) {
		rec.ExitCode = x.ExitCodes.String()
	}
	name := func(what string, s *plan.Secret) {
		if rec.Secrets == nil {
			rec.Secrets = make(map[string]string)
		}
		rec.Secrets[what] = s.String()
	}
	for _, v := range x.Env {
		rec.Env = append(rec.Env, v.Name)
		if v.Value.Secret != nil {
			name(v.Name, v.Value.Secret)
		}
	}
	if x.Stdin != nil && x.Stdin.Content != nil && x.Stdin.Content.Secret != nil {
		name("stdin", x.Stdin.Content.Secret)
	}
	return rec
}
