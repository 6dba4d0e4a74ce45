package verdict

import (
	"fmt"

	"loadkms/result"
	"loadkms/scenarios"
)

// fault checks that fault i was injected, met users, and was put back, and then what it had to show.
func (j *judge) fault(i int) {
	f := j.run.Faults[i]
	injected := j.injected(i)
	if f.Stuck != nil || f.Breaking != result.Never {
		j.putBack(i)
	}
	if injected {
		for _, a := range Anatomy(j.run, i) {
			j.stories = append(j.stories, story(j.run, f, a))
		}
	}
	if f.Error != "" && f.Stuck == nil && f.Broken != result.Never {
		j.stories = append(j.stories, fmt.Sprintf("of the fault %q: %s", f.Name, f.Error))
	}
	if i >= len(j.script.Faults) {
		return
	}
	for _, e := range j.script.Faults[i].Expect {
		if wishes(e) == "" {
			continue
		}
		if !injected {
			j.add(result.Check{
				Name: "expectation", Fault: i, Scope: string(e.Scope), Want: wishes(e),
				Got: "the fault was not injected", Outcome: result.Inconclusive, Where: where(e.Pos),
			}, "")
			continue
		}
		j.expectation(i, e)
	}
}

// injected checks that the fault was in force and that somebody was there to see it.
func (j *judge) injected(i int) bool {
	f := j.run.Faults[i]
	c := result.Check{
		Name: "the fault was injected", Fault: i, Scope: string(scenarios.During),
		Want: "in force, under traffic", Outcome: result.Inconclusive, Where: f.Where,
	}
	switch {
	case f.Refused != "":
		c.Got = "refused: " + f.Refused
		j.add(c, fmt.Sprintf("the fault %q was refused, and nothing was broken: %s", f.Name, f.Refused))
		return false
	case f.Breaking == result.Never:
		c.Got = "never tried"
		j.add(c, fmt.Sprintf("the fault %q was never injected: the run ended before its time came", f.Name))
		return false
	case f.Broken == result.Never:
		c.Got = "breaking it ended in an error"
		if f.Error != "" {
			c.Got += ": " + f.Error
		}
		j.add(c, fmt.Sprintf("the fault %q may not have been in force: %s", f.Name, c.Got))
		return false
	}
	seen, straddling := uint64(0), uint64(0)
	force := scopeOf(j.run, i, scenarios.During)
	for step := range j.run.Steps {
		t := tallyOf(force.spans, step)
		seen, straddling = seen+t.counts.Total(), straddling+t.straddling
	}
	c.Got = fmt.Sprintf("in force for %s, %s", human(force.to-force.from), count(seen, "request"))
	if seen == 0 {
		reason := fmt.Sprintf("the fault %q was in force for %s and met no traffic", f.Name, human(force.to-force.from))
		if straddling > 0 {
			reason = fmt.Sprintf("of %s sent while the fault %q was in force for %s, none was answered before it was restored",
				count(straddling, "request"), f.Name, human(force.to-force.from))
		}
		j.add(c, reason)
		return true
	}
	c.Outcome = result.Pass
	j.add(c, "")
	return true
}

// putBack checks that what was broken, or may have been, is as it was.
func (j *judge) putBack(i int) {
	f := j.run.Faults[i]
	if f.OneWay {
		return
	}
	c := result.Check{
		Name: "the fault was put back", Fault: i, Scope: string(scenarios.After),
		Want: "restored, and still so after the settling time", Outcome: result.Fail, Where: f.Where,
	}
	switch {
	case f.Stuck != nil:
		j.stuck = true
		c.Got = "still broken: " + f.Stuck.Error
		reason := fmt.Sprintf("%s is still broken (%s)", f.Target, f.Stuck.Error)
		if f.Stuck.Command != "" {
			reason += "; to restore it by hand: " + f.Stuck.Command
		}
		j.add(c, reason)
	case f.Restored == result.Never:
		c.Got = "no sign of it"
		j.add(c, fmt.Sprintf("nothing shows that %s was restored after the fault %q", f.Target, f.Name))
	case f.Settled == result.Never:
		c.Got, c.Outcome = "restored, but not watched until it had settled", result.Inconclusive
		j.add(c, fmt.Sprintf("%s was restored after the fault %q, but whether it stayed so is not known", f.Target, f.Name))
	default:
		c.Got = fmt.Sprintf("restored in %s, settled %s later", human(f.Restored-f.Restoring), human(f.Settled-f.Restored))
		c.Outcome = result.Pass
		j.add(c, "")
	}
}
