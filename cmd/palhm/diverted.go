package main

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"palhm/runtime/plan"
)

// diverted says which stages of a backup's objects write to a file in place of their
// stdout, as far as their arguments show, so that nothing would be kept of them. add
// gets the place of each.
func diverted(t *plan.Task, add func(plan.Pos, ...error)) {
	for _, g := range t.Backup.Groups {
		for _, o := range g.Objects {
			if o.LeastSize(t.Backup.Backends[0]) == 0 {
				continue // nothing is kept, or the site wants nothing
			}
			for _, x := range o.Pipeline {
				if file := outputFile(x.Argv); file != "" {
					add(placeOf(x, o.Pos), fmt.Errorf("object %s: %s writes to %q and not to stdout, so nothing of it would be kept", o.Path, path.Base(x.Argv[0]), file))
				}
			}
		}
	}
}

// outputOptions are the options of programs that name the file to write to. Of other
// programs only those count that can mean nothing else.
var outputOptions = map[string][]string{
	"age":          {"-o", "--output"},
	"cpio":         {"-O", "-F", "--file"},
	"curl":         {"-o", "--output"},
	"docker":       {"-o", "--output"},
	"dump":         {"-f"},
	"genisoimage":  {"-o"},
	"git":          {"-o", "--output"},
	"gpg":          {"-o", "--output"},
	"mariadb-dump": {"-r", "--result-file"},
	"mongodump":    {"-o", "--out", "--archive"},
	"mysqldump":    {"-r", "--result-file"},
	"openssl":      {"-out"},
	"pg_dump":      {"-f", "--file"},
	"pg_dumpall":   {"-f", "--file"},
	"podman":       {"-o", "--output"},
	"psql":         {"-o", "--output"},
	"redis-cli":    {"--rdb"},
	"slapcat":      {"-l"},
	"sort":         {"-o", "--output"},
	"tar":          {"-f", "--file"},
	"wget":         {"-O", "--output-document"},
	"xfsdump":      {"-f"},
	"zstd":         {"-o"},
}

var otherOutputOptions = []string{"--output", "--output-file", "--outfile", "--result-file"}

// launchers run the program that their arguments name.
var launchers = strings.Fields("chroot chrt docker env flock ionice nice nohup nsenter podman runuser setpriv setsid ssh stdbuf sudo systemd-run taskset timeout unshare")

var shells = strings.Fields("ash bash dash ksh sh zsh")

// outputFile returns the file that a command writes to in place of its stdout, or "".
func outputFile(argv []string) string {
	name, args := path.Base(argv[0]), argv[1:]
	if slices.Contains(launchers, name) {
		for i, arg := range args {
			if base := path.Base(arg); outputOptions[base] != nil || slices.Contains(shells, base) {
				return outputFile(args[i:])
			}
		}
	}
	if slices.Contains(shells, name) {
		for i, arg := range args {
			if strings.HasPrefix(arg, "-") && strings.HasSuffix(arg, "c") && i+1 < len(args) {
				return outputFileOfScript(args[i+1])
			}
		}
		return ""
	}
	options, known := outputOptions[name]
	if !known {
		options = otherOutputOptions
	}
	if name == "tar" {
		args = tarOptions(args)
	}
	file := ""
	for _, f := range optionValues(args, options) {
		switch {
		case isStdout(f) && name == "tar":
			return "" // a second archive is for what has no room in the first
		case isStdout(f):
			file = ""
		case known || strings.Contains(f, "/"): // and not a format, such as --output=json
			file = f
		}
	}
	return file
}

// optionValues returns the arguments of options, as "-o v", "-ov", "--out v" and "--out=v".
func optionValues(args, options []string) (values []string) {
	for i, arg := range args {
		if arg == "--" {
			break
		}
		for _, o := range options {
			rest, found := strings.CutPrefix(arg, o)
			switch {
			case !found:
			case rest == "" && i+1 < len(args):
				values = append(values, args[i+1])
			case strings.HasPrefix(rest, "="):
				values = append(values, rest[1:])
			case rest != "" && len(o) == 2:
				values = append(values, rest)
			}
		}
	}
	return values
}

