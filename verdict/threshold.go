package verdict

import (
	"fmt"
	"slices"
	"strings"

	"loadkms/result"
	"loadkms/scenarios"
)

// threshold judges one threshold of config.ensure. The names are those of [Metrics].
//
// What did not occur counts as zero, and the check says so. A metric loadkms does not record, or has no
// values of, leaves its threshold inconclusive: a condition nobody could check has not held.
func (j *judge) threshold(t scenarios.Threshold) {
	c := result.Check{
		Name: t.Metric, Fault: -1, Scope: runScope, Want: "below " + trim(t.Max, 3) + unit(t.Metric),
		Outcome: result.Pass, Where: where(t.Pos),
	}
	if t.Inclusive {
		c.Want = "at most " + trim(t.Max, 3) + unit(t.Metric)
	}
	m, s := j.metric(t.Metric)
	if s == blank || s == unknown {
		c.Got, c.Outcome = "not recorded", result.Inconclusive
		if s == blank {
			c.Got = "no values"
		}
		j.add(c, fmt.Sprintf("the condition on %s could not be checked: %s", t.Metric, whyNot(s)))
		return
	}
	c.Got = trim(m.high, 3) + unit(t.Metric)
	if s == absent {
		c.Got = "0 (nothing of that name occurred)"
	}
	reason := fmt.Sprintf("%s was %s, and should have been %s", t.Metric, c.Got, c.Want)
	switch {
	case holds(t, m.high):
	case holds(t, m.without) && m.without < m.low:
		c.Outcome = result.Inconclusive
		reason += ", but " + j.excuse()
	case holds(t, m.low):
		c.Outcome = result.Inconclusive
		reason += "; the run does not hold enough to tell exactly"
	default:
		c.Outcome = result.Fail
	}
	j.add(c, reason)
}

func holds(t scenarios.Threshold, x float64) bool { return x < t.Max || t.Inclusive && x == t.Max }

// whyNot says why a metric has no value.
func whyNot(s standing) string {
	if s == blank {
		return "the run has no values of it"
	}
	return "loadkms does not record it"
}

// excuse says what may make a failure the generator's own doing.
func (j *judge) excuse() string {
	if j.spent && !j.late {
		return "the load generator ran out of files or ports"
	}
	return "the load generator was late"
}

// unit returns what a metric is measured in.
func unit(name string) string {
	if name == "maxErrorRate" {
		return "%"
	}
	base, stat, _ := cutLast(name)
	if slices.Contains(summaries, stat) && (slices.Contains(durations, base) ||
		strings.HasPrefix(base, responseTime+".") || strings.HasPrefix(base, endpoint+"response_time.")) {
		return " ms"
	}
	return ""
}
