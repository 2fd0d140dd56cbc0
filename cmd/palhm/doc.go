// Palhm maintains and backs up hosts while they run. This is its manual, as
// "palhm help" gives it.
//
// # palhm
//
//	palhm: maintain and back up a running host
//
//	usage: palhm [global options] COMMAND
//
//	palhm maintains and backs up hosts while they run. A site file says what to do;
//	its tasks are dumps and archives that are made in parallel, stored whole or not at
//	all, and rotated, or steps that are run one after the other.
//
//	commands:
//	  boot-report [SITE]        mail that the host has booted, and what is known of it
//	  check [SITE]              load a site and say what is wrong with it
//	  completion SHELL          print a completion script for bash, zsh or fish
//	  config [SITE]             show what a site is made of
//	  help [TOPIC]              explain a command, the exit codes, a name of the language, or a site
//	  iam-policy [SITE] [TASK]  print the rights that a backup to S3 needs
//	  mod                       show the modules of a site
//	  plan [SITE] [TASK]        show what would be run
//	  rotate [SITE] [TASK]      remove the copies that the limits no longer allow
//	  run [SITE] [TASK]         run a task
//	  test [FILE...]            run the tests of a site
//	  version                   print the version
//
//	options:
//	      --version  print the version
//
//	global options, before or after the command:
//	  -f, --file SITE        the SITE to use (default: $PALHM_SITE, else /etc/palhm/site.star)
//	  -q, --quiet            print errors only, and nothing at all when all is well
//	  -v, --verbose          print more; may be repeated
//	  -j, --jobs N           make N objects at a time; 0 = as many as CPUs, negative = no limit
//	      --log-format FORM  FORM of the logs: text, json or journald (default: by what stderr is)
//	      --no-progress      show no progress on a terminal
//
//	"palhm help TOPIC" says more on a command, on the exit codes ("exit"), on what a site
//	can use ("language"), and on each name of that ("exec").
//
// # palhm boot-report
//
//	palhm boot-report: mail that the host has booted, and what is known of it
//
//	usage: palhm boot-report [SITE]
//
//	Sends the mail that the site declares with boot_report: when the host has booted,
//	how the boot before ended, the kernels, the units that failed, and the routine of
//	palhm that ran when the host went down. It is for a systemd unit, an init script or
//	cron's @reboot: see scripts/systemd, scripts/rc.d and scripts/crontab.
//
//	With boot_wait = "systemd" it waits until systemd has started everything, half an
//	hour at most, then for the site's delay. What cannot be found out is said in the
//	mail and is no failure. A mail that cannot be sent is one, with exit code 1. With
//	--once a mail that some of its recipients have got is not sent again.
//
//	examples:
//	  palhm boot-report --print
//	  palhm -q boot-report --once
//
//	options:
//	      --once   do nothing when this boot has been reported
//	      --print  show the mail at once, and send nothing
//
// # palhm check
//
//	palhm check: load a site and say what is wrong with it
//
//	usage: palhm check [SITE]
//
//	Loads SITE, and says everything that is wrong with it, or nothing. Nothing is run
//	and nothing is changed.
//
//	Functions that a task calls are read, as far as their text shows what they do. What
//	only looks like a mistake is a warning. So is what this host lacks, because it
//	may be there when the task runs: programs that are not in PATH, users, files and
//	secrets. So is a stage of an object that writes to a file and not to stdout, as far as
//	its arguments show it.
//
// # palhm completion
//
//	palhm completion: print a completion script for bash, zsh or fish
//
//	usage: palhm completion SHELL
//
//	examples:
//	  palhm completion bash > /etc/bash_completion.d/palhm
//	  palhm completion zsh > /usr/local/share/zsh/site-functions/_palhm
//	  palhm completion fish > ~/.config/fish/completions/palhm.fish
//
// # palhm config
//
//	palhm config: show what a site is made of
//
//	usage: palhm config [SITE]
//
//	Shows where the site is, its settings, its tasks, the modules that it loads, what
//	it read from this host while it was loaded, and the names of the secrets that its
//	tasks will read.
//
// # palhm help
//
//	palhm help: explain a command, the exit codes, a name of the language, or a site
//
//	usage: palhm help [TOPIC]
//
//	Explains TOPIC: a command ("run", "mod list"), "exit" (the exit codes), "language"
//	(all that a site can use), or a name of the language ("exec", "mysqldump",
//	"@palhm//core.star"). A TOPIC with a / or at whose end stands .star is a site: its
//	tasks are listed with their options.
//
// # palhm iam-policy
//
//	palhm iam-policy: print the rights that a backup to S3 needs
//
//	usage: palhm iam-policy [SITE] [TASK]
//
//	Prints, as a policy of AWS IAM in JSON, the least rights with which the backup TASK
//	can make copies in its bucket; without TASK those of all backups of the site. Attach
//	it to the user or role that the host uses. Nothing is sent to AWS.
//
//	Whoever has these rights alone can add copies, and can neither remove, overwrite nor
//	read back what is stored: somebody who has taken the host over cannot take its
//	backups away. What a failed run leaves behind is then removed by a host that may, and
//	is never listed as a copy; rotation is refused, which is exit code 4.
//
//	With --rotate the policy also allows what removing old copies and changing the storage
//	class take. Use it for the host whose limits are to be kept, or better for another
//	one, which needs "palhm rotate" only. Reading copies back for a restore takes
//	s3:GetObject on all objects, and an identity of its own.
//
//	  ListCopies          list what is below the root
//	  ListUploads         find open uploads of dead runs
//	  ReadStateOfCopies   read manifests and who makes a copy: what is in .palhm of a copy
//	  WriteNewObjects     store an object where there is none
//	  SendParts           send the parts of an object, which is made by the right above
//	  RenewOpenCopies     tell other hosts that a copy is still being made
//	  EndUploads          abort an upload, and see that it is gone
//	  TagObjects, SeeObjectLock, LockObjects, UseKey
//	                      for tags, object_lock_mode and kms_key, when the site sets them
//	  RemoveCopies, SeeLocks, ChangeStorageClass
//	                      for --rotate; changing the class rewrites objects (WriteObjects)
//
//	A bucket that by itself encrypts with a KMS key of yours needs UseKey as well: name
//	the key in the site (sse, kms_key).
//
//	Other stores than AWS seldom know the conditions that forbid overwriting. For a site
//	with an endpoint they are left out, and a note says so.
//
//	examples:
//	  palhm iam-policy > write.json
//	  palhm iam-policy --rotate ./site.star backup
//	  aws iam put-role-policy --role-name backup --policy-name palhm --policy-document file://write.json
//
//	options:
//	      --rotate     allow to remove old copies and to change their storage class, too
//	  -t, --task TASK  the TASK whose backup it is
//
// # palhm mod
//
//	palhm mod: show the modules of a site
//
//	usage: palhm mod COMMAND
//
//	commands:
//	  list [SITE]  list the files that a site is made of
//
// # palhm plan
//
//	palhm plan: show what would be run
//
//	usage: palhm plan [SITE] [TASK]
//
//	Shows what TASK, or every task, would run, in order. Nothing is run and no backend
//	is touched. Secrets are shown by name, variables without their values.
//
//	With --json the plan is one JSON object that is only ever extended: "file",
//	"digest", "settings", "tasks", "inputs" (what was read from the host while the site
//	was loaded) and "modules". The tasks are TASK and those that its steps name, or all.
//	Time spans are in nanoseconds, sizes in bytes, limits are strings; "depends" of a
//	group holds indices into the "groups" of its backup.
//
//	options:
//	      --json       print JSON
//	  -t, --task TASK  the TASK to show
//
// # palhm rotate
//
//	palhm rotate: remove the copies that the limits no longer allow
//
//	usage: palhm rotate [SITE] [TASK]
//
//	Removes old copies of the backup TASK until its limits hold, as "palhm run" does
//	after each copy. Without TASK it is the task "default", or the only backup of the
//	site. With --explain nothing is changed: a table says what would become of each
//	copy and why, and until when object lock keeps it. A directory that is not there is
//	not made, and is a failure: its disk may not be mounted.
//
//	options:
//	      --explain        only say which copies would go, and why
//	  -t, --task TASK      the TASK to rotate
//	      --wait DURATION  wait at most DURATION for another run on the same root
//
// # palhm run
//
//	palhm run: run a task
//
//	usage: palhm run [SITE] [TASK]
//
//	Runs TASK, or the task "default". SITE is $PALHM_SITE or /etc/palhm/site.star when
//	none is named. A single argument is a site when it has a / or ends in .star, .json
//	or .jsonc, else a task.
//
//	The arguments of a routine are options: --service=nginx or, behind the TASK,
//	--service nginx. "palhm help SITE" shows those of each task.
//
//	Copies are made under the name of this host, which has to stay the same: it is
//	settings(host = ...), else $PALHM_HOST, else the kernel's.
//
//	When copies were made, standard output says where they are. With -q a run that is
//	well prints nothing: what processes print is held back and shown when their task
//	fails.
//
//	With --log-format json standard output ends with one JSON object that is only ever
//	extended: "task", "start", "end", "exit" (the exit code), "error" (why it is 1 or
//	more), "copies" ("task", "root", "prefix", "objects", "bytes", "duration" in
//	nanoseconds, and "removed" by rotation), "after" (what failed when the copies were
//	safe) and "skipped" (why there was nothing to do).
//
//	A site may ask for a notice by mail with settings(on_failure = ..., on_success = ...):
//	see "palhm help notice". A rehearsal with --null sends none.
//
//	SIGINT, SIGTERM, SIGHUP and SIGQUIT end the run: processes are stopped and the unfinished
//	copy is removed. A second one no longer waits for the processes, nor for a store that
//	does not answer, and a third ends palhm at once, for the next run to clean up.
//	SIGUSR1 prints the progress.
//
//	examples:
//	  palhm run
//	  palhm run backup
//	  palhm run ./site.star backup
//	  palhm run restart --service=nginx
//	  palhm -q run --wait 30m backup
//
//	options:
//	      --null           rehearse a backup: make every object and keep nothing
//	  -t, --task TASK      the TASK to run
//	      --wait DURATION  wait at most DURATION (such as 10m) for another run on the same root
//
// # palhm test
//
//	palhm test: run the tests of a site
//
//	usage: palhm test [FILE...]
//
//	Runs the tests in FILE, whose name ends in _test.star: its functions test_NAME(t), one
//	after the other. FILE may be a directory, for all such files in it and not below it.
//	Without FILE it is the directory of the site.
//
//	A test plays tasks of a site: its functions run, and their commands get the replies that
//	the test has for them. Nothing is started and no file is written. "palhm help t" says
//	what a test can use.
//
//	The site is the one that the test names, else -f SITE, else NAME.star beside
//	NAME_test.star, else site.star beside it (without FILE, the site of this host).
//
//	Failures are printed with their place to standard error, and a line for each file to
//	standard output. With -v each test and what it would have run is shown. The exit code is
//	0 when all tests have passed, 1 when one has not, 2 when there is no test, and 3 when a
//	FILE cannot be loaded.
//
//	examples:
//	  palhm test
//	  palhm test -v ./web1_test.star
//	  palhm test -f ./web1.star tests/
//
// # palhm version
//
//	palhm version: print the version
//
//	usage: palhm version
//
// # exit codes
//
//	The exit codes of palhm:
//
//	  0      all is well
//	  1      a task failed, or a test of a site; earlier copies are untouched
//	  2      wrong usage: an unknown command, option or task, or too many arguments.
//	         Nothing was run
//	  3      the site cannot be loaded. Nothing was run
//	  4      the main work is safe, and something after it failed: an old copy could
//	         not be removed, the storage class of a copy not be changed, the newest copy
//	         alone is above the size limit, a notice could not be sent, or the summary not
//	         be printed
//	  5      another run holds the lock of the root; see "palhm help run", --wait
//	  128+n  signal n ended the run: 129 SIGHUP, 130 SIGINT, 131 SIGQUIT, 143 SIGTERM.
//	         What was not finished was removed; a copy that had been committed is safe
//
//	An internal error of palhm is 1 as well, and -v shows where it happened. What Go
//	cannot survive, such as a lack of memory, ends palhm with 2 and a text that begins
//	with "fatal error:" or "panic:". The next run cleans up after that.
//
//	Standard error says why. With -q a run that exits with 0 prints nothing.
package main
