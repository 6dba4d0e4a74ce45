package reporters

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"loadkms/result"
)

// A tone says how something came out, for colors and marks.
type tone string

// The tones.
const (
	good   tone = "good"
	bad    tone = "bad"
	unsure tone = "unsure"
	calm   tone = "calm" // neither
)

func (t tone) ink() ink {
	switch t {
	case good:
		return green
	case bad:
		return red
	case unsure:
		return yellow
	}
	return plain
}

// mark returns a character that tells tones apart without color.
func (t tone) mark() string {
	switch t {
	case good:
		return "✓"
	case bad:
		return "✗"
	case unsure:
		return "?"
	}
	return "·"
}

func toneOf(j result.Judgment) tone {
	switch j {
	case result.Pass:
		return good
	case result.Fail:
		return bad
	}
	return unsure
}

// headline returns the verdict in one or two words. Something still broken outranks it.
func headline(run *result.Run) (string, tone) {
	if len(stuck(run)) > 0 || run.Verdict.Stuck {
		return "STILL BROKEN", bad
	}
	switch run.Verdict.Outcome {
	case result.Pass:
		return "PASS", good
	case result.Fail:
		return "FAIL", bad
	}
	return "INCONCLUSIVE", unsure
}

// sentence makes a clause one: it begins with a capital, unless its first word is a name like p99 or
// http.codes.500, and ends with a full stop.
func sentence(s string) string {
	s = clean(strings.TrimSpace(s))
	first, _, _ := strings.Cut(s, " ")
	if first != "" && strings.Trim(first, "abcdefghijklmnopqrstuvwxyz,'") == "" {
		s = strings.ToUpper(s[:1]) + s[1:]
	}
	if s != "" && !strings.ContainsAny(s[len(s)-1:], ".!?") {
		s += "."
	}
	return s
}

// sentences returns the verdict's reasons, and that the run was ended early if they do not say so. They
// have the verdict's tone, but for stories of what users saw: those are no reason to worry.
func sentences(run *result.Run) []remark {
	_, verdict := headline(run)
	var out []remark
	said := false
	for i, r := range run.Verdict.Reasons {
		t := verdict
		if i >= len(run.Verdict.Reasons)-run.Verdict.Stories && verdict != good {
			t = calm
		}
		out = append(out, remark{t, sentence(r)})
		said = said || strings.Contains(r, run.Interrupted)
	}
	if run.Interrupted != "" && !said {
		out = append(out, remark{unsure, sentence("the run ended early: " + run.Interrupted)})
	}
	return out
}

// stuck returns the faults that could not be put back.
func stuck(run *result.Run) []result.Fault {
	var out []result.Fault
	for _, f := range run.Faults {
		if f.Stuck != nil {
			out = append(out, f)
		}
	}
	return out
}

// stepName names a step with its scenario, where that says more.
func stepName(s result.Step) string {
	name, scenario := clean(s.Name), clean(s.Scenario)
	if scenario == "" || scenario == name {
		return name
	}
	return scenario + " › " + name
}

func stepAt(steps []result.Step, i int) string {
	if i < 0 || i >= len(steps) {
		return fmt.Sprintf("step %d", i+1)
	}
	return stepName(steps[i])
}

// stepShort names a step by its scenario alone if no other step belongs to it, for where the
// context says the rest.
func stepShort(steps []result.Step, i int) string {
	if i < 0 || i >= len(steps) || steps[i].Scenario == "" {
		return stepAt(steps, i)
	}
	for j, s := range steps {
		if j != i && s.Scenario == steps[i].Scenario {
			return stepAt(steps, i)
		}
	}
	return clean(steps[i].Scenario)
}

// failures lists the classes other than OK and how often each occurred, most frequent first.
func failures(c result.Counts) []result.Class {
	var out []result.Class
	for i := range c {
		if class := result.Class(i); class != result.OK && c[i] > 0 {
			out = append(out, class)
		}
	}
	slices.SortStableFunc(out, func(a, b result.Class) int { return cmp.Compare(c[b], c[a]) })
	return out
}

// failureText writes failures as "KeyInaccessible 588, Timeout 2".
func failureText(c result.Counts) string {
	var parts []string
	for _, class := range failures(c) {
		parts = append(parts, class.String()+" "+count(c[class]))
	}
	return strings.Join(parts, ", ")
}

// A moment is one point in the anatomy of a fault.
type moment struct {
	at    time.Duration
	name  string
	since time.Duration // from breaking, or from restoring once that has begun; Never for the two themselves
	note  string
	tone  tone
	lane  lane
	step  int // index of Fault.Steps, for users' moments
}

// A lane says who has seen a moment.
type lane string

