package verdict

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"loadkms/result"
	"loadkms/scenarios"
)

// A view is what one step saw in one scope of one fault, to be judged by one expectation.
type view struct {
	*tally
	strays result.Counts // requests of the scope that were answered only when it was over
	fault  int
	step   int
	label  string // of the step
	scope  scope
	want   scenarios.Expectation
	at     scenarios.Pos
}

// expectation judges e, one of fault i's, for every step that was requested in its scope.
func (j *judge) expectation(i int, e scenarios.Expectation) {
	sc := scopeOf(j.run, i, e.Scope)
	exercised := false
	for step := range j.run.Steps {
		t := tallyOf(sc.spans, step)
		v := view{t, sc.strays(j.run, step, t), i, step, stepLabel(j.run, step), sc, e, e.Pos}
		if v.counts.Total()+v.strays.Total() == 0 {
			continue
		}
		exercised = true
		if v.counts.Total() == 0 {
			j.add(v.check("is answered", wishes(e), "no answer while it lasted", result.Inconclusive),
				fmt.Sprintf("none of the requests of %s sent %s was answered before that was over, so what is expected then (%s) was not seen",
					v.label, relative(j.run.Faults[i], e.Scope), wishes(e)))
			continue
		}
		if e.Succeed >= 0 {
			j.succeed(v)
		}
		if e.Fail != nil {
			j.fail(v)
		}
		if len(e.Never) > 0 {
			j.never(v)
		}
		for _, l := range e.Limits {
			j.limit(v, l)
		}
	}
	if !exercised {
		f := j.run.Faults[i]
		j.add(result.Check{
			Name: "expectation", Fault: i, Scope: string(e.Scope), Want: wishes(e), Got: "no traffic",
			Outcome: result.Inconclusive, Where: where(e.Pos),
		}, fmt.Sprintf("there was no traffic %s, so what is expected then (%s) was not seen", relative(f, e.Scope), wishes(e)))
	}
}

// check begins a check of v.
func (v view) check(name, want, got string, outcome result.Judgment) result.Check {
	return result.Check{
		Name: v.label + ": " + name, Fault: v.fault, Scope: string(v.want.Scope),
		Want: want, Got: got, Outcome: outcome, Where: where(v.at),
	}
}

// since writes a time as one since the scope began.
func (v view) since(at time.Duration) string { return human(at - v.scope.from) }

// unseen turns a check that would pass into an inconclusive one because of requests that came while the
// scope lasted, ended as late says, and were in none of its spans: a fault that makes requests hang
// until it is over must not pass for one that nobody noticed.
func (j *judge) unseen(v view, name, want string, late result.Counts) {
	what := fmt.Sprintf("at least %d more were answered only when it was over (%s)", late.Total(), breakdown(late))
	j.add(v.check(name, want, what, result.Inconclusive),
		fmt.Sprintf("of the requests of %s that came %s, at least %d were answered only when it was over (%s), so whether %s is not known",
			v.label, relative(j.run.Faults[v.fault], v.want.Scope), late.Total(), breakdown(late), want))
}

// unanswered returns how many requests nobody had answered when the run was over, if they may have
// been sent in a scope. Which step's they were is not known. Of an interrupted run they say nothing.
func (j *judge) unanswered(sc scope) uint64 {
	if j.run.Interrupted != "" || sc.to < end(j.run) {
		return 0
	}
	return j.run.Generator.Cut
}

// succeed judges the share of good answers. A time allowed shortens what is judged: only what comes
// after it counts, so that in the scope after a fault it is a limit on the time to recover.
func (j *judge) succeed(v view) {
	e, f := v.want, j.run.Faults[v.fault]
	want := wishSucceed(e)
	deadline := v.scope.from + e.Within
	switch {
	case e.Within == 0 || v.counts.Bad() == 0:
		c := v.counts
		late := v.strays
		if e.Within > 0 && v.straddling > 0 { // no bad one is in the tally: all that came after the deadline are strays
			late = v.scope.due(j.run, v.step, deadline)
		}
		late[result.OK] = 0
		cut := j.unanswered(v.scope)
		if total := c.Total() + late.Total(); j.share(c, e.Succeed) == result.Pass && !atLeast(c[result.OK], total, e.Succeed) {
			j.unseen(v, "succeeds", want, late)
			return
		} else if cut > 0 && atLeast(c[result.OK], total, e.Succeed) && !atLeast(c[result.OK], total+cut, e.Succeed) {
			j.cut(v, cut)
			return
		}
		got := fmt.Sprintf("%s (%d of %d)", percent(c.Availability()), c[result.OK], c.Total())
		j.add(v.check("succeeds", want, got, j.share(c, e.Succeed)),
			fmt.Sprintf("%s, only %s of the requests of %s succeeded where %s was expected: %d of %d did not (%s)",
				relative(f, e.Scope), percent(c.Availability()), v.label, percent(e.Succeed), c.Bad(), c.Total(), breakdown(c)))
	case e.Succeed >= 1:
		j.completeBy(v, deadline)
	default:
		j.shareFrom(v, deadline)
	}
}

