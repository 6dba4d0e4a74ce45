package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"loadkms/faults"
	"loadkms/result"
	"loadkms/scenarios"
)

// The exit codes. A CI job can tell "the system is bad" from "the run proves nothing" from "somebody
// has to mend something now".
const (
	exitPass         = 0
	exitFail         = 1
	exitUsage        = 2 // the script or the command line is wrong; nothing was sent
	exitInconclusive = 3
	exitBroken       = 4 // something is still broken; outranks all others
)

// A coded error carries the exit code it stands for.
type coded struct {
	code int
	err  error // nil: everything has been said already
}

func (c *coded) Error() string {
	if c.err == nil {
		return ""
	}
	return c.err.Error()
}

func (c *coded) Unwrap() error { return c.err }

// A hinted error carries one line of advice for the user.
type hinted struct {
	error
	hint string
}

func (h *hinted) Unwrap() error { return h.error }

// hint adds advice to err.
func hint(err error, format string, args ...any) error {
	return &hinted{err, fmt.Sprintf(format, args...)}
}

// usage marks an error found before anything was sent.
func usage(format string, args ...any) error {
	return &coded{exitUsage, fmt.Errorf(format, args...)}
}

// exitCode returns the exit code for what a command returned. An error without a code was found
// while the command line was read: cobra's own.
func exitCode(err error) int {
	var c *coded
	switch {
	case err == nil:
		return exitPass
	case errors.Is(err, faults.ErrStuck):
		return exitBroken
	case errors.As(err, &c):
		return c.code
	default:
		return exitUsage
	}
}

// verdictCode returns the exit code of a finished run.
func verdictCode(v result.Verdict) int {
	switch {
	case v.Stuck:
		return exitBroken
	case v.Outcome == result.Pass:
		return exitPass
	case v.Outcome == result.Fail:
		return exitFail
	default:
		return exitInconclusive
	}
}

// explain prints err for a person: problems of a script with their lines, anything else as one line,
// and hints below.
func explain(w io.Writer, err error) {
	if err == nil || err.Error() == "" {
		return
	}
	var problems *scenarios.Problems
	if errors.As(err, &problems) {
		fmt.Fprint(w, problems.Explain())
	} else {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			if line != "" {
				fmt.Fprintf(w, "loadkms: %s\n", line)
			}
		}
	}
	for _, stuck := range stuckIn(err) {
		fmt.Fprintf(w, "loadkms: restore %s by hand: %s\n", stuck.ID, stuck.ByHand)
	}
	var h *hinted
	if errors.As(err, &h) {
		fmt.Fprintf(w, "loadkms: hint: %s\n", h.hint)
	}
}

// stuckIn returns everything that err says is still broken. errors.As would stop at the first.
func stuckIn(err error) []*faults.StuckError {
	switch e := err.(type) {
	case *faults.StuckError:
		return []*faults.StuckError{e}
	case interface{ Unwrap() []error }:
		var all []*faults.StuckError
		for _, err := range e.Unwrap() {
			all = append(all, stuckIn(err)...)
		}
		return all
	case interface{ Unwrap() error }:
		return stuckIn(e.Unwrap())
	default:
		return nil
	}
}