// The lanes.
const (
	control lane = "control" // we, by calling the control plane
	users   lane = "users"
	witness lane = "witness" // a system under the fault, of itself
)

// moments returns what happened to fault i, in order of time. Times are told from the moment we
// began to break, and again from the moment we began to restore.
func moments(steps []result.Step, events []result.Event, faults []result.Fault, i int) []moment {
	f := faults[i]
	var out []moment
	add := func(at, from time.Duration, name, note string, t tone, l lane, step int) {
		if at < 0 {
			return
		}
		since := result.Never
		if from >= 0 && at >= from {
			since = at - from
		}
		out = append(out, moment{at, name, since, note, t, l, step})
	}
	from := func(at time.Duration) time.Duration {
		if f.Restoring >= 0 && at >= f.Restoring {
			return f.Restoring
		}
		return f.Breaking
	}

	add(f.Breaking, -1, "breaking", "", calm, control, -1)
	add(f.Broken, f.Breaking, "accepted", "", calm, control, -1)
	note := ""
	if f.Restoring >= 0 && f.Broken >= 0 {
		note = "after " + length(f.Restoring-f.Broken) + " in force"
	}
	add(f.Visible, f.Breaking, "visible", "the control plane shows it", calm, control, -1)
	add(f.Restoring, -1, "restoring", note, calm, control, -1)
	add(f.RestoreAccepted, f.Restoring, "restore accepted", "", calm, control, -1)
	add(f.Restored, f.Restoring, "verified", "the control plane shows the prior state", calm, control, -1)
	add(f.Settled, f.Restoring, "settled", "and it stayed so", calm, control, -1)

	for j, a := range f.Steps {
		where := ""
		if len(f.Steps) > 1 {
			where = " (" + stepShort(steps, a.Step) + ")"
		}
		first := ""
		if a.Grace >= 0 {
			first = "grace " + gap(a.Grace, a.GraceGap) + ", then "
		}
		add(a.FirstEffect, from(a.FirstEffect), "first effect", first+a.Class.String()+where, bad, users, j)
		add(a.FullEffect, from(a.FullEffect), "full effect", "from here on nobody was served"+where, bad, users, j)
		add(a.FirstSuccess, from(a.FirstSuccess), "first success", strings.TrimSpace(where), good, users, j)
		last := "sustained"
		if a.TimeToRecover >= 0 {
			last = "time to recover " + gap(a.TimeToRecover, a.RecoverGap)
		}
		add(a.Recovered, from(a.Recovered), "recovered", last+where, good, users, j)
	}
	for _, e := range events {
		switch {
		case e.Fault != i:
		case e.Kind == result.Witnessed:
			add(e.At, from(e.At), "witness", clean(e.Detail), calm, witness, -1)
		case e.Kind == result.FaultStuck:
			add(e.At, from(e.At), "given up", "still broken", bad, control, -1)
		}
	}
	slices.SortStableFunc(out, func(a, b moment) int { return cmp.Compare(a.at, b.at) })
	return out
}

// gap writes a length and its uncertainty.
func gap(d, g time.Duration) string {
	if g <= 0 {
		return length(d)
	}
	return length(d) + " ±" + length(g)
}

// remarks returns what the moments of fault i cannot say because it did not happen, and what its
// witnesses said at no known time.
func remarks(steps []result.Step, events []result.Event, faults []result.Fault, i int) []remark {
	f := faults[i]
	var out []remark
	say := func(t tone, s string) { out = append(out, remark{t, s}) }
	switch {
	case f.Refused != "":
		say(unsure, sentence("refused, nothing was broken: "+f.Refused))
		return out
	case f.Breaking < 0:
		say(unsure, "The run never came to it (planned for "+short(f.Planned)+").")
		return out
	case f.Broken < 0:
		say(unsure, "The call that breaks it was never accepted; what it did is unknown.")
	case f.Visible < 0:
		say(calm, "The control plane never showed it.")
	}
	if f.Stuck != nil {
		say(bad, sentence("it could not be put back: "+f.Stuck.Error))
	} else if f.OneWay {
		say(calm, "It is one-way: nothing brings it back.")
	} else if f.Restored < 0 {
		say(bad, "It is not known to be restored.")
	}
	if f.Error != "" {
		say(unsure, sentence("what went wrong besides: "+f.Error))
	}
	for _, a := range f.Steps {
		name := stepShort(steps, a.Step)
		switch {
		case a.Requests == 0:
			say(unsure, name+": no traffic while it was in force.")
		case a.Failed == 0 && a.FirstEffect < 0 && a.Waiting > 0:
			say(bad, fmt.Sprintf("%s: %s answered while it was in force; at least %s came meanwhile and failed when it was over.",
				name, plural(a.Requests, "request was", "requests were"), plural(a.Waiting, "more", "more")))
		case a.Failed == 0 && a.FirstEffect < 0:
			say(calm, name+": no effect; "+plural(a.Requests, "request", "requests")+" while it was in force, all OK.")
		default:
			say(calm, fmt.Sprintf("%s: %s of %s failed while it was in force, availability %s.",
				name, count(a.Failed), plural(a.Requests, "request", "requests"), ratio(a.Availability)))
			switch {
			case a.FirstEffect < 0 || a.Recovered >= 0 || f.Restored < 0:
			case a.Afterwards == 0:
				say(unsure, name+": nobody asked after the restore, so whether it recovered is not known.")
			default:
				say(bad, name+": never recovered.")
			}
		}
	}
	for _, said := range f.Witness {
		if !slices.ContainsFunc(events, func(e result.Event) bool {
			return e.Fault == i && e.Kind == result.Witnessed && e.Detail == said
		}) {
			say(calm, "Witness: "+clean(said))
		}
	}
	return out
}

