// Package runner conducts one run: it fires the load, breaks and restores what the script says, and
// writes down what happened, all on one clock.
//
// It knows no AWS, no sandbox and no reporter: faults come as [faults.Target]s, and whoever wants to
// see the run looks at a [result.Feed].
package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"loadkms/faults"
	"loadkms/result"
	"loadkms/runner/internal/flow"
	"loadkms/scenarios"
	"loadkms/verdict"
)

// Options say what to run. Script, Target and, if the script has faults, Faults and Bracket.Journal
// must be set.
type Options struct {
	Script *scenarios.Script
	Target string          // base URL of the API
	Faults []faults.Target // one for each of Script.Faults, in the same order

	// Bracket holds the journal, the settling time, the budget and what all entries have in common.
	// Its Notify is not used, and its Entry.Where is set for each fault.
	Bracket faults.Bracket

	Watch       time.Duration // how often a faults.Witness is asked; 0 means 1 s
	Feed        *result.Feed  // where the run can be watched; nil means nobody does
	Seed        uint64
	Version     string // of loadkms
	Environment string // -e, or ""
	AWS         result.AWS
	Transport   http.RoundTripper // nil means a client of the runner's own
	// Sign signs every request, before it is sent; it must not block. Nil means that none is signed.
	Sign func(r *http.Request, body []byte, at time.Time) error
	Log  io.Writer // where log steps of the script write; nil means nowhere
}

// Check finds what keeps s from being run though it parses: a processor that is missing or does not
// load, a function it does not have, a pattern that is none, a condition nobody can evaluate. It sends
// nothing, and runs the processor up to its exports. Its error is a *scenarios.Problems.
func Check(s *scenarios.Script) error {
	target := s.Config.Target
	if target == "" || target == "sandbox" {
		target = "http://localhost" // known only when it runs
	}
	if _, err := flow.Compile(s, flow.Options{Target: target}); err != nil {
		return err
	}
	return verdict.Check(s)
}

// Run runs o.Script to its end, or until ctx is done, judges it, and returns what happened.
//
// An error means that the run could not begin: nothing was broken, and nothing was sent but the requests
// of the script's own flow before the load, if that is what failed. Otherwise the
// run is complete, with the anatomy of its faults and its verdict.
//
// Run blocks until everything it broke is restored and has stayed so for the settling time, whatever
// happens to ctx. Done ctx ends the load first, within moments, and then every fault; faults whose
// time had not come are never injected. What could not be restored is in Fault.Stuck, with the
// command that does it, and makes Verdict.Stuck true.
func Run(ctx context.Context, o Options) (*result.Run, error) {
	c, err := newConductor(o)
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("run %s: %w", o.Script.File, context.Cause(ctx))
	}
	defer c.newDriver()()
	if err := c.program.Before(ctx, c.aside); err != nil {
		return nil, fmt.Errorf("run %s: before: %w", o.Script.File, err)
	}
	return c.conduct(ctx), nil
}

// newConductor checks o and prepares everything that does not yet need the clock.
func newConductor(o Options) (*conductor, error) {
	s := o.Script
	plan, err := newPlan(o)
	if err != nil {
		return nil, err
	}
	target, err := url.Parse(o.Target)
	if err != nil {
		// A url.Error quotes the URL, which may hold a password.
		return nil, fmt.Errorf("run %s: the target is not a URL", s.File)
	}
	if target.Scheme != "http" && target.Scheme != "https" || target.Host == "" {
		return nil, fmt.Errorf("run %s: the target %q is not an http or https URL", s.File, target.Redacted())
	}
	program, err := flow.Compile(s, flow.Options{Target: o.Target, Seed: o.Seed, Log: o.Log})
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", s.File, err)
	}
	if err := verdict.Check(s); err != nil {
		return nil, fmt.Errorf("run %s: %w", s.File, err)
	}
	if o.Watch <= 0 {
		o.Watch = time.Second
	}
	c := compose(o, plan, target, program)
	if c.secure, err = secure(s); err != nil {
		return nil, fmt.Errorf("run %s: %w", s.File, err)
	}
	return c, nil
}

// errInternal marks the end of a run by a mistake of ours.
var errInternal = errors.New("internal error")
