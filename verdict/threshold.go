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
	without   float64 // what it would be, at least, without what may be the generator's own doing
}

// threshold judges one condition of config.ensure. The names are Artillery's:
//
//   - http.response_time.min, .max, .mean, .median, .p50, .p90, .p95, .p99, .p999: milliseconds, of all
//     requests of all steps, from their intended start
//   - maxErrorRate: percent of the requests due that were not good, or not answered when the run was over
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
	case holds(t, m.without) && m.without < m.low:
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
		cut := g.Cut // who got no answer before the run was over was not served
		if j.run.Interrupted != "" {
			cut = 0
		}
		share := 100 * ratio(c.Bad()+cut, c.Total()+cut)
		m := metric{share, share, share}
		if j.late {
			m.without = 100 * ratio(ended+cut, c.Total()-c[result.Dropped]+cut)
		}
		return m, c.Total() > 0
	case "vusers.created":
		return exactly(g.Sent), true
	case "vusers.skipped":
		return j.drops(g.Dropped), true
	case "vusers.failed":
		return exactly(ended), true
	case "vusers.completed":
		return exactly(g.Sent - min(g.Sent, ended+max(g.Cut, g.Unfinished))), true
	case "http.requests":
		return exactly(c.Total() - c[result.Dropped] - c[result.CaptureFailed] + g.Cut), true
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
			if k == result.Dropped {
				return j.drops(c[k]), true
			}
			return exactly(c[k]), true
		}
	}
	return metric{}, false
}

// nodeErrors are the names Artillery has for classes of ours.
var nodeErrors = map[string]result.Class{
	"ETIMEDOUT": result.Timeout, "ECONNREFUSED": result.ConnectionRefused,
	"ECONNRESET": result.ConnectionReset, "ENOTFOUND": result.DNS,
}

func exactly(n uint64) metric { return metric{float64(n), float64(n), float64(n)} }

// drops is exactly, for what a late generator may have to answer for itself.
func (j *judge) drops(n uint64) metric {
	m := exactly(n)
	if j.late {
		m.without = 0
	}
	return m
}

// responseTime returns a value of the response time of all steps. What it is beyond the service time is
// the generator's lateness, and of a generator that is late all in all, nothing counts.
func (j *judge) responseTime(name string) (metric, bool) {
	var responses, services []result.Distribution
	for _, s := range j.run.Steps {
		if s.Response.Count > 0 {
			responses, services = append(responses, s.Response), append(services, s.Service)
		}
	}
	r, ok := summary(responses, name)
	if !ok {
		return metric{}, false
	}
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	m := metric{low: ms(r.low), high: ms(r.high), without: ms(r.low)}
	if own, ok := summary(services, name); j.late {
		m.without = 0
	} else if ok && samples(services) == samples(responses) {
		m.without = ms(own.high)
	}
	return m, true
}

// summary returns what the name says about all values of parts, and false if it says nothing or there
// are none.
func summary(parts []result.Distribution, name string) (bounds, bool) {
	if samples(parts) == 0 {
		return bounds{}, false
	}
	switch name {
	case "min":
		v := slices.MinFunc(parts, func(a, b result.Distribution) int { return cmp.Compare(a.Min, b.Min) }).Min
		return bounds{v, v}, true
	case "mean":
		v := mean(parts)
		return bounds{v, v}, true
	case "max":
		v := quantile(parts, 1).high // the greatest of the greatest
		return bounds{v, v}, true
	case "median":
		return quantile(parts, 0.5), true
	}
	for _, q := range []float64{0.5, 0.9, 0.95, 0.99, 0.999} {
		if name == quantileName(q) {
			return quantile(parts, q), true
		}
	}
	return bounds{}, false
}
