package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// artillery plays the same files as loadkms, but for the phases: it fills no holes in them.
var artillery = client{
	name: "Artillery", tool: "artillery",
	command: func(l load, dir string) ([]string, []string) {
		script := "bench/plain.yaml"
		if l.feature == flow {
			script = "bench/flow.yaml"
		}
		overrides := map[string]any{"phases": []any{map[string]any{"duration": int(l.lasts.Seconds()), "arrivalRate": l.rate}}}
		if l.limit > 0 {
			overrides["http"] = map[string]any{"pool": l.limit}
		}
		text, err := json.Marshal(map[string]any{"config": overrides})
		if err != nil {
			panic(err) // maps of numbers
		}
		return []string{"run", "--quiet", "--target", l.url, "--overrides", string(text), "--output", filepath.Join(dir, "report.json"), script},
			[]string{"ARTILLERY_DISABLE_TELEMETRY=true"}
	},
	read: func(l load, _ []byte, dir string) (outcome, error) {
		text, err := os.ReadFile(filepath.Join(dir, "report.json"))
		if err != nil {
			return outcome{}, fmt.Errorf("artillery left no report: %w", err)
		}
		var r struct {
			Aggregate struct {
				Counters                      map[string]uint64
				Summaries                     map[string]struct{ P50, P95, P99, P999 float64 }
				FirstCounterAt, LastCounterAt float64
			}
		}
		if err := json.Unmarshal(text, &r); err != nil {
			return outcome{}, fmt.Errorf("read artillery's report: %w", err)
		}
		a := r.Aggregate
		o := outcome{
			bad: a.Counters["vusers.failed"], dropped: a.Counters["vusers.skipped"], took: milliseconds(a.LastCounterAt - a.FirstCounterAt),
		}
		for name, n := range a.Counters {
			if strings.HasPrefix(name, "http.codes.2") {
				o.good += n
			}
		}
		t := a.Summaries["http.response_time"]
		o.response = quantiles{milliseconds(t.P50), milliseconds(t.P95), milliseconds(t.P99), milliseconds(t.P999)}
		if created := a.Counters["vusers.created"]; o.dropped == 0 && created < uint64(float64(l.rate)*l.lasts.Seconds()*0.99) {
			o.why = fmt.Sprintf("%d users of %.0f only", created, float64(l.rate)*l.lasts.Seconds())
		}
		return o, nil
	},
}
