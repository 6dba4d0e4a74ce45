package reporters

import (
	"math"
	"runtime/debug"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"loadkms/result"
)

// bounds are the upper bounds of the exported histograms, in seconds. They are fixed, so that runs
// can be compared; each is at most 2.5 times the one before, and there are few enough to keep a
// step's two histograms under 40 series.
var bounds = []float64{
	0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
}

var (
	descBuild = prometheus.NewDesc("loadkms_build_info",
		"Always 1; its label tells which loadkms is running.", []string{"version"}, nil)
	descElapsed = prometheus.NewDesc("loadkms_elapsed_seconds",
		"Time since the run began.", nil, nil)
	descArrivals = prometheus.NewDesc("loadkms_arrivals_total",
		"Arrivals the schedule asked for so far, dropped ones included.", nil, nil)
	descDropped = prometheus.NewDesc("loadkms_arrivals_dropped_total",
		"Arrivals that were due while every virtual user was busy.", nil, nil)
	descUsers = prometheus.NewDesc("loadkms_users_busy",
		"Virtual users busy now.", nil, nil)
	descRequests = prometheus.NewDesc("loadkms_requests_total",
		"Requests that ended, by class and outcome (ok, failed, unknown).",
		[]string{"scenario", "step", "class", "outcome"}, nil)
	descResponse = prometheus.NewDesc("loadkms_response_seconds",
		"Response time: from the intended start to the last byte.", []string{"scenario", "step"}, nil)
	descService = prometheus.NewDesc("loadkms_service_seconds",
		"Service time: from the start of sending to the last byte.", []string{"scenario", "step"}, nil)
	descLateness = prometheus.NewDesc("loadkms_lateness_seconds",
		"Lateness of arrivals: from the intended to the actual start. The generator's own fault.", nil, nil)
	descActive = prometheus.NewDesc("loadkms_fault_active",
		"1 while the fault may be in force: from the call that breaks to the verified restore.",
		[]string{"target", "action"}, nil)
	descPending = prometheus.NewDesc("loadkms_rollback_pending",
		"Faults not yet put back for good: their journal entries are open. Above 0 after the run, "+
			"something is still broken.", nil, nil)
)

// Collector exposes the latest snapshot of feed to Prometheus. Every scrape shows one snapshot, so
// its numbers agree with one another. Labels are the script's names and fixed sets, never a URL that
// was sent, a status text or an error. Before the first snapshot there is only loadkms_build_info.
func Collector(feed *result.Feed) prometheus.Collector { return collector{feed} }

type collector struct{ feed *result.Feed }

// Describe implements prometheus.Collector.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descBuild, descElapsed, descArrivals, descDropped, descUsers, descRequests, descResponse,
		descService, descLateness, descActive, descPending,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	send := func(m prometheus.Metric, err error) {
		if err != nil {
			m = prometheus.NewInvalidMetric(descBuild, err)
		}
		ch <- m
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		send(prometheus.NewConstMetric(d, prometheus.GaugeValue, v, labels...))
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		send(prometheus.NewConstMetric(d, prometheus.CounterValue, float64(v), labels...))
	}

	gauge(descBuild, 1, version())
	s := c.feed.Latest()
	if s == nil {
		return
	}
	gauge(descElapsed, s.Elapsed.Seconds())
	counter(descArrivals, s.Generator.Due)
	counter(descDropped, s.Generator.Dropped)
	gauge(descUsers, float64(s.Inflight))
	send(summary(descLateness, s.Generator.Lateness))

	for _, step := range merged(s.Steps) {
		// All classes, also those not seen yet: a counter that appears at 40 has lost 40 to rate().
		for class := range result.Classes {
			counter(descRequests, step.Classes[class], step.Scenario, step.Name, class.String(), class.Outcome().String())
		}
		send(histogram(descResponse, step.response, step.Scenario, step.Name))
		send(histogram(descService, step.service, step.Scenario, step.Name))
	}

	type key struct{ target, action string }
	active := map[key]float64{}
	var order []key
	pending := 0
	for _, f := range s.Faults {
		k := key{label(f.Target), label(f.Action)}
		if _, known := active[k]; !known {
			active[k] = 0
			order = append(order, k)
		}
		if f.Breaking < 0 || f.Refused != "" {
			continue
		}
		if f.Restored < 0 {
			active[k] = 1
		}
		if f.Settled < 0 && !f.OneWay {
			pending++
		}
	}
	for _, k := range order {
		gauge(descActive, active[k], k.target, k.action)
	}
	gauge(descPending, float64(pending))
}

// A shape is one or more distributions as a histogram.
type shape struct {
	count   uint64
	sum     float64 // seconds
	buckets map[float64]uint64
}

// add counts d into s. A bucket of d counts below the first bound that is not below its own upper
// bound, so the exported counts are never too good; d's buckets are 1/128 wide, which is how far a
// value beside a bound may be counted one bucket too high.
func (s *shape) add(d result.Distribution) {
	s.sum += d.Mean.Seconds() * float64(d.Count)
	n := uint64(0)
	for _, b := range d.Buckets {
		n += b.N
		for _, bound := range bounds {
			if b.UpTo.Seconds() <= bound {
				s.buckets[bound] += b.N
			}
		}
	}
	// Without buckets all we know is the number.
	s.count += max(n, d.Count)
}

type mergedStep struct {
	result.Step
	response, service shape
}

// merged returns steps with those of the same scenario and name made one: two steps may share a
// name, two metrics must not share their labels.
func merged(steps []result.Step) []*mergedStep {
	type key struct{ scenario, name string }
	at := map[key]*mergedStep{}
	var out []*mergedStep
	for _, step := range steps {
		step.Scenario, step.Name = label(step.Scenario), label(step.Name)
		k := key{step.Scenario, step.Name}
		m := at[k]
		if m == nil {
			m = &mergedStep{
				Step:     result.Step{Scenario: step.Scenario, Name: step.Name},
				response: shape{buckets: map[float64]uint64{}},
				service:  shape{buckets: map[float64]uint64{}},
			}
			for _, b := range bounds {
				m.response.buckets[b], m.service.buckets[b] = 0, 0
			}
			at[k] = m
			out = append(out, m)
		}
		m.Classes.Add(step.Classes)
		m.response.add(step.Response)
		m.service.add(step.Service)
	}
	return out
}

func histogram(d *prometheus.Desc, s shape, labels ...string) (prometheus.Metric, error) {
	return prometheus.NewConstHistogram(d, s.count, s.sum, s.buckets, labels...)
}

// summary exports d by its quantiles, which are not a number while nothing was measured.
func summary(d *prometheus.Desc, of result.Distribution) (prometheus.Metric, error) {
	quantile := func(q time.Duration) float64 {
		if of.Count == 0 {
			return math.NaN()
		}
		return q.Seconds()
	}
	return prometheus.NewConstSummary(d, of.Count, of.Mean.Seconds()*float64(of.Count), map[float64]float64{
		0.5: quantile(of.P50), 0.9: quantile(of.P90), 0.95: quantile(of.P95),
		0.99: quantile(of.P99), 0.999: quantile(of.P999),
	})
}

// label makes s a label value: Prometheus wants UTF-8, and nobody wants a label of 10 MB.
func label(s string) string { return cleanTo(strings.ToValidUTF8(s, "\uFFFD"), 200) }

// version returns the version of the running binary, as go build recorded it.
func version() string {
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" {
		return b.Main.Version
	}
	return "unknown"
}
