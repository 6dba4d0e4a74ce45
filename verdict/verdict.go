// Package verdict decides whether a run was good, and takes each fault apart: when its effect came,
// how far it went, and when it was over.
//
// The package is pure: it does no I/O, looks at no clock, and gives the same run the same verdict
// always. Every number it states comes from the run.
package verdict

import (
	"fmt"
	"slices"
	"strings"

	"loadkms/result"
	"loadkms/scenarios"
)

// Judge judges run by what s expects of it, and by what no run may do whatever its script says.
//
//   - Nothing was sent: inconclusive. Something was sent and nothing at all was answered: fail.
//   - The generator was late (p99 above 10 ms): inconclusive, and no latency and no drop counts as the
//     system's fault. One that ran out of files or ports: likewise, for what it never sent.
//   - A fault was not injected, or met no traffic: inconclusive. One that could not be put back: fail,
//     and Verdict.Stuck.
//   - The expectations of the faults, each per step that was requested in their scope; one whose scope
//     saw no request at all, ended before its time was up, or left so many requests without an answer that
//     they could decide, is inconclusive.
//   - The thresholds and conditions in config.ensure; conditions that are not strict are only reported.
//   - If the script has neither, every request that was due must have succeeded.
//   - What was slow only because the generator was late with it, if only for a moment, is inconclusive.
//   - The run was interrupted: inconclusive.
//
// Any check that failed fails the run; otherwise any that is inconclusive makes it so. Reasons holds a
// sentence for each of these, and then one for each fault and step on what users saw.
func Judge(s *scenarios.Script, run *result.Run) result.Verdict {
	j := newJudge(s, run)
	j.interrupted()
	if j.measured() {
		j.answered()
		j.punctual()
	}
	for i := range run.Faults {
		j.fault(i)
	}
	if j.requests() > 0 {
		for _, t := range s.Config.Ensure {
			j.threshold(t)
		}
		for _, c := range s.Config.Conditions {
			j.condition(c)
		}
		if j.unspecified() {
			j.everything()
		}
	}
	return j.verdict()
}

// A judge collects checks and the sentences that go with them.
type judge struct {
	script *scenarios.Script
	run    *result.Run
	late   bool // the generator's lateness makes what it measured its own
	spent  bool // the generator ran out of files or ports
	// excuses are the classes of requests that may have failed by the generator's own doing.
	excuses []result.Class

	checks  []result.Check
	reasons [2][]string // of failed and of inconclusive checks
	stories []string
	stuck   bool
}

func newJudge(s *scenarios.Script, run *result.Run) *judge {
	j := &judge{script: s, run: run, late: run.Generator.Late(), spent: run.Generator.Exhausted()}
	if j.late || j.spent {
		j.excuses = append(j.excuses, result.Dropped)
	}
	if j.spent {
		j.excuses = append(j.excuses, result.CaptureFailed) // for want of a socket, nothing was sent
	}
	return j
}

// runScope is the scope of checks that belong to no fault.
const runScope = "run"

// add records a check. Reason is what to say if it is not passed; "" if another check says it.
func (j *judge) add(c result.Check, reason string) {
	j.checks = append(j.checks, c)
	if reason == "" || c.Outcome == result.Pass {
		return
	}
	if c.Lax {
		j.stories = append(j.stories, reason+", which is only reported")
		return
	}
	switch c.Outcome {
	case result.Fail:
		j.reasons[0] = append(j.reasons[0], reason)
	case result.Inconclusive:
		j.reasons[1] = append(j.reasons[1], reason)
	}
}