// cut adds a check that cannot be decided because of requests nobody answered.
func (j *judge) cut(v view, cut uint64) {
	j.add(v.check("succeeds", wishSucceed(v.want), count(cut, "request")+" without an answer at the end", result.Inconclusive),
		fmt.Sprintf("%s had no answer when the run ended, so whether %s of %s %s is not known",
			count(cut, "request"), wishSucceed(v.want), v.label, relative(j.run.Faults[v.fault], v.want.Scope)))
}

// completeBy judges that every request that came after the deadline is served. Spans know exactly when
// the last bad answer was complete; if that is later, windows may still show that its user had come
// before: one who came in the time allowed and was let down by a time-out long after it is excused.
func (j *judge) completeBy(v view, deadline time.Duration) {
	e, f := v.want, j.run.Faults[v.fault]
	last, again := v.lastBad(), v.last[result.OK] > v.lastBad()
	if last > deadline {
		if served, failed := v.scope.cameAfter(j.run, v.step, deadline); !failed {
			last, again = deadline, served
		}
	}
	if late := v.scope.due(j.run, v.step, deadline); last <= deadline && v.straddling > 0 && late.Bad() > 0 {
		late[result.OK] = 0
		j.unseen(v, "succeeds", wishSucceed(e), late)
		return
	}
	if cut := j.unanswered(v.scope); cut > 0 && last <= deadline && again {
		j.cut(v, cut)
		return
	}
	lastOwn := last // not counting what may be the generator's own doing
	if len(j.excuses) > 0 {
		lastOwn = min(last, v.lastBut(slices.Concat(j.excuses, []result.Class{result.OK})...))
	}
	when := relative(f, e.Scope)
	verb := fared(v.lastClass())
	switch {
	case last <= deadline && again:
		got := fmt.Sprintf("nobody %s later than %s", verb, beside(last-v.scope.from, e.Within))
		if last == deadline {
			got = fmt.Sprintf("nobody %s who came later than %s", verb, human(e.Within))
		}
		j.add(v.check("succeeds", wishSucceed(e), got, result.Pass), "")
	case last <= deadline:
		last = v.lastBad()
		got := fmt.Sprintf("still %s %s into it, and nobody asked again", verb, v.since(last))
		j.add(v.check("succeeds", wishSucceed(e), got, result.Inconclusive),
			fmt.Sprintf("users of %s were %s until %s %s, and nobody asked again, so whether they recover in %s is not known",
				v.label, verb, v.since(last), when, human(e.Within)))
	default:
		outcome := result.Fail
		if lastOwn <= deadline {
			outcome = result.Inconclusive
		}
		over := beside(last-v.scope.from, e.Within)
		j.add(v.check("succeeds", wishSucceed(e), fmt.Sprintf("still %s after %s", verb, over), outcome),
			fmt.Sprintf("users of %s were still %s %s %s; they should all have been served from %s on",
				v.label, verb, over, when, human(e.Within)))
	}
}

// shareFrom judges the share of good answers to requests due after the deadline, from the windows.
func (j *judge) shareFrom(v view, deadline time.Duration) {
	e, f := v.want, j.run.Faults[v.fault]
	var c result.Counts
	for _, w := range v.scope.windows(j.run, deadline) {
		if v.step < len(w.Steps) {
			c.Add(w.Steps[v.step].Classes)
		}
	}
	if c.Total() == 0 {
		j.add(v.check("succeeds", wishSucceed(e), "no traffic after that time", result.Inconclusive),
			fmt.Sprintf("no request of %s was due later than %s %s, so what was expected then was not seen",
				v.label, human(e.Within), relative(f, e.Scope)))
		return
	}
	got := fmt.Sprintf("%s (%d of %d)", percent(c.Availability()), c[result.OK], c.Total())
	j.add(v.check("succeeds", wishSucceed(e), got, j.share(c, e.Succeed)),
		fmt.Sprintf("later than %s %s, only %s of the requests of %s succeeded where %s was expected: "+
			"%d of %d did not (%s)", human(e.Within), relative(f, e.Scope), percent(c.Availability()), v.label,
			percent(e.Succeed), c.Bad(), c.Total(), breakdown(c)))
}

