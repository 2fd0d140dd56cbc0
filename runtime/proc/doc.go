// Package proc starts a pipeline of processes and hands its output on as a reader
// that returns the pipeline's failure instead of io.EOF, so that a cut stream can
// never be taken for a whole one. It knows nothing about backups, and Linux only.
//
// # Life of a pipeline
//
// A pipeline has one supervisor, a goroutine that owns all state, and per stage a
// goroutine that waits for the process and one that reads its stderr.
//
//	Start -> running -> concluded            every stage ended well, and Read saw the end
//	            |
//	            +-----> stopping -> concluded
//
// A pipeline leaves running for stopping on the first of these: a stage ends badly or
// outlives its Timeout, ctx is cancelled, Close is called, reading fails, or every
// stage ended well but a process they left behind holds the output open and wrote
// nothing for a grace period. A stage killed by SIGPIPE is a victim more often than
// a culprit, so the stages below it get a moment to end by themselves first.
//
// Stopping sends SIGTERM and SIGCONT to every process in the sessions of the stages,
// closes the output, and sends SIGKILL after the grace period to what is left. It is
// over when no living process is in the sessions. Success signals nothing: what a
// stage started in the background lives on. Where the output is only shown
// (Options.Leave) it may even go on holding the output, which then ends without it.
//
// An ended stage stays a zombie until the pipeline is concluded. Its process id, and
// with it the number of its group and session, is not given to another process
// before, so that a signal never meets a stranger. Concluding reads the rest of
// stderr, for a second at most when something else holds it, chooses the cause,
// reaps the stages and wakes Read and Close.
//
// # What can make it wait
//
// Start waits for the kernel to load each program, as from a file server that is slow,
// until ctx ends. What is started after that is stopped again.
// Running lasts as long as its stages: a stage that never ends, or a process that a
// stage left behind and that holds the pipe to the next one, is waited for until a
// Timeout, ctx or Close. Stopping lasts at most the grace period, and a fixed time
// more for processes that SIGKILL does not end (in the kernel's uninterruptible
// sleep, or belonging to another user); those are left behind, and Close says so.
// Concluding lasts at most two seconds a stage. A Command.Stderr that blocks for ever
// holds back its stage, as a stopped terminal would, but not the stopping.
package proc