func (j *judge) verdict() result.Verdict {
	v := result.Verdict{Outcome: result.Pass, Stuck: j.stuck, Checks: j.checks}
	for _, c := range j.checks {
		switch {
		case c.Lax:
		case c.Outcome == result.Fail:
			v.Outcome = result.Fail
		case c.Outcome == result.Inconclusive && v.Outcome == result.Pass:
			v.Outcome = result.Inconclusive
		}
	}
	for i, all := range [][]string{j.reasons[0], j.reasons[1], j.stories} {
		before := len(v.Reasons)
		for _, r := range all {
			if !slices.Contains(v.Reasons, r) {
				v.Reasons = append(v.Reasons, r)
			}
		}
		if i == 2 {
			v.Stories = len(v.Reasons) - before
		}
	}
	if len(v.Reasons) == 0 {
		c := j.counts()
		v.Reasons = []string{fmt.Sprintf("%d of %s were served, and every check held",
			c[result.OK], count(c.Total(), "request"))}
	}
	return v
}

// counts adds up all requests of the run.
func (j *judge) counts() (c result.Counts) {
	for _, s := range j.run.Steps {
		c.Add(s.Classes)
	}
	return c
}

// requests returns how many requests the run made, or tried to.
func (j *judge) requests() uint64 {
	c := j.counts()
	return c.Total() - c[result.Dropped]
}

func (j *judge) interrupted() {
	if j.run.Interrupted == "" {
		return
	}
	j.add(result.Check{
		Name: "ran to its end", Fault: -1, Scope: runScope,
		Want: "the whole schedule", Got: "interrupted: " + j.run.Interrupted, Outcome: result.Inconclusive,
	}, fmt.Sprintf("the run was interrupted (%s), so it proves nothing", j.run.Interrupted))
}

// measured checks that there is something to judge at all.
func (j *judge) measured() bool {
	n, g := j.requests(), j.run.Generator
	c := result.Check{
		Name: "something was measured", Fault: -1, Scope: runScope,
		Want: "at least one request", Got: count(n, "request"), Outcome: result.Pass,
	}
	if n > 0 && g.Sent > 0 {
		j.add(c, "")
		return true
	}
	c.Outcome = result.Inconclusive
	switch {
	case g.Dropped > 0:
		j.add(c, fmt.Sprintf("nothing was measured: all %s were dropped, because every virtual user was busy",
			count(g.Dropped, "arrival")))
	case g.Cut > 0:
		j.add(c, fmt.Sprintf("nothing was measured: %s in flight when the run was ended, and no other was made",
			count(g.Cut, "request")))
	default:
		j.add(c, "nothing was measured: no request was sent")
	}
	return false
}

// answered reports whether a request of class c got an answer from the system, good or bad.
func answered(c result.Class) bool {
	switch c {
	case result.Timeout, result.ConnectionRefused, result.ConnectionReset, result.DNS, result.TLS,
		result.BadResponse, result.CaptureFailed, result.Dropped:
		return false
	}
	return true
}

// answered checks that the system was there. Whatever the script expects, even failure, a system that
// does not answer has not shown it.
func (j *judge) answered() {
	c, n := j.counts(), uint64(0)
	for i := range c {
		if answered(result.Class(i)) {
			n += c[i]
		}
	}
	check := result.Check{
		Name: "the target answered", Fault: -1, Scope: runScope,
		Want: "at least one answer", Got: count(n, "answer"), Outcome: result.Pass,
	}
	if n > 0 {
		j.add(check, "")
		return
	}
	check.Outcome = result.Fail
	check.Got += " (" + breakdown(c) + ")"
	why := "it never did in time"
	worst, _ := c.Worst()
	switch worst {
	case result.ConnectionRefused:
		why = "it refused connections"
	case result.ConnectionReset:
		why = "it broke every connection"
	case result.DNS:
		why = "its name does not resolve"
	case result.TLS:
		why = "no TLS connection to it could be made"
	case result.BadResponse:
		why = "what came back was not HTTP"
	case result.CaptureFailed, result.Dropped:
		why = "the values to ask with were missing"
	}
	j.add(check, fmt.Sprintf("%s answered none of %s: %s (%s)",
		j.target(), count(j.requests(), "request"), why, breakdown(c)))
}

func (j *judge) target() string {
	if j.run.Target == "" {
		return "the target"
	}
	return j.run.Target
}

