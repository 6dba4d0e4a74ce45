package verdict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"loadkms/result"
	"loadkms/scenarios"
)

// A metric is the value of something config.ensure can name.
type metric struct {
	low, high float64 // between which it lies; the same where it is known
	ours      bool    // the generator's lateness would show in it
}

// threshold judges one condition of config.ensure. The names are Artillery's:
//
//   - http.response_time.min, .max, .mean, .median, .p50, .p90, .p95, .p99, .p999: milliseconds, of all
//     requests of all steps, from their intended start
//   - maxErrorRate: percent of the requests due that were not good
//   - vusers.created, .skipped (dropped arrivals), .failed (users whose flow ended early, at a request
//     that was not good: each such request ends one), .completed
//   - http.requests (sent), http.responses (answered)
//   - errors.CLASS: how many requests ended so, 0 included
//
// A metric loadkms does not record, such as http.codes.200, leaves its condition inconclusive: a
// condition nobody could check has not held.
func (j *judge) threshold(t scenarios.Threshold) {
	c := result.Check{
		Name: t.Metric, Fault: -1, Scope: runScope, Want: "below " + trim(t.Max, 3) + unit(t.Metric),
		Outcome: result.Pass, Where: where(t.Pos),
	}
	if t.Inclusive {
		c.Want = "at most " + trim(t.Max, 3) + unit(t.Metric)
	}
	m, known := j.metric(t.Metric)
	if !known {
		c.Got, c.Outcome = "not recorded", result.Inconclusive
		j.add(c, fmt.Sprintf("the condition on %s could not be checked: loadkms does not record it", t.Metric))
		return
	}
	c.Got = trim(m.high, 3) + unit(t.Metric)
	reason := fmt.Sprintf("%s was %s, and should have been %s", t.Metric, c.Got, c.Want)
	switch {
	case holds(t, m.high):
	case j.late && m.ours:
		c.Outcome = result.Inconclusive
		reason += ", but the load generator was late"
	case holds(t, m.low):
		c.Outcome = result.Inconclusive
		reason += "; the run does not hold enough to tell exactly"
	default:
		c.Outcome = result.Fail
	}
	j.add(c, reason)
}

func holds(t scenarios.Threshold, x float64) bool { return x < t.Max || t.Inclusive && x == t.Max }

func unit(name string) string {
	switch {
	case strings.HasPrefix(name, responseTime):
		return " ms"
	case name == "maxErrorRate":
		return "%"
	}
	return ""
}

const responseTime = "http.response_time."

// metric returns the value of a metric, and false if it is none that a run holds.
func (j *judge) metric(name string) (metric, bool) {
	if q, ok := strings.CutPrefix(name, responseTime); ok {
		return j.responseTime(q)
	}
	c, g := j.counts(), j.run.Generator
	ended := c.Bad() - c[result.Dropped]
	switch name {
	case "maxErrorRate":
		bad := 100 * ratio(c.Bad(), c.Total())
		m := metric{bad, bad, c[result.Dropped] > 0}
		return m, c.Total() > 0
	case "vusers.created":
		return exactly(g.Sent), true
	case "vusers.skipped":
		m := exactly(g.Dropped)
		m.ours = true
		return m, true
	case "vusers.failed":
		return exactly(ended), true
	case "vusers.completed":
		return exactly(g.Sent - min(g.Sent, ended+g.Cut)), true
	case "http.requests":
		return exactly(c.Total() - c[result.Dropped] - c[result.CaptureFailed]), true
	case "http.responses":
		var n uint64
		for i := range c {
			if answered(result.Class(i)) {
				n += c[i]
			}
		}
		return exactly(n), true
	}
	if class, ok := strings.CutPrefix(name, "errors."); ok {
		if node, ok := nodeErrors[class]; ok {
			class = node.String()
		}
		if k, ok := result.ParseClass(class); ok && k != result.OK {
			m := exactly(c[k])
			m.ours = k == result.Dropped
			return m, true
		}
	}
	return metric{}, false
}

// nodeErrors are the names Artillery has for classes of ours.
var nodeErrors = map[string]result.Class{
	"ETIMEDOUT": result.Timeout, "ECONNREFUSED": result.ConnectionRefused,
	"ECONNRESET": result.ConnectionReset, "ENOTFOUND": result.DNS,
}

func exactly(n uint64) metric { return metric{low: float64(n), high: float64(n)} }

func (j *judge) responseTime(name string) (metric, bool) {
	var parts []result.Distribution
	for _, s := range j.run.Steps {
		if s.Response.Count > 0 {
			parts = append(parts, s.Response)
		}
	}
	if len(parts) == 0 {
		return metric{}, false
	}
	var r bounds
	switch name {
	case "min":
		v := slices.MinFunc(parts, func(a, b result.Distribution) int { return cmp.Compare(a.Min, b.Min) }).Min
		r = bounds{v, v}
	case "mean":
		v := mean(parts)
		r = bounds{v, v}
	case "max":
		r = quantile(parts, 1)
		r.low = r.high // the greatest of the greatest
	case "median", "p50":
		r = quantile(parts, 0.5)
	case "p90":
		r = quantile(parts, 0.9)
	case "p95":
		r = quantile(parts, 0.95)
	case "p99":
		r = quantile(parts, 0.99)
	case "p999":
		r = quantile(parts, 0.999)
	default:
		return metric{}, false
	}
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	return metric{ms(r.low), ms(r.high), true}, true
}