// fail judges that requests begin to fail as they should, in time, and that none is served later: a
// key that is gone and still serves data is fail-open, the worst a fault can find. Within the time
// allowed good and bad answers may alternate, as caches run out one by one.
func (j *judge) fail(v view) {
	e, f := v.want, j.run.Faults[v.fault]
	class := *e.Fail
	deadline := v.scope.from + e.Within
	when := relative(f, e.Scope)
	want := wishFail(e)
	lastOK := v.last[result.OK]

	others := v.counts
	others[result.OK], others[class] = 0, 0
	if others.Total() > 0 {
		outcome := result.Fail
		if others.Total() == j.mine(others) {
			outcome = result.Inconclusive
		}
		j.add(v.check("fails as expected", want, breakdown(others), outcome),
			fmt.Sprintf("%s, requests of %s failed as %s where only %s was expected, the first %s after",
				when, v.label, breakdown(others), class, v.since(v.firstBut(class))))
	}
	switch {
	case v.counts[result.OK] > 0 && lastOK > deadline:
		served := beside(lastOK-v.scope.from, e.Within)
		gone := "although the key was gone"
		if f.Action != string(scenarios.DisableKey) {
			gone = "although it should not have been"
		}
		j.add(v.check("fails", want, fmt.Sprintf("FAIL-OPEN: served until %s", served), result.Fail),
			fmt.Sprintf("FAIL-OPEN: %s: data was still served %s %s, %s", v.label, served, when, gone))
	case v.counts[class] == 0 && others.Total() > 0: // said above
	case v.counts[class] == 0:
		j.add(v.check("fails", want, fmt.Sprintf("served to the end, %s", v.since(v.scope.to)), result.Inconclusive),
			fmt.Sprintf("the scope ended %s %s, before the %s in which requests of %s may still be served were over",
				v.since(v.scope.to), when, human(e.Within), v.label))
	case v.first[class] > deadline: // and nobody was served after it, or it were fail-open
		late := beside(v.first[class]-v.scope.from, e.Within)
		j.add(v.check("fails", want, "seen from "+late+" on", result.Inconclusive),
			fmt.Sprintf("requests of %s were seen to fail as %s only %s %s; between %s and then nobody asked",
				v.label, class, late, when, human(e.Within)))
	case lastOK > v.last[class]:
		j.add(v.check("fails", want, fmt.Sprintf("served again until the end, %s", v.since(v.scope.to)), result.Inconclusive),
			fmt.Sprintf("requests of %s failed as %s and were served again %s %s; the scope ended before the %s allowed were over",
				v.label, class, v.since(lastOK), when, human(e.Within)))
	case others.Total() == 0 && v.strays.Bad() > v.strays[class]:
		late := v.strays
		late[result.OK], late[class] = 0, 0
		j.unseen(v, "fails", want, late)
	default:
		got := fmt.Sprintf("from %s on (%s)", v.since(v.first[class]), count(v.counts[class], "request"))
		j.add(v.check("fails", want, got, result.Pass), "")
	}
}

// never judges that no request ended in certain classes.
func (j *judge) never(v view) {
	e, f := v.want, j.run.Faults[v.fault]
	var c, late result.Counts
	for _, class := range e.Never {
		c[class], late[class] = v.counts[class], v.strays[class]
	}
	if c.Total() == 0 && late.Total() > 0 {
		j.unseen(v, "never fails so", wishNever(e), late)
		return
	}
	if c.Total() == 0 {
		j.add(v.check("never fails so", wishNever(e), "none", result.Pass), "")
		return
	}
	outcome := result.Fail
	if c.Total() == j.mine(c) {
		outcome = result.Inconclusive
	}
	j.add(v.check("never fails so", wishNever(e), breakdown(c), outcome),
		fmt.Sprintf("%s, %d of %s of %s ended as they never should: %s",
			relative(f, e.Scope), c.Total(), count(v.counts.Total(), "request"), v.label, breakdown(c)))
}

