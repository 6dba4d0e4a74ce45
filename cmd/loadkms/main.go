// Command loadkms puts load on an API whose data is encrypted under a customer-managed KMS key,
// breaks the key, puts it back, and says what the API's users noticed.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	os.Exit(mainWith(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// mainWith is main with its surroundings passed in. It returns the exit code.
func mainWith(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := untilSignal(stderr)
	defer stop()
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	explain(stderr, err)
	return exitCode(err)
}

// A signalled is the cause of a context that a signal ended.
type signalled struct{ os.Signal }

func (s signalled) Error() string { return s.String() + " signal received" }

// untilSignal returns a context that the first SIGINT or SIGTERM cancels. No further signal cuts
// anything short: the way back from a fault is the one thing that must not be skipped, so impatience
// is answered with words. stop releases the signals and waits for the listener.
func untilSignal(stderr io.Writer) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	listened := make(chan struct{})
	over := make(chan struct{})
	go func() {
		defer close(listened)
		for first := true; ; first = false {
			select {
			case s := <-signals:
				if first {
					cancel(signalled{s})
					fmt.Fprintf(stderr, "\nloadkms: %s: stopping the load, then restoring what is broken\n", s)
				} else {
					fmt.Fprintf(stderr, "\nloadkms: %s: still restoring; it is given up after 2 minutes, and what is left is then named here\n", s)
				}
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