// punctual checks the generator.
func (j *judge) punctual() {
	g := j.run.Generator
	c := result.Check{
		Name: "the generator was on time", Fault: -1, Scope: runScope,
		Want: "lateness p99 at most " + human(g.LateAllowed()), Got: beside(g.Lateness.P99, g.LateAllowed()),
		Outcome: result.Pass,
	}
	if !j.late {
		j.add(c, "")
		j.equipped()
		return
	}
	c.Outcome = result.Inconclusive
	reason := fmt.Sprintf("the load generator was late (p99 %s, at most %s is sound), "+
		"so what it measured may be its own slowness", c.Got, human(g.LateAllowed()))
	if g.Dropped > 0 {
		reason += fmt.Sprintf(", and so may %s", count(g.Dropped, "dropped arrival"))
	}
	if len(g.Limits) > 0 {
		reason += "; it " + strings.Join(g.Limits, ", and ")
	}
	j.add(c, reason)
}

// equipped checks that no request failed because a generator that was on time had run out of something.
func (j *judge) equipped() {
	failed := j.mine(j.counts())
	if !j.spent || failed == 0 {
		return
	}
	limits := strings.Join(j.run.Generator.Limits, ", and ")
	j.add(result.Check{
		Name: "the generator had what it needed", Fault: -1, Scope: runScope,
		Want: "files and ports to spare", Got: limits, Outcome: result.Inconclusive,
	}, fmt.Sprintf("the load generator %s, so it may be why %s never sent", limits, were(failed, "request")))
}

// unspecified reports whether the script expects nothing. An expectation without a condition is none.
func (j *judge) unspecified() bool {
	return len(j.script.Config.Ensure) == 0 && !slices.ContainsFunc(j.script.Config.Conditions, func(c scenarios.Condition) bool {
		return !c.Lax
	}) && !slices.ContainsFunc(j.script.Faults, func(f scenarios.Fault) bool {
		return slices.ContainsFunc(f.Expect, func(e scenarios.Expectation) bool { return wishes(e) != "" })
	})
}

// everything checks that every request that was due succeeded. One that was still unanswered when the
// run was over did not; of an interrupted run, nobody knows.
func (j *judge) everything() {
	c, g := j.counts(), j.run.Generator
	due, cut := c.Total(), g.Cut
	if j.run.Interrupted != "" {
		cut = 0
	}
	check := result.Check{
		Name: "every request succeeds", Fault: -1, Scope: runScope, Want: "100%",
		Got:     fmt.Sprintf("%s (%d of %d)", percent(ratio(c[result.OK], due+cut)), c[result.OK], due+cut),
		Outcome: j.share(c, 1),
	}
	if cut > 0 && check.Outcome == result.Pass {
		check.Outcome = result.Fail
	}
	what := breakdown(c)
	if cut > 0 {
		what = strings.TrimPrefix(what+fmt.Sprintf(", %d unanswered at the end", cut), ", ")
	}
	j.add(check, fmt.Sprintf("%d of %s were not served (%s), and the script allows none",
		due+cut-c[result.OK], count(due+cut, "request"), what))
}

// share judges whether at least want of the requests in c were good. Dropped ones were not served
// either, except that when the generator was late or out of sockets they may be its own doing.
func (j *judge) share(c result.Counts, want float64) result.Judgment {
	if atLeast(c[result.OK], c.Total(), want) {
		return result.Pass
	}
	if own := j.mine(c); own > 0 && atLeast(c[result.OK], c.Total()-own, want) {
		return result.Inconclusive
	}
	return result.Fail
}

// atLeast reports whether n of total is a share of at least want.
func atLeast(n, total uint64, want float64) bool {
	// Shares like 0.999 have no exact binary form; the slack is less than one request in 10^11.
	return n == total || want < 1 && float64(n) >= want*float64(total)*(1-1e-12)
}

func ratio(n, total uint64) float64 {
	if total == 0 {
		return 0
	}
	return float64(n) / float64(total)
}
