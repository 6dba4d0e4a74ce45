package reporters

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"

	"loadkms/result"
)

func gather(t *testing.T, s *result.Snapshot) map[string]*dto.MetricFamily {
	t.Helper()
	feed := &result.Feed{}
	if s != nil {
		feed.Publish(s)
	}
	r := prometheus.NewPedanticRegistry()
	if err := r.Register(Collector(feed)); err != nil {
		t.Fatal(err)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*dto.MetricFamily{}
	for _, f := range families {
		out[f.GetName()] = f
	}
	return out
}

func TestCollectorIsClean(t *testing.T) {
	for name, run := range runs(t) {
		for _, at := range []time.Duration{0, 21 * time.Second, run.Took} {
			var families []*dto.MetricFamily
			series := 0
			for _, f := range gather(t, before(run, 1, at)) {
				families = append(families, f)
				series += len(f.Metric)
			}
			problems, err := promlint.NewWithMetricFamilies(families).Lint()
			if err != nil || len(problems) > 0 {
				t.Errorf("%s: %v %v", name, err, problems)
			}
			if series > 100 {
				t.Errorf("%s: %d metrics", name, series)
			}
		}
	}
}

func TestCollectorBeforeTheFirstSnapshot(t *testing.T) {
	got := gather(t, nil)
	if len(got) != 1 || got["loadkms_build_info"] == nil {
		t.Errorf("got %v, want loadkms_build_info alone", got)
	}
}

// TestCollectorAgreesWithTheRun: what Prometheus is told at the end is what run.json holds.
func TestCollectorAgreesWithTheRun(t *testing.T) {
	for name, run := range runs(t) {
		got := gather(t, before(run, 1, run.Took))
		if n := got["loadkms_arrivals_total"].Metric[0].Counter.GetValue(); n != float64(run.Generator.Due) {
			t.Errorf("%s: %v arrivals, want %d", name, n, run.Generator.Due)
		}
		if n := got["loadkms_arrivals_dropped_total"].Metric[0].Counter.GetValue(); n != float64(run.Generator.Dropped) {
			t.Errorf("%s: %v dropped, want %d", name, n, run.Generator.Dropped)
		}
		for _, m := range got["loadkms_requests_total"].Metric {
			l := map[string]string{}
			for _, p := range m.Label {
				l[p.GetName()] = p.GetValue()
			}
			class, ok := result.ParseClass(l["class"])
			if !ok || class.Outcome().String() != l["outcome"] {
				t.Errorf("%s: labels %v", name, l)
			}
			for _, s := range run.Steps {
				if s.Name == l["step"] && s.Scenario == l["scenario"] && m.Counter.GetValue() != float64(s.Classes[class]) {
					t.Errorf("%s: %v %v, want %d", name, l, m.Counter.GetValue(), s.Classes[class])
				}
			}
		}
		for i, m := range got["loadkms_response_seconds"].Metric {
			h, s := m.Histogram, run.Steps[i]
			if h.GetSampleCount() != s.Response.Count {
				t.Errorf("%s: %d responses, want %d", name, h.GetSampleCount(), s.Response.Count)
			}
			last := uint64(0)
			for _, b := range h.Bucket {
				want := uint64(0)
				for _, own := range s.Response.Buckets {
					if own.UpTo.Seconds() <= b.GetUpperBound() {
						want += own.N
					}
				}
				if b.GetCumulativeCount() != want || want < last {
					t.Errorf("%s: %d up to %v, want %d", name, b.GetCumulativeCount(), b.GetUpperBound(), want)
				}
				last = want
			}
		}
	}
}

func TestCollectorTellsFaults(t *testing.T) {
	run := runs(t)["disable-key"]
	f := run.Faults[0]
	stuck := runs(t)["stuck"]
	for _, c := range []struct {
		name            string
		s               *result.Snapshot
		active, pending float64
	}{
		{"waiting", before(run, 1, f.Breaking-1), 0, 0},
		{"maybe broken", before(run, 1, f.Breaking), 1, 1},
		{"broken", before(run, 1, f.Broken), 1, 1},
		{"restoring", before(run, 1, f.Restoring), 1, 1},
		{"restored", before(run, 1, f.Restored), 0, 1},
		{"settled", before(run, 1, f.Settled), 0, 0},
		{"stuck", before(stuck, 1, stuck.Took), 1, 1},
	} {
		got := gather(t, c.s)
		if v := got["loadkms_fault_active"].Metric[0].Gauge.GetValue(); v != c.active {
			t.Errorf("%s: active %v, want %v", c.name, v, c.active)
		}
		if v := got["loadkms_rollback_pending"].Metric[0].Gauge.GetValue(); v != c.pending {
			t.Errorf("%s: pending %v, want %v", c.name, v, c.pending)
		}
	}
}

// TestCollectorMergesNamesakes: two steps, or two faults, of the same name are one series; two would
// make the whole scrape fail.
func TestCollectorMergesNamesakes(t *testing.T) {
	step := result.Step{Scenario: "s\xff", Name: strings.Repeat("long ", 100), Response: result.Distribution{Count: 2}}
	step.Classes[result.OK] = 2
	never := result.Fault{Target: "t", Action: "a", Breaking: result.Never, Restored: result.Never, Settled: result.Never}
	active := never
	active.Breaking = 1
	got := gather(t, &result.Snapshot{Steps: []result.Step{step, step}, Faults: []result.Fault{never, active, never}})
	if n := len(got["loadkms_response_seconds"].Metric); n != 1 {
		t.Errorf("%d series, want 1", n)
	}
	if n := got["loadkms_response_seconds"].Metric[0].Histogram.GetSampleCount(); n != 4 {
		t.Errorf("%d responses, want 4", n)
	}
	if m := got["loadkms_fault_active"].Metric; len(m) != 1 || m[0].Gauge.GetValue() != 1 {
		t.Errorf("fault_active %v, want one series at 1", m)
	}
}
