package verdict

import (
	"encoding/json"
	"errors"
	"testing"

	"loadkms/result"
	"loadkms/scenarios"
)

// full is a run that has a value of everything that is recorded.
func full() *result.Run {
	run := newBench().traffic(get, 0, 10*s, 100*ms, always(result.OK, 5*ms)).finish(10 * s)
	some := run.Steps[get].Response
	for i := range run.Steps {
		run.Steps[i].Statuses = map[int]uint64{200: 1}
		run.Steps[i].FirstByte = some
	}
	run.StatusResponse = map[string]result.Distribution{}
	for _, digit := range []string{"1xx", "2xx", "3xx", "4xx", "5xx"} {
		run.StatusResponse[digit] = some
	}
	run.Sessions.Length, run.Connections.DNS, run.Connections.Connect, run.Connections.TLS = some, some, some, some
	run.Apdex = &result.Apdex{Satisfied: 1, Score: 1}
	return run
}

// The language takes every metric a run records, and a run records every metric the language takes: otherwise a
// threshold would be refused that could be checked, or pass validation and never be checked.
func TestLanguageKnowsTheMetrics(t *testing.T) {
	run := full()
	j := newJudge(&scenarios.Script{}, run)
	for _, name := range scenarios.Metrics() {
		m, standing := j.metric(name)
		if standing != recorded {
			t.Errorf("the language knows %s, of which the run has %v (%v)", name, m, standing)
		}
		if got, want := unit(name) == " ms", takes(t, run, name, "20ms"); got != want {
			t.Errorf("%s is in milliseconds: %v; the language takes 20ms for it: %v", name, got, want)
		}
	}
	for name := range Metrics(run) {
		if !takes(t, run, name, "20") {
			t.Errorf("the run has %s, which the language does not know", name)
		}
	}
	for name := range nodeErrors {
		if !takes(t, run, "errors."+name, "20") {
			t.Errorf("the run has errors.%s, which the language does not know", name)
		}
	}
	for _, name := range []string{"http.codes.20", "http.nope", "errors.nope", "vusers", "apdex.nope", "http.response_time.p42", "nope",
		"plugins.metrics-by-endpoint.response_time.GET /nope.p99"} {
		if takes(t, run, name, "20") {
			t.Errorf("the language takes %s, which no run has", name)
		}
	}
}

// takes reports whether a script whose steps are those of run may bound a metric.
func takes(t *testing.T, run *result.Run, metric, bound string) bool {
	t.Helper()
	var flow []any
	for _, s := range run.Steps {
		flow = append(flow, map[string]any{"get": map[string]any{"url": "/", "name": s.Name}})
	}
	src, err := json.Marshal(map[string]any{
		"config":    map[string]any{"target": "sandbox", "ensure": map[string]any{"thresholds": []any{map[string]any{metric: bound}}}},
		"scenarios": []any{map[string]any{"flow": flow}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = scenarios.Parse("x.yaml", src, scenarios.Options{})
	var problems *scenarios.Problems
	if err != nil && !errors.As(err, &problems) {
		t.Fatal(err)
	}
	return err == nil
}