// bundle is tar's options in one word, the last of which is -f.
var bundle = regexp.MustCompile(`^-?[A-Za-z]*f$`)

// tarOptions takes tar's bundles of options apart. It returns nothing when no archive is
// made: then its file is read.
func tarOptions(args []string) []string {
	creates := false
	args = slices.Clone(args)
	for i, arg := range args {
		bundled := (i == 0 || strings.HasPrefix(arg, "-")) && !strings.HasPrefix(arg, "--")
		creates = creates || arg == "--create" || bundled && strings.Contains(arg, "c")
		if bundled && bundle.MatchString(arg) {
			args[i] = "-f"
		}
	}
	if !creates {
		return nil
	}
	return args
}

// isStdout reports whether a file's name stands for the stdout of the program that opens it.
func isStdout(name string) bool {
	return name == "-" || name == "/dev/stdout" || name == "/proc/self/fd/1" || strings.HasPrefix(name, "/dev/fd/")
}

var (
	shellQuoted      = regexp.MustCompile(`\\.|'[^']*'|"(?:[^"\\]|\\.)*"|\$\([^()]*\)|\$\{[^}]*\}`)
	shellComment     = regexp.MustCompile(`(?m)(^|\s)#.*`)
	shellPlain       = regexp.MustCompile(`^['"][\w/.-]+['"]$`)
	shellSeparator   = regexp.MustCompile(`&&|\|\||;|\n`)
	shellAssignment  = regexp.MustCompile(`^\w+=`)
	shellRedirection = regexp.MustCompile(`(\S*?)>(?:>|\|)?(&?)\s*([^\s<>]+)`)
)

// quiet are commands of a shell that print nothing.
var quiet = strings.Fields(": [ cd chmod chown cp exit export false ln mkdir mv rm rmdir set shift sleep sync test touch trap true ulimit umask unset wait")

// outputFileOfScript returns the file that a script of sh(1) writes to, when all that it
// prints goes to files, and "" when something else may be printed: it reads plain lists
// of pipelines only.
func outputFileOfScript(script string) string {
	script = shellQuoted.ReplaceAllStringFunc(script, func(s string) string {
		if shellPlain.MatchString(s) {
			return s[1 : len(s)-1]
		}
		return "_" // some word
	})
	script = shellComment.ReplaceAllString(script, "")
	if strings.ContainsAny(script, "(){}`") || strings.Contains(script, "<<") {
		return ""
	}
	file := ""
	for _, pipeline := range shellSeparator.Split(script, -1) {
		f, prints := outputOfCommand(pipeline[strings.LastIndexByte(strings.ReplaceAll(pipeline, ">|", "> "), '|')+1:])
		if prints {
			return ""
		}
		if f != "" {
			file = f
		}
	}
	return file
}

// outputOfCommand returns the file that a command of a script writes to, if any, and
// whether it prints something.
func outputOfCommand(command string) (file string, prints bool) {
	silent := false
	for _, r := range shellRedirection.FindAllStringSubmatch(command, -1) {
		from, copied, to := r[1], r[2] != "", r[3]
		switch {
		case from != "" && from != "1" && strings.Trim(from, "0123456789") == "": // of another descriptor
		case to == "/dev/null" || to == "/dev/stderr" || copied && to == "2":
			silent = true
		case isStdout(to) || copied && strings.Trim(to, "0123456789-") == "":
			return "", true
		default:
			file = to
		}
	}
	words := strings.Fields(shellRedirection.ReplaceAllString(command, "$1 "))
	for len(words) > 0 && shellAssignment.MatchString(words[0]) {
		words = words[1:]
	}
	if file == "" && len(words) > 0 {
		file = outputFile(words)
	}
	return file, file == "" && !silent && len(words) > 0 && !slices.Contains(quiet, words[0])
}