// limit judges one quantile of the response time.
func (j *judge) limit(v view, l scenarios.Limit) {
	f := j.run.Faults[v.fault]
	v.at = l.Pos
	name := quantileName(l.Quantile)
	bound, want := bounds{l.Max, l.Max}, "at most "+human(l.Max)
	if l.Factor > 0 {
		base := tallyOf(scopeOf(j.run, v.fault, scenarios.Before).spans, v.step)
		want = fmt.Sprintf("at most %sx of before", trim(l.Factor, 3))
		if need := enough(l.Quantile); samples(base.responses) < need {
			j.add(v.check(name, want, fmt.Sprintf("%s before", count(samples(base.responses), "request")), result.Inconclusive),
				fmt.Sprintf("%s of %s cannot be compared: %s it had %s, and a factor takes %d",
					name, v.label, relative(f, scenarios.Before), count(samples(base.responses), "request"), need))
			return
		}
		b := quantile(base.responses, l.Quantile)
		bound = bounds{scale(b.low, l.Factor), scale(b.high, l.Factor)}
		want += fmt.Sprintf(" (%s)", human(bound.high))
	}
	got := quantile(v.responses, l.Quantile)
	c := v.check(name, want, beside(got.high, bound.high), result.Pass)
	reason := fmt.Sprintf("%s of %s was %s %s, where %s was expected", name, v.label, c.Got, relative(f, v.want.Scope), want)
	switch {
	case samples(v.responses) == 0:
		c.Outcome, c.Got = result.Inconclusive, "no response times"
		reason = fmt.Sprintf("%s of %s is not known %s: there are no response times", name, v.label, relative(f, v.want.Scope))
	case got.high <= bound.low && j.holdsWithStrays(v, l.Quantile, bound.low):
	case got.high <= bound.low:
		c.Outcome = result.Inconclusive
		c.Got += fmt.Sprintf(", and at least %d more were answered only when it was over", v.strays.Total())
		reason = fmt.Sprintf("%s of the requests of %s that were answered %s was within its bound (%s), but at least %d more were "+
			"answered only when it was over, after up to %s", name, v.label, relative(f, v.want.Scope), want, v.strays.Total(),
			human(v.scope.slowest(j.run, v.step)))
	case j.late, samples(v.services) == samples(v.responses) && quantile(v.services, l.Quantile).high <= bound.low:
		// What the response time is beyond the service time, the generator was late.
		c.Outcome = result.Inconclusive
		reason += ", but the load generator was late"
	case got.low > bound.high:
		c.Outcome = result.Fail
	default:
		c.Outcome = result.Inconclusive
		reason += "; the run does not hold enough to tell exactly"
	}
	j.add(c, reason)
}

// holdsWithStrays reports whether quantile q of v stays within the limit with the strays among them,
// whose response times only windows know.
func (j *judge) holdsWithStrays(v view, q float64, limit time.Duration) bool {
	strays := v.strays.Total()
	if strays == 0 || v.scope.slowest(j.run, v.step) <= limit {
		return true
	}
	n := float64(samples(v.responses))
	for _, higher := range []float64{q, 0.9, 0.95, 0.99, 0.999, 1} {
		if higher*n >= q*(n+float64(strays)) && quantile(v.responses, higher).high <= limit {
			return true
		}
	}
	return false
}

// scale multiplies a duration by a factor, rounding up to the next nanosecond: a limit is inclusive.
func scale(d time.Duration, factor float64) time.Duration {
	return time.Duration(math.Ceil(float64(d)*factor - 1e-6))
}

// wishes writes an expectation as the script does.
func wishes(e scenarios.Expectation) string {
	var parts []string
	if e.Succeed >= 0 {
		parts = append(parts, wishSucceed(e))
	}
	if e.Fail != nil {
		parts = append(parts, wishFail(e))
	}
	if len(e.Never) > 0 {
		parts = append(parts, wishNever(e))
	}
	for _, l := range e.Limits {
		if l.Factor > 0 {
			parts = append(parts, fmt.Sprintf("%s at most %sx of before", quantileName(l.Quantile), trim(l.Factor, 3)))
		} else {
			parts = append(parts, fmt.Sprintf("%s at most %s", quantileName(l.Quantile), human(l.Max)))
		}
	}
	return strings.Join(parts, ", ")
}

func wishSucceed(e scenarios.Expectation) string {
	return percent(e.Succeed) + " succeed" + wishWithin(e)
}

func wishFail(e scenarios.Expectation) string { return "fail " + e.Fail.String() + wishWithin(e) }

func wishNever(e scenarios.Expectation) string {
	names := make([]string, len(e.Never))
	for i, c := range e.Never {
		names[i] = c.String()
	}
	return "never " + strings.Join(names, ", ")
}

func wishWithin(e scenarios.Expectation) string {
	if e.Within == 0 {
		return ""
	}
	return " within " + human(e.Within)
}
