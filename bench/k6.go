package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// k6 plays k6.js.
var k6 = client{
	name: "k6", tool: "k6",
	command: func(l load, _ string) ([]string, []string) {
		users := l.limit
		if users == 0 {
			users = 1000 // it must have some number
		}
		if l.rate == 0 {
			users = connections
		}
		return []string{"run", "--quiet", "bench/k6.js"}, []string{
			"K6_NO_USAGE_REPORT=true", "URL=" + l.url, "RATE=" + strconv.Itoa(l.rate), "LASTS=" + l.lasts.String(),
			"USERS=" + strconv.Itoa(users), "FLOW=" + map[bool]string{true: "1"}[l.feature == flow],
		}
	},
	read: func(_ load, stdout []byte, _ string) (outcome, error) {
		var r struct {
			State   struct{ TestRunDurationMs float64 }
			Metrics map[string]struct{ Values map[string]float64 }
		}
		if err := json.Unmarshal(stdout, &r); err != nil {
			return outcome{}, fmt.Errorf("read what k6 says: %w", err)
		}
		value := func(metric, name string) float64 { return r.Metrics[metric].Values[name] }
		quantile := func(name string) time.Duration { return milliseconds(value("http_req_duration", name)) }
		// http_req_failed is the rate of failures, so that its passes are the failed ones.
		bad := max(value("http_req_failed", "passes"), value("checks", "fails"))
		return outcome{
			good: uint64(max(value("http_reqs", "count")-bad, 0)), bad: uint64(bad), dropped: uint64(value("dropped_iterations", "count")),
			took:     milliseconds(r.State.TestRunDurationMs),
			response: quantiles{quantile("med"), quantile("p(95)"), quantile("p(99)"), quantile("p(99.9)")},
		}, nil
	},
}

func milliseconds(ms float64) time.Duration { return time.Duration(ms * 1e6) }
