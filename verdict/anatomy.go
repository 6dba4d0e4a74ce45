package verdict

import (
	"time"

	"loadkms/result"
	"loadkms/scenarios"
)

// Sustained is 3 good windows of 5: one stray failure does not hide that users are served again, and
// one lucky second does not pretend it.
const (
	sustainedGood = 3
	sustainedOf   = 5
)

// Anatomy returns what run's fault number fault did to the users of each step that was requested
// while it was in force, in the order of the steps; nil if it was never in force. It reads the
// fault's times, the spans and the windows, and changes nothing; what it returns belongs into
// Fault.Steps.
//
// Requests that came while the fault was in force and failed only when it was over count in Waiting and
// nowhere else. A fault that nobody noticed has no effects to time: they are all Never, and TimeToRecover is 0. If
// it was noticed and users were not served again, Recovered and TimeToRecover are Never; when they
// were not even asked again, FirstSuccess is Never too and Afterwards is 0. If they were served again
// while it was being restored, FirstSuccess says when, Recovered is when the restore was verified, and
// TimeToRecover is 0.
func Anatomy(run *result.Run, fault int) []result.Anatomy {
	force := scopeOf(run, fault, scenarios.During)
	past := scopeOf(run, fault, scenarios.After)
	var all []result.Anatomy
	for step := range run.Steps {
		t := tallyOf(force.spans, step)
		if t.counts.Total() == 0 {
			continue
		}
		a := result.Anatomy{
			Step:         step,
			Requests:     t.sent(),
			Failed:       t.counts.Bad() - t.counts[result.Dropped],
			Availability: t.counts.Availability(),
			FirstEffect:  result.Never,
			FullEffect:   result.Never,
			FirstSuccess: result.Never,
			Recovered:    result.Never,
			Grace:        result.Never,
		}
		waiting := force.strays(run, step, t)
		a.Waiting = waiting.Bad()
		if a.Class, _ = t.counts.Worst(); a.Class == result.OK {
			a.Class, _ = waiting.Worst()
		}
		good, bad := momentsOf(run, step, true), momentsOf(run, step, false)
		impact(&a, t, force, good, bad)
		recovery(&a, run, past, run.Faults[fault].Restoring, good, bad)
		all = append(all, a)
	}
	return all
}

// impact fills in how the effect came on: t is what was answered while the fault was in force.
func impact(a *result.Anatomy, t *tally, force scope, good, bad moments) {
	if t.counts.Bad() == 0 {
		return
	}
	a.FirstEffect = t.firstBad()
	a.Grace = a.FirstEffect - force.from
	a.GraceGap = a.FirstEffect - max(good.before(a.FirstEffect), force.from)

	// The last good answer is exact: a request that was sent before the fault is in no span of it.
	last := t.last[result.OK]
	if last < a.FirstEffect {
		a.FullEffect = a.FirstEffect
		return
	}
	// The first bad answer after it is one of those known, at worst a window too late. When most were
	// still served shortly before the end, that the very last ones were not is chance.
	if at := bad.after(last); at != result.Never && at <= t.lastBad() && !servedUntil(force, t, last) {
		a.FullEffect = at
	}
}

// servedUntil reports whether good answers came until so shortly before the end of the scope that what
// came after says nothing: less than a tenth of the failing time is free of them.
func servedUntil(force scope, t *tally, lastOK time.Duration) bool {
	return (force.to - lastOK) < (force.to-t.firstBad())/10
}

// recovery fills in how users came to be served again.
func recovery(a *result.Anatomy, run *result.Run, past scope, restoring time.Duration, good, bad moments) {
	t := tallyOf(past.spans, a.Step)
	a.Afterwards = t.counts.Total()
	if a.FirstEffect == result.Never && t.counts.Bad() == 0 {
		return // nobody noticed
	}
	a.TimeToRecover = result.Never
	a.FirstSuccess = t.first[result.OK]
	if a.FirstSuccess == result.Never {
		return
	}
	if t.counts.Bad() == 0 {
		a.Recovered = a.FirstSuccess
		if at := servedBefore(past, restoring, good, bad); at != result.Never {
			// Nothing was verified yet, so that is not when it was over; but it did not last any longer.
			a.FirstSuccess, a.Recovered = at, past.from
		}
		a.TimeToRecover = a.Recovered - past.from
		a.RecoverGap = a.TimeToRecover
		return
	}
	start, ok := sustained(run, a.Step, past)
	if !ok {
		return
	}
	// Windows are cut by intended start, so one that is bad may hold requests from before the restore;
	// the last bad answer that counts is one to a request sent after it, which only spans know.
	lastBad := past.from
	for _, w := range run.Windows {
		if w.At < start.At && w.At+window > past.from && a.Step < len(w.Steps) && w.Steps[a.Step].Classes.Bad() > 0 {
			lastBad = max(lastBad, w.Steps[a.Step].LastBad)
		}
	}
	lastBad = min(lastBad, t.lastBad(), start.Steps[a.Step].FirstOK-1)
	a.Recovered = good.after(max(lastBad, a.FirstSuccess-1))
	if a.Recovered == result.Never || a.Recovered > past.to {
		a.Recovered = result.Never
		return
	}
	a.TimeToRecover = a.Recovered - past.from
	a.RecoverGap = a.Recovered - lastBad
}

// servedBefore returns when users were served again while a fault was still being restored, and never
// failed afterwards, or Never: where restoring takes a while, they often are before it is verified. Bad
// answers in the scope after it, past, that are none of its own are to requests from before, and leave
// it open.
func servedBefore(past scope, restoring time.Duration, good, bad moments) time.Duration {
	last, next := bad.before(past.from), bad.after(past.from)
	at := good.after(max(last, restoring))
	if last == result.Never || at > past.from || next != result.Never && next <= past.to {
		return result.Never
	}
	return at
}

// sustained returns the first window of the scope from which on the step was good, as the constants
// above have it, and false if there is none. Windows without requests of the step say nothing and are
// passed over; if the scope has fewer windows than it takes, all must be good.
func sustained(run *result.Run, step int, past scope) (result.Window, bool) {
	var seen []result.Window
	for _, w := range past.windows(run, past.from-window+1) {
		if step < len(w.Steps) && w.Steps[step].Classes.Total() > 0 {
			seen = append(seen, w)
		}
	}
	need := min(sustainedGood, len(seen))
	for i := range seen {
		n := 0
		for _, w := range seen[i:min(i+sustainedOf, len(seen))] {
			if w.Steps[step].Classes.Bad() == 0 {
				n++
			}
		}
		if seen[i].Steps[step].Classes.Bad() == 0 && n >= need {
			return seen[i], true
		}
	}
	return result.Window{}, false
}
