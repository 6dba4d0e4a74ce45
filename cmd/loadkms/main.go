// Command loadkms puts load on an API whose data is encrypted under a customer-managed KMS key,
// breaks the key, puts it back, and says what the API's users noticed.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

func main() {
	os.Exit(mainWith(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// mainWith is main with its surroundings passed in. It returns the exit code.
func mainWith(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	w := &words{}
	ctx, stop := untilSignal(stderr, w)
	defer stop()
	root := newRoot(w)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	explain(stderr, err)
	code := exitCode(err)
	if errors.As(context.Cause(ctx), &signalled{}) && code == exitUsage {
		return exitInconclusive // nothing was sent, but nothing was wrong either
	}
	return code
}

// A signalled is the cause of a context that a signal ended.
type signalled struct{ os.Signal }

func (s signalled) Error() string { return s.String() + " signal received" }

// words are what a signal is answered with. A command sets them before it does what they tell of;
// the zero value is for commands that have nothing to restore.
type words struct {
	mu           sync.Mutex // guards what follows, for an assignment or a read
	first, again string
}

// set says how to answer the first signal, and every further one.
func (w *words) set(first, again string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.first, w.again = first, again
}

func (w *words) answer(first bool) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if first {
		return cmp.Or(w.first, "stopping")
	}
	return cmp.Or(w.again, "still stopping")
}

// untilSignal returns a context that the first SIGINT, SIGTERM or SIGHUP cancels. No further signal
// cuts anything short: the way back from a fault is the one thing that must not be skipped, so
// impatience is answered with words. stop releases the signals and waits for the listener.
func untilSignal(stderr io.Writer, w *words) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as nohup would have it
		signal.Notify(signals, syscall.SIGHUP) // the terminal has gone; the way back has not
	}
	listened := make(chan struct{})
	over := make(chan struct{})
	go func() {
		defer close(listened)
		for first := true; ; first = false {
			select {
			case s := <-signals:
				fmt.Fprintf(stderr, "\nloadkms: %s: %s\n", s, w.answer(first))
				cancel(signalled{s})
			case <-over:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(over)
		<-listened
		cancel(nil)
	}
}

// outliveReaders lets the process go on when whoever reads its standard output or error has ended,
// as tee does on Ctrl-C: the system's way is to end it at once, in the middle of a fault.
func outliveReaders() { signal.Ignore(syscall.SIGPIPE) }