// A remark is a sentence and how to take it.
type remark struct {
	tone tone
	text string
}

// inForce tells from when to when a fault may have been in force, as far as end; false if never.
func inForce(f result.Fault, end time.Duration) (from, to time.Duration, ok bool) {
	if f.Breaking < 0 || f.Refused != "" {
		return 0, 0, false
	}
	if f.Restored < 0 {
		return f.Breaking, max(end, f.Breaking), true
	}
	return f.Breaking, max(f.Restored, f.Breaking), true
}

// stage says how far a fault has come at now, for people who watch.
func stage(f result.Fault, now time.Duration) (string, tone) {
	switch {
	case f.Stuck != nil:
		return "STILL BROKEN: " + clean(f.Stuck.Error), bad
	case f.Refused != "":
		return "refused, nothing was broken: " + clean(f.Refused), unsure
	case f.Settled >= 0:
		return "restored and settled", good
	case f.Restored >= 0:
		return "restored, settling for " + seconds(now-f.Restored), good
	case f.RestoreAccepted >= 0:
		return "restore accepted, verifying for " + seconds(now-f.RestoreAccepted), unsure
	case f.Restoring >= 0:
		return "restoring for " + seconds(now-f.Restoring), unsure
	case f.Broken >= 0 && f.OneWay:
		return "done, one-way", calm
	case f.Broken >= 0 && f.Until > now:
		return "BROKEN for " + seconds(now-f.Broken) + ", restored in " + seconds(f.Until-now), bad
	case f.Broken >= 0:
		return "BROKEN for " + seconds(now-f.Broken), bad
	case f.Breaking >= 0:
		return "breaking for " + seconds(now-f.Breaking), unsure
	case f.Planned > now:
		return "waiting, due in " + seconds(f.Planned-now), calm
	}
	return "due now", calm
}

// seconds writes a time that is still running.
func seconds(d time.Duration) string {
	d = max(d, 0).Round(time.Second)
	if d < time.Minute {
		return fmt.Sprintf("%d s", d/time.Second)
	}
	return length(d)
}

// eventText describes an event in words.
func eventText(e result.Event, faults []result.Fault) (text string, t tone) {
	name := ""
	if e.Fault >= 0 && e.Fault < len(faults) {
		name = clean(faults[e.Fault].Name)
	}
	detail := clean(e.Detail)
	with := func(s string) string {
		if name != "" {
			s += ": " + name
		}
		if detail != "" && detail != name {
			s += " (" + detail + ")"
		}
		return s
	}
	switch e.Kind {
	case result.PhaseBegan:
		return "phase " + detail, calm
	case result.FaultObserved:
		return with("prior state known"), calm
	case result.FaultRehearsed:
		return with("the way back works"), calm
	case result.FaultBreaking:
		return with("breaking"), unsure
	case result.FaultBroken:
		return with("broken"), bad
	case result.FaultVisible:
		return with("visible"), bad
	case result.FaultRestoring:
		return with("restoring"), unsure
	case result.FaultAccepted:
		return with("restore accepted"), unsure
	case result.FaultRestored:
		return with("restored, verified"), good
	case result.FaultSettled:
		return with("settled"), good
	case result.FaultRefused:
		return with("refused, nothing was broken"), unsure
	case result.FaultStuck:
		return with("STILL BROKEN"), bad
	case result.Witnessed:
		return "witness: " + detail, calm
	case result.LoadEnded:
		return "the last arrival was sent", calm
	case result.Interrupted:
		return with("interrupted"), unsure
	}
	return with(clean(string(e.Kind))), calm
}
