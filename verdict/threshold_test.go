package verdict

import (
	"testing"
	"time"

	"loadkms/result"
)

func TestMetrics(t *testing.T) {
	run := newBench().
		traffic(create, 0, 10*s, 100*ms, func(at time.Duration) (result.Class, time.Duration) {
			return result.OK, time.Duration(1+at/(100*ms)) * ms // 1 … 100 ms
		}).
		traffic(get, 10*s, 20*s, s, always(result.Timeout, 500*ms)).
		traffic(get, 20*s, 25*s, s, always(result.Dropped, 0)).
		traffic(get, 25*s, 27*s, s, always(result.ServerError, 200*ms)).
		finish(60 * s)
	run.Generator.Cut = 4
	j := &judge{run: run}
	for name, want := range map[string]float64{
		"maxErrorRate":     100. * 21 / 121,
		"vusers.created":   112,
		"vusers.skipped":   5,
		"vusers.failed":    12,
		"vusers.completed": 96,
		"http.requests":    116,
		"http.responses":   102,

		"errors.Timeout": 10, "errors.ETIMEDOUT": 10, "errors.ServerError": 2, "errors.Dropped": 5,
		"errors.TLS": 0, "errors.ECONNREFUSED": 0, "errors.ECONNRESET": 0, "errors.ENOTFOUND": 0,

		"http.response_time.min":    1,
		"http.response_time.p50":    56,
		"http.response_time.median": 56,
		"http.response_time.p90":    200,
		"http.response_time.p95":    500,
		"http.response_time.p99":    500,
		"http.response_time.p999":   500,
		"http.response_time.max":    500,
		"http.response_time.mean":   (50.5*100 + 500*10 + 200*2) / 112,
	} {
		got, ok := j.metric(name)
		if ok != recorded || got.low != got.high || got.low-want > 1e-5 || want-got.low > 1e-5 {
			t.Errorf("%s: got %v (%v), want %v", name, got, ok, want)
		}
	}
	for name, want := range map[string]standing{
		"errors.OK": absent, "errors.nope": absent, "http.codes.200": blank, "http.codes.20": unknown, "http.codes.": unknown,
		"http.response_time.p42": unknown, "http.response_time.5xx.p99": blank, "http.tls.p99": blank, "apdex": blank,
		"http.nope": unknown, "nope": unknown, "": unknown, ".": unknown, "apdex.nope": unknown, "plugins.apdex": unknown,
		"plugins.metrics-by-endpoint.GET /nope.codes.200": unknown, "plugins.metrics-by-endpoint.response_time.GET /nope.p99": unknown,
	} {
		if got, s := j.metric(name); s != want || got != (metric{}) {
			t.Errorf("%q: got %v (%v), want %v", name, got, s, want)
		}
	}
	if _, s := (&judge{run: newBench().finish(s)}).metric("http.response_time.p99"); s != blank {
		t.Error("a p99 of nothing")
	}
}

// Without buckets the quantiles of several steps together are known only to lie between theirs.
func TestThresholdOnAVagueQuantile(t *testing.T) {
	for _, c := range []struct {
		limit float64
		want  result.Judgment
	}{{6, pass}, {5, inconclusive}, {3, inconclusive}, {2, fail}} {
		b := newBench().
			traffic(create, 0, 10*s, 100*ms, always(result.OK, 2*ms)).
			traffic(get, 0, 10*s, 100*ms, always(result.OK, 5*ms)).
			ensure("http.response_time.p50", c.limit, false)
		run := b.finish(10 * s)
		for i := range run.Steps {
			run.Steps[i].Response.Buckets = nil
		}
		if got := Judge(&b.script, run); got.Outcome != c.want {
			t.Errorf("below %v: got %s, want %s: %q", c.limit, got.Outcome, c.want, got.Reasons)
		}
	}
}
