package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"palhm/backends/s3/iam"
	"palhm/runtime/plan"
)

type iamPolicyOptions struct {
	task   string
	rotate bool
}

func (a *app) iamPolicyCommand() *cobra.Command {
	var o iamPolicyOptions
	c := &cobra.Command{
		Use:   "iam-policy [SITE] [TASK]",
		Short: "print the rights that a backup to S3 needs",
		Long: `Prints, as a policy of AWS IAM in JSON, the least rights with which the backup TASK
can make copies in its bucket; without TASK those of all backups of the site. Attach
it to the user or role that the host uses. Nothing is sent to AWS.

Whoever has these rights alone can add copies, and can neither remove, overwrite nor
read back what is stored: somebody who has taken the host over cannot take its
backups away. What a failed run leaves behind is then removed by a host that may, and
is never listed as a copy; rotation is refused, which is exit code 4.

With --rotate the policy also allows what removing old copies and changing the storage
class take. Use it for the host whose limits are to be kept, or better for another
one, which needs "palhm rotate" only. Reading copies back for a restore takes
s3:GetObject on all objects, and an identity of its own.

  ListCopies          list what is below the root
  ListUploads         find open uploads of dead runs
  ReadStateOfCopies   read manifests and who makes a copy: what is in .palhm of a copy
  WriteNewObjects     store an object where there is none
  SendParts           send the parts of an object, which is made by the right above
  RenewOpenCopies     tell other hosts that a copy is still being made
  EndUploads          abort an upload, and see that it is gone
  TagObjects, SeeObjectLock, LockObjects, UseKey
                      for tags, object_lock_mode and kms_key, when the site sets them
  RemoveCopies, SeeLocks, ChangeStorageClass
                      for --rotate; changing the class rewrites objects (WriteObjects)

A bucket that by itself encrypts with a KMS key of yours needs UseKey as well: name
the key in the site (sse, kms_key).

Other stores than AWS seldom know the conditions that forbid overwriting. For a site
with an endpoint they are left out, and a note says so.`,
		Example: `palhm iam-policy > write.json
palhm iam-policy --rotate ./site.star backup
aws iam put-role-policy --role-name backup --policy-name palhm --policy-document file://write.json`,
		Args: atMost(2),
		RunE: func(c *cobra.Command, args []string) error { return a.iamPolicy(c.Context(), args, o) },
	}
	c.Flags().StringVarP(&o.task, "task", "t", "", "the `TASK` whose backup it is")
	c.Flags().BoolVar(&o.rotate, "rotate", false, "allow to remove old copies and to change their storage class, too")
	a.offerTasks(c, isBackup)
	return c
}

func (a *app) iamPolicy(ctx context.Context, args []string, o iamPolicyOptions) error {
	site, name, err := a.loadFor(ctx, args, o.task)
	if err != nil {
		return err
	}
	tasks := slices.DeleteFunc(slices.Clone(site.Tasks), func(t *plan.Task) bool { return !isBackup(t) })
	if name != "" {
		t, err := backupTask(site, name)
		if err != nil {
			return err
		}
		tasks = []*plan.Task{t}
	}
	roots := bucketRoots(tasks)
	if len(roots) == 0 {
		return usagef("%s: no backup goes to aws_s3(...), and only that needs a policy", site.File)
	}
	var policies []iam.Policy
	for _, r := range roots {
		policies = append(policies, iam.For(r, o.rotate))
		a.policyNotes(r, o.rotate)
	}
	return writePolicy(a.stdout, iam.Join(policies...))
}

// bucketRoots lists the roots in buckets that backups go to.
func bucketRoots(tasks []*plan.Task) []*plan.S3 {
	var roots []*plan.S3
	for _, t := range tasks {
		for _, b := range t.Backup.Backends {
			if b.S3 != nil {
				roots = append(roots, b.S3)
			}
		}
	}
	return roots
}

// policyNotes says what a policy cannot do.
func (a *app) policyNotes(s *plan.S3, rotate bool) {
	if iam.Overwrites(s) {
		a.log.Warn(fmt.Sprintf("%s: the store at %s is not AWS and may not know conditions on writes, so this policy lets objects be overwritten; object lock or versions guard against that", s.URL(), s.Endpoint))
	}
	if s.RotClass != "" && !rotate {
		a.log.Warn(fmt.Sprintf("%s: rot_storage_class rewrites objects, which this policy forbids, so each run ends with exit code 4; leave it out and set a lifecycle rule of the bucket (Transition to %s), or allow it with --rotate", s.URL(), s.RotClass))
	}
}

func writePolicy(w io.Writer, p iam.Policy) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(p)
}
